// SPDX-License-Identifier: Apache-2.0
// HTTP/2 by hand: frames and header blocks as bytes, so that a test can send what no library would.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tunnel::test {

enum : int { kData, kHeaders, kPriority, kRst, kSettings, kPush, kPing, kGoaway, kWindowUpdate, kContinuation };
enum : int { kEndStream = 1, kAck = 1, kEndHeaders = 4 };
using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string be(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

inline std::string frame(int type, int flags, std::int32_t id, std::string_view payload = {}) {
  return be(payload.size(), 3) + be(static_cast<std::uint64_t>(type), 1) + be(static_cast<std::uint64_t>(flags), 1) +
         be(static_cast<std::uint64_t>(id), 4) + std::string(payload);
}

// HPACK (RFC 7541): literals, never indexed into the table unless `prefix` says so.
inline std::string hpack_integer(std::size_t value, int bits, unsigned first) {
  const std::size_t most = (std::size_t{1} << bits) - 1;
  std::string text;
  if (value < most) return {static_cast<char>(first | value)};
  text.push_back(static_cast<char>(first | most));
  for (value -= most; value >= 128; value /= 128) text.push_back(static_cast<char>(value % 128 + 128));
  text.push_back(static_cast<char>(value));
  return text;
}
inline std::string hpack(const Pairs& fields, unsigned prefix = 0) {
  std::string block;
  for (const auto& [name, value] : fields)
    block +=
        static_cast<char>(prefix) + hpack_integer(name.size(), 7, 0) + name + hpack_integer(value.size(), 7, 0) + value;
  return block;
}

inline Pairs get_fields() {
  return {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "example.test"}};
}
inline Pairs connect_fields(std::string authority = "target.test:443") {
  return {{":method", "CONNECT"}, {":authority", std::move(authority)}};
}

}  // namespace tunnel::test
