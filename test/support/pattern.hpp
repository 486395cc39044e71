// SPDX-License-Identifier: Apache-2.0
// Bytes that tell where they belong: byte i of a pattern is a function of i, so that a loss, a repetition or a swap
// anywhere in a stream shows, without keeping what was sent.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tunnel/buffer.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel::test {

char pattern_byte(std::uint64_t position);
std::string pattern(std::uint64_t from, std::size_t length);

// Checks bytes as they come.
class PatternCheck {
 public:
  void add(std::string_view bytes);
  void add(const Buffer& bytes);
  std::uint64_t bytes() const { return position_; }
  bool intact() const { return intact_; }

 private:
  std::uint64_t position_ = 0;
  bool intact_ = true;
};

// Writes `total` bytes of the pattern, `piece` at a time; stops at a failure and returns it.
Task<Result<void>> send_pattern(Stream& to, std::uint64_t total, std::size_t piece = 16384);

// How reading a stream to its end went.
struct Received {
  std::string bytes;
  bool ended = false;  // by an end; else by `error`
  Error error;
};
Task<Received> read_all(Stream& from, std::size_t max = 65536);

struct PatternReceived {
  PatternCheck check;
  bool ended = false;
  Error error;
};
Task<PatternReceived> receive_pattern(Stream& from, std::size_t max = 65536);

// Writes the text; a Buffer made for the purpose.
Task<Result<void>> send(Stream& to, std::string text);
// Reads exactly `length` bytes, or what came before an end or a failure.
Task<Received> read_exactly(Stream& from, std::size_t length);

}  // namespace tunnel::test
