// SPDX-License-Identifier: Apache-2.0
#include "runtime/response_flags.hpp"

#include <array>
#include <cstddef>

namespace tunnel::runtime {
namespace {

// What may have happened, named by Envoy's flag for it.
enum class End : std::uint8_t {
  in_order,
  no_route,
  own_limit,
  cluster_limit,
  not_allowed,
  no_name,
  not_connected,
  lost,
  reset_by_upstream,
  upstream_protocol,
  response_timeout,
  idle,
  too_old,
  client_gone,
  client_reset,
  client_protocol,
  local_reset,
};

struct Row {
  End end;
  ResponseFlag flag;
};

// As Envoy 1.40 was seen to write them; what it has nothing like has the flag that is nearest.
constexpr std::array<Row, 17> kRows{{
    {End::in_order, {"", "", ""}},
    {End::no_route, {"NR", "NoRouteFound", "route_not_found"}},
    // --max-conns, --limit conns and --mem-limit: Envoy's overload manager is what refuses for the process's sake.
    {End::own_limit, {"OL", "OverloadManagerTerminated", "overload_manager"}},
    {End::cluster_limit, {"UO", "UpstreamOverflow", "overflow"}},
    // A target no rule allows is none of the cluster's, which for Envoy is a cluster without a host.
    {End::not_allowed, {"UH", "NoHealthyUpstream", "no_healthy_upstream"}},
    {End::no_name, {"DF", "DnsResolutionFailed", "dns_resolution_failure"}},
    {End::not_connected, {"UF", "UpstreamConnectionFailure", "remote_connection_failure"}},
    {End::lost, {"UC", "UpstreamConnectionTermination", "connection_termination"}},
    {End::reset_by_upstream, {"UR", "UpstreamRemoteReset", "remote_reset"}},
    {End::upstream_protocol, {"UPE", "UpstreamProtocolError", "protocol_error"}},
    {End::response_timeout, {"UT", "UpstreamRequestTimeout", "response_timeout"}},
    {End::idle, {"SI", "StreamIdleTimeout", "stream_idle_timeout"}},
    {End::too_old, {"DT", "DurationTimeout", "duration_timeout"}},
    {End::client_gone, {"DC", "DownstreamConnectionTermination", "downstream_remote_disconnect"}},
    {End::client_reset, {"DR", "DownstreamRemoteReset", "http2.remote_reset"}},
    {End::client_protocol, {"DPE", "DownstreamProtocolError", "codec_error"}},
    // A drain that is over, and resources of ours that are used up.
    {End::local_reset, {"LR", "LocalReset", "local_connection_failure"}},
}};

constexpr bool in_order_of_enum() {
  for (std::size_t at = 0; at < kRows.size(); ++at)
    if (static_cast<std::size_t>(kRows.at(at).end) != at) return false;
  return true;
}
static_assert(in_order_of_enum());

bool is_relay(const AccessRecord& record) { return record.kind == AccessRecord::Kind::connection; }

End end_by_client(const AccessRecord& record) {
  const Error& error = record.error;
  if (error.kind == Error::Kind::protocol) return End::client_protocol;
  if (error.kind == Error::Kind::reset && record.protocol == "HTTP/2") return End::client_reset;
  return End::client_gone;
}

End end_by_time(const AccessRecord& record) {
  if (record.error.text() == kLifetimeOver) return End::too_old;
  if (proxy_status_token(record.error) == kResponseTimeout) return End::response_timeout;
  return record.upstream.empty() ? End::not_connected : End::idle;
}

// Of a connection that stood, or an exchange that was asked for.
End end_by_upstream(const AccessRecord& record) {
  if (record.error.kind == Error::Kind::protocol) return End::upstream_protocol;
  return record.error.reset_code != 0 || is_relay(record) ? End::reset_by_upstream : End::lost;
}

End before_it_stood(const Error& error) {
  switch (error.kind) {
    case Error::Kind::limit:
      return End::cluster_limit;
    case Error::Kind::denied:
      return End::not_allowed;
    case Error::Kind::dns:
      return End::no_name;
    case Error::Kind::shutdown:
    case Error::Kind::internal:
      return End::local_reset;
    default:
      return End::not_connected;
  }
}

End end_of(const AccessRecord& record) {
  const Error& error = record.error;
  if (record.refused) return End::own_limit;
  if (!error) return record.answer == AccessRecord::Answer::no_route ? End::no_route : End::in_order;
  // A relay whose client has reset it, or that was idle, has no flag in Envoy.
  if (error.side == Error::Side::downstream)
    return is_relay(record) && !record.upstream.empty() ? End::in_order : end_by_client(record);
  if (error.kind == Error::Kind::timeout) {
    const End end = end_by_time(record);
    return is_relay(record) && end == End::idle ? End::in_order : end;
  }
  if (record.upstream.empty()) return before_it_stood(error);
  if (error.side == Error::Side::upstream) return end_by_upstream(record);
  return End::local_reset;
}

}  // namespace

ResponseFlag response_flag(const AccessRecord& record) {
  return kRows.at(static_cast<std::size_t>(end_of(record))).flag;
}

bool used_up_attempts(const AccessRecord& record) { return is_relay(record) && end_of(record) == End::not_connected; }

std::string response_details(const AccessRecord& record) {
  if (is_relay(record)) return "";
  const End end = end_of(record);
  switch (end) {
    case End::in_order:
      switch (record.answer) {
        case AccessRecord::Answer::upstream:
          return "via_upstream";
        case AccessRecord::Answer::route:
          return "direct_response";
        case AccessRecord::Answer::no_upgrade:
          return "upgrade_failed";
        case AccessRecord::Answer::none:
        case AccessRecord::Answer::no_route:
          break;
      }
      return "";
    case End::cluster_limit:
    case End::no_name:
    case End::not_connected:
    case End::lost:
    case End::reset_by_upstream:
    case End::upstream_protocol:
    case End::local_reset: {
      const bool answered = record.answer == AccessRecord::Answer::upstream;
      return std::string(answered ? "upstream_reset_after_response_started{"
                                  : "upstream_reset_before_response_started{")
          .append(response_flag(record).details)
          .append("}");
    }
    case End::client_protocol:
      return record.protocol == "HTTP/2" ? "http2.violation.of.messaging.rule" : "http1.codec_error";
    default:
      return std::string(response_flag(record).details);
  }
}

}  // namespace tunnel::runtime
