// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <variant>

#include "envoy/export_parts.hpp"
#include "envoy/stat_prefix.hpp"
#include "envoy/state.hpp"
#include "plan/source.hpp"
#include "plan/state.hpp"
#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

std::string text_of(plan::Milliseconds time) { return std::to_string(time.count()) + " ms"; }

std::string doubled_percents(const std::string& value) {
  std::string doubled;
  for (const char c : value) doubled += c == '%' ? "%%" : std::string(1, c);
  return doubled;
}

void write_json(Writing& writing, const plan::Listener& listener, const std::vector<plan::AccessField>& fields) {
  for (const plan::AccessField& field : fields) {
    const std::string who = "listener " + listener.name + ", access log, field";
    if (!writing.report.writable(field.name, listener.place, who)) continue;
    if (!field.fields.empty())
      writing.yaml.map(field.name, [&] { write_json(writing, listener, field.fields); });
    else if (writing.report.writable(field.text, listener.place, who))
      writing.yaml.text(field.name, field.text);
  }
}

void write_access_format(Writing& writing, const plan::Listener& listener) {
  const plan::AccessFormat& format = listener.access_format;
  if (format == plan::AccessFormat{}) return;
  if (!writing.report.writable(format.text, listener.place, "listener " + listener.name + ", access log, format"))
    return;
  writing.yaml.map("log_format", [&] {
    if (format.omit_empty_values) writing.yaml.yes("omit_empty_values");
    if (format.fields.empty())
      writing.yaml.map("text_format_source", [&] { writing.yaml.text("inline_string", format.text); });
    else
      writing.yaml.map("json_format", [&] { write_json(writing, listener, format.fields); });
  });
}

class ListenerWriter {
 public:
  ListenerWriter(Writing& writing, const plan::Listener& listener)
      : writing_(writing), yaml_(writing.yaml), listener_(listener), who_("listener " + listener.name) {}

  void run() {
    if (listener_.half_close_timeout != plan::Listener{}.half_close_timeout)
      note(row("listener.half_close_timeout"), "half-close timeout " + text_of(listener_.half_close_timeout));
    yaml_.item([&] {
      yaml_.text("name", listener_.name);
      write_addresses(listener_.addresses);
      if (listener_.read_ahead_bytes > 0) yaml_.number("per_connection_buffer_limit_bytes", listener_.read_ahead_bytes);
      write_listener_filters();
      yaml_.list("filter_chains", [&] {
        yaml_.item([&] {
          yaml_.list("filters", [&] {
            if (listener_.max_connections > 0) write_connection_limit(listener_.max_connections);
            if (!listener_.state.empty()) write_set_filter_state();
            write_filter(listener_.handler);
          });
        });
      });
    });
  }

 private:
  void note(const ExportRow& row, const std::string& what) {
    writing_.report.note(row, listener_.place, who_ + ", " + what);
  }

  void write_addresses(const std::vector<plan::Address>& addresses) {
    if (std::holds_alternative<plan::Internal>(addresses.front())) {
      yaml_.empty("internal_listener");
      return;
    }
    write_address(writing_, addresses.front(), true, listener_.place, who_);
    if (addresses.size() == 1) return;
    yaml_.list("additional_addresses", [&] {
      for (auto address = addresses.begin() + 1; address != addresses.end(); ++address)
        yaml_.item([&] { write_address(writing_, *address, true, listener_.place, who_); });
    });
  }

  // Where a connection was going before a redirect is its local address behind the first of them.
  void write_listener_filters() {
    const auto* relay = std::get_if<plan::TcpProxy>(&listener_.handler);
    if (relay == nullptr) return;
    const bool redirected = relay->tunnel && plan::source_of(relay->tunnel->target) == plan::Source::original;
    if (!redirected && !relay->tls_inspector) return;
    yaml_.list("listener_filters", [&] {
      if (redirected)
        write_listener_filter("original_dst", "envoy.extensions.filters.listener.original_dst.v3.OriginalDst");
      if (relay->tls_inspector)
        write_listener_filter("tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector");
    });
  }

  void write_listener_filter(const std::string& name, std::string_view type) {
    yaml_.item([&] { yaml_.typed("envoy.filters.listener." + name, type); });
  }

