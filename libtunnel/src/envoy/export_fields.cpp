// SPDX-License-Identifier: Apache-2.0
// The guard of export_table.hpp: a field that is new in plan.hpp does not compile here. Then the exporter must look at
// it, and the table wants a row for it.
#include <cstddef>

#include "envoy/export_table.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {
namespace {

// How many members of a struct have a row or more.
consteval std::size_t members_of(std::string_view name) {
  std::size_t count = 0;
  std::string_view last;
  for (const ExportRow& one : kExportTable) {
    if (!one.field.starts_with(name) || one.field.substr(name.size(), 1) != "." || one.field == last) continue;
    last = one.field;
    ++count;
  }
  return count;
}

// Never called. Every struct of a Plan is taken apart whole; `place` alone, which says where it was written, has no
// row.
[[maybe_unused]] void take_apart(const plan::Plan& plan) {
  [[maybe_unused]] const auto& [process, listeners, clusters] = plan;
}
[[maybe_unused]] void take_apart(const plan::Process& process) {
  [[maybe_unused]] const auto& [workers, drain, log_format, verbosity, limits, memory_bytes, admin, stats, force_pairs,
                                envoy_compat] = process;
  static_assert(members_of("process") == 10);
}
[[maybe_unused]] void take_apart(const plan::Listener& listener) {
  [[maybe_unused]] const auto& [name, place, addresses, handler, idle_timeout, half_close_timeout, max_lifetime,
                                max_connections, buffer_bytes, read_ahead_bytes, access_log, access_format, state,
                                stat_prefix] = listener;
  static_assert(members_of("listener") == 13);
}
[[maybe_unused]] void take_apart(const plan::State& state) {
  [[maybe_unused]] const auto& [key, value, share] = state;
  static_assert(members_of("state") == 3);
}
[[maybe_unused]] void take_apart(const plan::AccessField& field) {
  [[maybe_unused]] const auto& [name, text, fields] = field;
  static_assert(members_of("access_field") == 3);
}
[[maybe_unused]] void take_apart(const plan::AccessFormat& format) {
  [[maybe_unused]] const auto& [text, fields, omit_empty_values] = format;
  static_assert(members_of("access_format") == 3);
}
[[maybe_unused]] void take_apart(const plan::Tcp& tcp) {
  [[maybe_unused]] const auto& [host, port] = tcp;
  static_assert(members_of("tcp") == 2);
}
[[maybe_unused]] void take_apart(const plan::Internal& internal) {
  [[maybe_unused]] const auto& [listener, endpoint_id] = internal;
  static_assert(members_of("internal") == 2);
}
[[maybe_unused]] void take_apart(const plan::Unix& socket) {
  [[maybe_unused]] const auto& [path, mode] = socket;
  static_assert(members_of("unix") == 2);
}
[[maybe_unused]] void take_apart(const plan::TcpProxy& relay) {
  [[maybe_unused]] const auto& [cluster, tunnel, connect_attempts, tls_inspector] = relay;
  static_assert(members_of("tcp_proxy") == 4);
}
[[maybe_unused]] void take_apart(const plan::Tunnel& tunnel) {
  [[maybe_unused]] const auto& [target, post, post_path, headers, keeps_response_headers, keeps_response_trailers] =
      tunnel;
  static_assert(members_of("tunnel") == 6);
}
[[maybe_unused]] void take_apart(const plan::Header& header) {
  [[maybe_unused]] const auto& [name, value, secret, format] = header;
  static_assert(members_of("header") == 4);
}
[[maybe_unused]] void take_apart(const plan::HttpProxy& proxy) {
  [[maybe_unused]] const auto& [codec, routes, streams, stream_idle_timeout] = proxy;
  static_assert(members_of("http_proxy") == 4);
}
[[maybe_unused]] void take_apart(const plan::Route& route) {
  [[maybe_unused]] const auto& [match, action, place] = route;
  static_assert(members_of("route") == 2);
}
[[maybe_unused]] void take_apart(const plan::Match& match) {
  [[maybe_unused]] const auto& [connect, prefix, whole, method, fields, domains] = match;
  static_assert(members_of("match") == 6);
}
[[maybe_unused]] void take_apart(const plan::FieldMatch& field) {
  [[maybe_unused]] const auto& [name, value] = field;
  static_assert(members_of("field_match") == 2);
}
[[maybe_unused]] void take_apart(const plan::Respond& respond) {
  [[maybe_unused]] const auto& [status, body] = respond;
  static_assert(members_of("respond") == 2);
}
[[maybe_unused]] void take_apart(const plan::Forward& forward) {
  [[maybe_unused]] const auto& [cluster, timeout, idle_timeout] = forward;
  static_assert(members_of("forward") == 3);
}
[[maybe_unused]] void take_apart(const plan::Terminate& terminate) {
  [[maybe_unused]] const auto& [cluster, post, timeout, idle_timeout] = terminate;
  static_assert(members_of("terminate") == 4);
}
[[maybe_unused]] void take_apart(const plan::Cluster& cluster) {
  [[maybe_unused]] const auto& [name, place, find, endpoints, rules, protocol, connect_timeout, family, lb, pool,
                                metadata, passthrough, passes_state, max_connections, read_ahead_bytes] = cluster;
  static_assert(members_of("cluster") == 14);
}
[[maybe_unused]] void take_apart(const plan::Endpoint& endpoint) {
  [[maybe_unused]] const auto& [address, metadata] = endpoint;
  static_assert(members_of("endpoint") == 2);
}
[[maybe_unused]] void take_apart(const plan::Metadata& metadata) {
  [[maybe_unused]] const auto& [space, key, value, kind] = metadata;
  static_assert(members_of("metadata") == 4);
}
[[maybe_unused]] void take_apart(const plan::Passthrough& passthrough) {
  [[maybe_unused]] const auto& [space, from] = passthrough;
  static_assert(members_of("passthrough") == 2);
}
[[maybe_unused]] void take_apart(const plan::Pool& pool) {
  [[maybe_unused]] const auto& [connections, streams, prewarm, ping, idle, window_bytes] = pool;
  static_assert(members_of("pool") == 6);
}

}  // namespace
}  // namespace tunnel::envoy
