// SPDX-License-Identifier: Apache-2.0
#include "support/pattern.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>

namespace tunnel::test {

char pattern_byte(std::uint64_t position) {
  // Every 8-byte word is a mix of its number: no period a stream could slip by.
  std::uint64_t word = (position / 8 + 1) * 0x9e3779b97f4a7c15U;
  word ^= word >> 29;
  word *= 0xbf58476d1ce4e5b9U;
  return static_cast<char>(word >> (8 * (position % 8)));
}

std::string pattern(std::uint64_t from, std::size_t length) {
  std::string bytes(length, '\0');
  for (std::size_t i = 0; i < length; ++i) bytes[i] = pattern_byte(from + i);
  return bytes;
}

void PatternCheck::add(std::string_view bytes) {
  for (const char byte : bytes)
    if (byte != pattern_byte(position_++)) intact_ = false;
}

void PatternCheck::add(const Buffer& bytes) { add(std::string_view(bytes.to_string())); }

Task<Result<void>> send_pattern(Stream& to, std::uint64_t total, std::size_t piece) {
  for (std::uint64_t sent = 0; sent < total;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(piece, total - sent));
    Buffer buffer(pattern(sent, n));
    Result<void> written = co_await to.write(buffer);
    if (!written.ok()) co_return written.error();
    sent += n;
  }
  co_return Result<void>();
}

Task<Received> read_all(Stream& from, std::size_t max) {
  Received received;
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await from.read(buffer, max);
    received.bytes += buffer.to_string();
    buffer.clear();
    if (!n.ok()) received.error = n.error();
    if (n.ok() && *n == 0) received.ended = true;
    if (!n.ok() || *n == 0) break;
  }
  co_return received;
}

Task<PatternReceived> receive_pattern(Stream& from, std::size_t max) {
  PatternReceived received;
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await from.read(buffer, max);
    received.check.add(buffer);
    buffer.clear();
    if (!n.ok()) received.error = n.error();
    if (n.ok() && *n == 0) received.ended = true;
    if (!n.ok() || *n == 0) break;
  }
  co_return received;
}

Task<Result<void>> send(Stream& to, std::string text) {
  Buffer buffer(text);
  Result<void> written = co_await to.write(buffer);
  co_return written;
}

Task<Received> read_exactly(Stream& from, std::size_t length) {
  Received received;
  Buffer buffer;
  while (received.bytes.size() < length) {
    Result<std::size_t> n = co_await from.read(buffer, length - received.bytes.size());
    received.bytes += buffer.to_string();
    buffer.clear();
    if (!n.ok()) received.error = n.error();
    if (n.ok() && *n == 0) received.ended = true;
    if (!n.ok() || *n == 0) break;
  }
  co_return received;
}

}  // namespace tunnel::test