  void write_connection_limit(unsigned most) {
    yaml_.item([&] {
      yaml_.typed("envoy.filters.network.connection_limit",
                  "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", [&] {
                    write_stat_prefix();
                    yaml_.number("max_connections", most);
                  });
    });
  }

  void write_set_filter_state() {
    yaml_.item([&] {
      yaml_.typed("envoy.filters.network.set_filter_state", kSetFilterState, [&] {
        yaml_.list("on_new_connection", [&] {
          for (const plan::State& state : listener_.state) write_state(state);
        });
      });
    });
  }

  // Hashable: so it is part of what Envoy keeps pooled connections apart by, as it is here.
  void write_state(const plan::State& state) {
    for (const std::string* text : {&state.key, &state.value})
      if (!writing_.report.writable(*text, listener_.place, who_ + ", filter state")) return;
    yaml_.item([&] {
      yaml_.text("object_key", state.key);
      if (state.key != plan::kOriginalStateKey) yaml_.word("factory_key", kHashableFactory);
      yaml_.map("format_string", [&] {
        yaml_.map("text_format_source", [&] { yaml_.text("inline_string", state.value); });
        yaml_.yes("omit_empty_values");
      });
      yaml_.yes("skip_if_empty");
      if (state.share == StateShare::once) yaml_.word("shared_with_upstream", "ONCE");
      if (state.share == StateShare::transitive) yaml_.word("shared_with_upstream", "TRANSITIVE");
    });
  }

  void write_filter(const plan::Handler& handler) {
    yaml_.item([&] { std::visit([&](const auto& of_a_kind) { write(of_a_kind); }, handler); });
  }

  void write(const plan::TcpProxy& relay) {
    yaml_.typed("envoy.filters.network.tcp_proxy", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", [&] {
      write_stat_prefix();
      yaml_.text("cluster", relay.cluster);
      yaml_.time("idle_timeout", listener_.idle_timeout);
      write_lifetime("max_downstream_connection_duration");
      if (relay.connect_attempts != 1) yaml_.number("max_connect_attempts", relay.connect_attempts);
      if (relay.tunnel) write_tunnel(writing_, listener_, *relay.tunnel);
      write_access_log();
    });
  }

  void write(const plan::HttpProxy& proxy) {
    yaml_.typed("envoy.filters.network.http_connection_manager",
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", [&] {
                  write_stat_prefix();
                  write_http_proxy(writing_, listener_, proxy);
                  yaml_.map("common_http_protocol_options", [&] {
                    yaml_.time("idle_timeout", listener_.idle_timeout);
                    write_lifetime("max_connection_duration");
                  });
                  yaml_.time("stream_idle_timeout", proxy.stream_idle_timeout.value_or(listener_.idle_timeout));
                  write_access_log();
                });
  }

  void write(const plan::Echo& /*echo*/) {
    if (listener_.idle_timeout != plan::Listener{}.idle_timeout)
      note(row("listener.idle_timeout", "echo"), "idle timeout " + text_of(listener_.idle_timeout));
    if (listener_.max_lifetime > plan::Milliseconds::zero())
      note(row("listener.max_lifetime", "echo"), "max lifetime " + text_of(listener_.max_lifetime));
    if (!listener_.access_log.empty()) note(row("listener.access_log", "echo"), "access log");
    yaml_.typed("envoy.filters.network.echo", "envoy.extensions.filters.network.echo.v3.Echo");
  }

  void write(const plan::Discard& /*discard*/) { note(row("discard"), "discard:"); }
  void write(const plan::Custom& /*custom*/) { note(row("custom"), "a handler of its own"); }

  void write_stat_prefix() {
    const std::string& prefix = stat_prefix_of(listener_);
    if (writing_.report.writable(prefix, listener_.place, who_ + ", stat_prefix")) yaml_.text("stat_prefix", prefix);
  }

  void write_lifetime(std::string_view key) {
    if (listener_.max_lifetime > plan::Milliseconds::zero()) yaml_.time(key, listener_.max_lifetime);
  }

  void write_access_log() {
    const std::string& file = listener_.access_log;
    if (file.empty() || !writing_.report.writable(file, listener_.place, who_ + ", access log")) return;
    yaml_.list("access_log", [&] {
      yaml_.item([&] {
        if (file == "-")
          yaml_.typed("envoy.access_loggers.stdout", "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                      [&] { write_access_format(writing_, listener_); });
        else if (file == "/dev/stderr")
          yaml_.typed("envoy.access_loggers.stderr", "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
                      [&] { write_access_format(writing_, listener_); });
        else
          yaml_.typed("envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", [&] {
            yaml_.text("path", file);
            write_access_format(writing_, listener_);
          });
      });
    });
  }

  Writing& writing_;
  Yaml& yaml_;
  const plan::Listener& listener_;
  std::string who_;
};

