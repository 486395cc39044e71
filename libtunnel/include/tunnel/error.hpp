// SPDX-License-Identifier: Apache-2.0
// What went wrong with a stream, a connect or an exchange, as a value. It crosses user-space pairs, pumps and internal
// hops unchanged; the access log prints it and an HTTP client reads it as a status with Proxy-Status (RFC 9209).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "tunnel/filter_state.hpp"

namespace tunnel {

struct Error {
  enum class Kind : std::uint8_t {
    none,
    reset,                // the peer reset (TCP RST, RST_STREAM, an aborted pair)
    closed,               // the peer is gone, or the stream was already closed here
    refused,              // the peer refused a connection, a tunnel or further bytes
    timeout,              // one of our timers ran out
    unreachable,          // no route, no address
    dns,                  // a name did not resolve
    denied,               // our rules forbid it
    protocol,             // the peer broke a protocol
    limit,                // one of our limits
    loop,                 // too many internal hops
    unknown_destination,  // an internal listener nobody serves
    shutdown,             // we are draining
    internal,             // our own resources failed us
    cancelled,            // whoever asked went away
  };
  enum class Side : std::uint8_t { us, downstream, upstream };

  Kind kind = Kind::none;
  Side side = Side::us;
  bool retry_safe = false;                    // set only by whoever knows that nothing of the request was acted upon
  bool temporary = false;                     // the peer said so (Retry-After)
  bool tried_again = false;                   // as often as a hop may (connect_attempts)
  std::uint16_t status = 0;                   // what an HTTP client of ours is told; 0: by kind, see http_status()
  std::uint16_t received_status = 0;          // what the next proxy answered, if it did
  std::uint32_t reset_code = 0;               // HTTP/2 error code that came, or shall go out; 0: by kind
  const char* proxy_status = nullptr;         // RFC 9209 error token with static storage; nullptr: by kind
  std::shared_ptr<const std::string> detail;  // shared, so that copying never allocates
  FilterStatePtr far_state;                   // of the internal listener that failed, where it is passed back

  Error() = default;
  explicit Error(Kind error_kind, std::string_view text = {}) : kind(error_kind) {
    if (!text.empty()) detail = std::make_shared<const std::string>(text);
  }
  explicit operator bool() const { return kind != Kind::none; }

  std::string_view text() const { return detail ? std::string_view(*detail) : std::string_view(); }
  Error& on(Side where) {
    side = where;
    return *this;
  }
  Error& with(std::uint16_t http_status_code, const char* proxy_status_token) {
    status = http_status_code;
    proxy_status = proxy_status_token;
    return *this;
  }
};

// The error token of a response that did not come, or not to its end, within its time.
inline constexpr const char* kResponseTimeout = "http_response_timeout";

// The kind in a word ("reset", "timeout"), for logs.
std::string_view to_string(Error::Kind kind);
// The status and the Proxy-Status error token (may be empty) that tell a client of this error: REFUSALS in tunnel(7).
std::uint16_t http_status(const Error& error);
std::string_view proxy_status_token(const Error& error);
// An errno of connect, recv or send as an Error; `what` begins the text ("connect to 10.0.0.1:80").
Error error_from_errno(int number, std::string_view what = {});
// True for the ways TCP connections simply end (reset, broken pipe, not connected): debug, not news.
bool is_ordinary_end(const Error& error);

// A value or an Error. Small, movable; `co_return Error(…)` and `co_return value` both convert.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  Error& error() { return std::get<1>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  bool ok() const { return error_.kind == Error::Kind::none; }
  explicit operator bool() const { return ok(); }
  Error& error() { return error_; }
  const Error& error() const { return error_; }

 private:
  Error error_;
};

}  // namespace tunnel
