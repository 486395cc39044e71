// SPDX-License-Identifier: Apache-2.0
// Peer: the test's end of a connection, with a reader that runs by itself and notes what came. Owns its stream; ends
// what is pending on it when destroyed. Bytes it sends are the pattern (support/pattern.hpp) unless said otherwise.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "support/pattern.hpp"
#include "support/sim_loop.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::test {

class Peer {
 public:
  // `reading` false: takes nothing until read_on().
  Peer(SimLoop& loop, StreamPtr stream, bool reading = true);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  // Aborts a stream that is not finished.
  ~Peer();

  // Starts or goes on reading: until an end, a failure, or `limit` bytes in all.
  void read_on(std::uint64_t limit = UINT64_MAX);
  // The next `bytes` of the pattern; the loop must run for them to leave.
  Started<Result<void>> send(std::uint64_t bytes);
  Started<Result<void>> send_text(std::string text);
  // FIN, behind what was sent.
  Started<Result<void>> fin();
  Started<Result<void>> send_and_fin(std::uint64_t bytes);
  // RST.
  void reset() { stream_->abort(Error(Error::Kind::reset, "the peer resets")); }

  const std::string& received() const { return received_; }
  // What came is exactly the first received().size() bytes of the pattern.
  bool pattern_intact() const;
  bool ended() const { return ended_; }
  bool failed() const { return failed_; }
  const Error& error() const { return error_; }
  // "end", "reset" or "open".
  std::string_view fate() const { return ended_ ? "end" : failed_ ? "reset" : "open"; }
  std::uint64_t sent() const { return sent_; }
  Stream& stream() { return *stream_; }

 private:
  Task<void> read_loop();
  SimLoop& loop_;
  StreamPtr stream_;
  std::string received_;
  std::uint64_t limit_ = 0;
  bool reading_ = false;
  bool ended_ = false;
  bool failed_ = false;
  Error error_;
  std::uint64_t sent_ = 0;
  int writing_ = 0;
};

// "WHO BYTES FATE": what `peer` has received, as scenarios compare it.
std::string saw(const char* who, const Peer& peer);

}  // namespace tunnel::test