void write_header(Writing& writing, const plan::Listener& listener, const plan::Header& header) {
  const std::string who = "listener " + listener.name + ", header " + header.name;
  if (header.secret) return writing.report.note(row("header.secret"), listener.place, who);
  if (!writing.report.writable(header.value, listener.place, who)) return;
  writing.yaml.item([&] {
    writing.yaml.map("header", [&] {
      writing.yaml.text("key", header.name);
      writing.yaml.text("value", header.format ? header.value : doubled_percents(header.value));
    });
    if (header.value.empty()) writing.yaml.yes("keep_empty_value");
  });
}

std::string host_name(const std::string& target) {
  switch (plan::target_source_of(target)) {
    case plan::Source::endpoint:
      return "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%";
    case plan::Source::original:
      return "%DOWNSTREAM_LOCAL_ADDRESS%";
    case plan::Source::authority:  // refused by check(): bytes are opaque here
    case plan::Source::written:
    case plan::Source::format:
      break;
  }
  return target;
}

}  // namespace

void write_address(Writing& writing, const plan::Address& address, bool listened, const plan::Place& place,
                   std::string_view who) {
  Yaml& yaml = writing.yaml;
  if (std::holds_alternative<plan::Inherited>(address))
    return writing.report.note(row("inherited"), place, std::string(who) + ", an inherited socket");
  if (std::holds_alternative<plan::Stdio>(address))
    return writing.report.note(row("stdio"), place, std::string(who) + ", -l -");
  yaml.map("address", [&] {
    if (const auto* tcp = std::get_if<plan::Tcp>(&address)) {
      yaml.map("socket_address", [&] {
        yaml.text("address", tcp->host == "*" ? "::" : tcp->host);  // spelt out where two addresses may stand
        yaml.number("port_value", tcp->port);
        if (tcp->host == "*") yaml.yes("ipv4_compat");
      });
    } else if (const auto* socket = std::get_if<plan::Unix>(&address)) {
      if (!writing.report.writable(socket->path, place, std::string(who) + ", socket")) return;
      yaml.map("pipe", [&] {
        yaml.text("path", socket->path);
        if (listened && !socket->path.starts_with('@')) yaml.number("mode", socket->mode);
      });
    } else {
      const auto& internal = std::get<plan::Internal>(address);
      yaml.map("envoy_internal_address", [&] {
        yaml.text("server_listener_name", internal.listener);
        if (!internal.endpoint_id.empty()) yaml.text("endpoint_id", internal.endpoint_id);
      });
    }
  });
}

void write_tunnel(Writing& writing, const plan::Listener& listener, const plan::Tunnel& tunnel) {
  writing.yaml.map("tunneling_config", [&] {
    writing.yaml.text("hostname", host_name(tunnel.target));
    if (tunnel.post) {
      writing.yaml.yes("use_post");
      writing.yaml.text("post_path", tunnel.post_path);
    }
    if (tunnel.keeps_response_headers) writing.yaml.yes("propagate_response_headers");
    if (tunnel.keeps_response_trailers) writing.yaml.yes("propagate_response_trailers");
    if (tunnel.headers.empty()) return;
    writing.yaml.list("headers_to_add", [&] {
      for (const plan::Header& header : tunnel.headers) write_header(writing, listener, header);
    });
  });
}

void write_listener(Writing& writing, const plan::Listener& listener) { ListenerWriter(writing, listener).run(); }

}  // namespace tunnel::envoy
