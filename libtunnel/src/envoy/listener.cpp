// SPDX-License-Identifier: Apache-2.0
#include "envoy/listener.hpp"

#include <string>
#include <utility>
#include <vector>

#include "envoy/address.hpp"
#include "envoy/extension.hpp"
#include "envoy/http_connection_manager.hpp"
#include "envoy/state.hpp"
#include "envoy/tcp_proxy.hpp"
#include "plan/host_port.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::uint64_t kMostNumber = 4294967295;  // of Envoy's UInt32Value

class ListenerReader {
 public:
  ListenerReader(Fields& fields, plan::Listener& listener) : fields_(fields), listener_(listener) {}

  void read(const InternalBuffer& buffer) {
    listener_.place = fields_.value().place();
    read_name();
    fields_.refuse({"use_original_dst",
                    "default_filter_chain",
                    "metadata",
                    "deprecated_v1",
                    "drain_type",
                    "listener_filters_timeout",
                    "continue_on_listener_filters_timeout",
                    "transparent",
                    "freebind",
                    "socket_options",
                    "tcp_fast_open_queue_length",
                    "traffic_direction",
                    "udp_listener_config",
                    "api_listener",
                    "connection_balance_config",
                    "reuse_port",
                    "enable_reuse_port",
                    "access_log",
                    "tcp_backlog_size",
                    "bind_to_port",
                    "enable_mptcp",
                    "ignore_global_conn_limit",
                    "stat_prefix",
                    "filter_chain_matcher",
                    "max_connections_to_accept_per_socket_event",
                    "bypass_overload_manager"});
    if (const auto filters = fields_.find("listener_filters")) read_listener_filters(*filters);
    if (const auto most = fields_.find("per_connection_buffer_limit_bytes"))
      listener_.read_ahead_bytes = most->number(0, kMostNumber).value_or(0);
    if (const auto inside = fields_.find("internal_listener")) {
      read_internal(*inside, buffer);
    } else {
      read_addresses();
    }
    read_filter_chains();
  }

 private:
  void read_name() {
    const auto name = fields_.need("name");
    const auto text = name ? name->text() : std::nullopt;
    if (!text) return;
    if (const std::string fault = plan::name_fault(*text); !fault.empty()) return name->refuse(fault);
    listener_.name = *text;
  }

  void read_internal(const Value& value, const InternalBuffer& buffer) {
    read_empty(value);
    listener_.addresses.emplace_back(plan::Internal{listener_.name, ""});
    for (const char* name : {"address", "additional_addresses"})
      if (const auto address = fields_.find(name)) address->refuse("an internal listener has no address; leave it out");
    if (buffer) {
      listener_.buffer_bytes = *buffer;
    } else {
      value.refuse(
          "internal listeners need the bootstrap extension "
          "envoy.extensions.bootstrap.internal_listener.v3.InternalListener");
    }
  }

  void read_addresses() {
    std::vector<Value> all;
    if (const auto address = fields_.need("address")) all.push_back(*address);
    if (const auto more = fields_.find("additional_addresses")) {
      read_messages(*more, [&](Fields& fields) {
        fields.refuse({"socket_options"});
        if (const auto address = fields.need("address")) all.push_back(*address);
      });
    }
    for (const Value& value : all)
      if (auto address = read_listen_address(value)) listener_.addresses.push_back(std::move(*address));
  }

  void read_filter_chains() {
    const auto chains = fields_.need("filter_chains");
    if (!chains) return;
    const std::vector<Value> all = chains->items();
    if (all.empty()) chains->refuse("a filter chain is missing, so no connection could be served");
    if (all.size() > 1) all[1].refuse("a second filter chain is not supported by this version");
    for (const Value& chain : all) {
      read_message(chain, [&](Fields& fields) {
        fields.label("name");
        fields.refuse({"filter_chain_match", "use_proxy_proto", "metadata", "transport_socket_connect_timeout"});
        if (const auto socket = fields.find("transport_socket")) read_extension(*socket, {});
        if (const auto filters = fields.need("filters")) read_filters(*filters);
      });
    }
  }

  // What a connection's address was before a redirect, where only a tunnel to it looks; what its ClientHello names.
  void read_listener_filters(const Value& value) {
    for (const Value& filter : value.items()) {
      read_extension(
          filter,
          {{"envoy.extensions.filters.listener.original_dst.v3.OriginalDst", [&](Fields&) { redirected_ = filter; }},
           {"envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector", [&](Fields& fields) {
              fields.refuse({"enable_ja3_fingerprinting", "enable_ja4_fingerprinting", "initial_read_buffer_size",
                             "max_client_hello_size", "close_connection_on_client_hello_parsing_errors"});
              inspected_ = filter;
            }}});
    }
  }

  void read_filters(const Value& value) {
    const std::vector<Value> all = value.items();
    if (all.empty()) value.refuse("a filter is missing, so every connection would be closed");
    for (const Value& filter : all) {
      const bool last = &filter == &all.back();
      read_extension(filter, last ? handlers() : std::vector<Kind>{connection_limit(), set_filter_state()});
    }
    auto* relay = std::get_if<plan::TcpProxy>(&listener_.handler);
    const bool looks = relay != nullptr && relay->tunnel && relay->tunnel->target == "@orig-dst";
    if (redirected_ && !looks) redirected_->refuse("nothing here looks at what original_dst finds; leave it out");
    if (inspected_ && relay == nullptr)
      inspected_->refuse("only a tcp_proxy has use for what tls_inspector finds; leave it out");
    if (relay != nullptr) relay->tls_inspector = inspected_.has_value();
  }

  std::vector<Kind> handlers() {
    return {{"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
             [this](Fields& fields) { read_tcp_proxy(fields, redirected_.has_value(), listener_); }},
            {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
             [this](Fields& fields) { read_http_connection_manager(fields, listener_); }},
            {"envoy.extensions.filters.network.echo.v3.Echo", [this](Fields&) { listener_.handler = plan::Echo{}; }}};
  }

  Kind connection_limit() {
    return {"envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", [this](Fields& fields) {
              if (const auto prefix = fields.need("stat_prefix")) (void)prefix->text();
              fields.refuse({"delay", "runtime_enabled"});
              const auto most = fields.need("max_connections");
              if (listener_.max_connections != 0) fields.value().refuse("a second limit; leave one out");
              if (most) listener_.max_connections = static_cast<unsigned>(most->number(1, kMostNumber).value_or(0));
            }};
  }

  // Several do what one would with all of their objects.
  Kind set_filter_state() {
    return {kSetFilterState, [this](Fields& fields) {
              for (plan::State& state : read_set_filter_state(fields)) listener_.state.push_back(std::move(state));
            }};
  }

  Fields& fields_;
  plan::Listener& listener_;
  std::optional<Value> redirected_;  // by original_dst
  std::optional<Value> inspected_;   // by tls_inspector
};

}  // namespace

plan::Listener read_listener(const Value& value, const InternalBuffer& buffer) {
  plan::Listener listener;
  const std::size_t faults = value.document().faults();
  read_message(value, [&](Fields& fields) { ListenerReader(fields, listener).read(buffer); });
  if (value.document().faults() > faults) {
    listener.handler = plan::Echo{};
    if (listener.addresses.empty()) listener.addresses.emplace_back(plan::Tcp{});
  }
  return listener;
}

}  // namespace tunnel::envoy
