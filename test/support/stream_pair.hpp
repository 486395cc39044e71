// SPDX-License-Identifier: Apache-2.0
// What the contract suite and other tests of "any byte stream" need of one: two connected Streams and a loop that runs
// while a test's coroutine does. A new kind of stream joins the suite by one function that makes such a pair.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/context.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel::test {

class StreamPair {
 public:
  virtual ~StreamPair() = default;
  // Runs the loop until `task` has ended; false if it has not after a long while (of virtual or real time). Exceptions
  // of the task leave through it.
  virtual bool run(Task<void> task) = 0;
  virtual Loop& loop() = 0;
  // Everything the streams stood on has ended once both are destroyed: called last.
  virtual bool clean() = 0;

  StreamPtr a;
  StreamPtr b;
};

// What a kind of stream cannot know or promise.
struct StreamTraits {
  std::string name;
  std::function<std::unique_ptr<StreamPair>(std::uint64_t seed)> make;
  bool tells_reset = true;          // the observer is told of a reset without a call pending
  bool tells_close = true;          // the observer is told of a full close too
  bool tells_cut = true;            // an abort that leaves nothing unread is told from an end
  bool exact_high_mark = true;      // a writer waits after `high_mark` bytes, not some megabytes later
  bool unread_close_resets = true;  // closing with bytes unread resets even an end that was sent before
  bool late_bytes_reset = false;    // bytes sent to a peer that has closed, and cannot say so, may reset its end away
  std::size_t high_mark = 65536;
};
inline void PrintTo(const StreamTraits& traits, std::ostream* out) { *out << traits.name; }

// Two user-space sockets on a SimLoop, plain or made ragged.
std::unique_ptr<StreamPair> make_simulated_pair(std::uint64_t seed, std::size_t high_mark, bool ragged);
// The two exchanges of a CONNECT answered with 200, over a user-space pair on a SimLoop.
enum class HttpVersion : std::uint8_t { h1, h2 };
std::unique_ptr<StreamPair> make_tunnel_pair(std::uint64_t seed, HttpVersion version);
// Two ends of a TCP connection over loopback on an EpollLoop.
std::unique_ptr<StreamPair> make_tcp_pair();
// Two unix sockets connected to each other, on an EpollLoop.
std::unique_ptr<StreamPair> make_local_pair();
// Two StdioStreams on an EpollLoop, with a one-way connection each way.
enum class OneWay : std::uint8_t { pipe, socket };
std::unique_ptr<StreamPair> make_stdio_pair(OneWay way);

}  // namespace tunnel::test
