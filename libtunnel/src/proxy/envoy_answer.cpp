// SPDX-License-Identifier: Apache-2.0
#include "proxy/envoy_answer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tunnel::proxy {
namespace {

constexpr std::uint32_t kConnectError = 10;  // of HTTP/2

bool is_upstreams(const Error& error) {
  switch (error.kind) {
    case Error::Kind::reset:
    case Error::Kind::closed:
    case Error::Kind::refused:
    case Error::Kind::timeout:
    case Error::Kind::unreachable:
    case Error::Kind::protocol:
    case Error::Kind::unknown_destination:
      return error.side != Error::Side::downstream;
    default:
      return false;
  }
}

std::string_view reset_reason(const AccessRecord& record) {
  const Error& error = record.error;
  if (record.upstream.empty())
    return error.kind == Error::Kind::timeout ? "connection timeout" : "remote connection failure";
  if (error.kind == Error::Kind::protocol) return "protocol error";
  if (error.reset_code == kConnectError) return "remote error with CONNECT request";
  return error.reset_code != 0 ? "remote reset" : "connection termination";
}

http::StatusAnswer answer(std::uint16_t status, std::string text) {
  http::StatusAnswer told{http::ResponseHead{status, {}}, std::move(text)};
  told.head.fields.add("content-type", "text/plain");
  return told;
}

}  // namespace

std::optional<http::StatusAnswer> envoy_answer(const AccessRecord& record) {
  if (!is_upstreams(record.error)) return std::nullopt;
  if (proxy_status_token(record.error) == kResponseTimeout) return answer(504, "upstream request timeout");
  const bool talked = record.error.kind == Error::Kind::protocol && !record.upstream.empty();
  return answer(talked ? 502 : 503, "upstream connect error or disconnect/reset before headers. reset reason: " +
                                        std::string(reset_reason(record)));
}

}  // namespace tunnel::proxy
