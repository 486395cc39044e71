// SPDX-License-Identifier: Apache-2.0
#include "tunnel/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace tunnel {
namespace {

struct KindFacts {
  std::string_view word;
  std::uint16_t status;
  std::string_view token;
};

constexpr std::array<KindFacts, 15> kFacts{{
    {"ok", 500, ""},
    {"reset", 502, "connection_terminated"},
    {"closed", 502, "connection_terminated"},
    {"refused", 502, "connection_refused"},
    {"timeout", 504, "connection_timeout"},
    {"unreachable", 502, "destination_ip_unroutable"},
    {"dns", 502, "dns_error"},
    {"denied", 403, "http_request_denied"},
    {"protocol", 502, "http_protocol_error"},
    {"limit", 503, "connection_limit_reached"},
    {"loop", 502, "proxy_loop_detected"},
    {"unknown_destination", 503, "destination_not_found"},
    {"shutdown", 503, ""},
    {"internal", 503, "proxy_internal_error"},
    {"cancelled", 502, "connection_terminated"},
}};

const KindFacts& facts(Error::Kind kind) { return kFacts[static_cast<std::size_t>(kind)]; }

}  // namespace

std::string_view to_string(Error::Kind kind) { return facts(kind).word; }

std::uint16_t http_status(const Error& error) { return error.status != 0 ? error.status : facts(error.kind).status; }

std::string_view proxy_status_token(const Error& error) {
  return error.proxy_status != nullptr ? std::string_view(error.proxy_status) : facts(error.kind).token;
}

Error error_from_errno(int number, std::string_view what) {
  Error::Kind kind = Error::Kind::internal;
  switch (number) {
    case ECONNRESET:
    case ECONNABORTED:
      kind = Error::Kind::reset;
      break;
    case EPIPE:
    case ENOTCONN:
    case ESHUTDOWN:
    case EBADF:
      kind = Error::Kind::closed;
      break;
    case ECONNREFUSED:
      kind = Error::Kind::refused;
      break;
    case ETIMEDOUT:
      kind = Error::Kind::timeout;
      break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN:
    case EAFNOSUPPORT:
    case EINVAL:
    case EACCES:
    case EPERM:
      kind = Error::Kind::unreachable;
      break;
    default:
      break;
  }
  std::string text(what);
  if (!text.empty()) text += ": ";
  text += std::strerror(number);  // NOLINT(concurrency-mt-unsafe): glibc's returns constants for known numbers
  return Error(kind, text);
}

bool is_ordinary_end(const Error& error) {
  return error.kind == Error::Kind::reset || error.kind == Error::Kind::closed || error.kind == Error::Kind::cancelled;
}

}  // namespace tunnel
