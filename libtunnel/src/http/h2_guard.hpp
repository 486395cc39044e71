// SPDX-License-Identifier: Apache-2.0
// Guard: counts what a peer makes an HTTP/2 connection do and says when it is too much: rapid resets (CVE-2023-44487),
// resets it provokes (CVE-2025-8671), CONTINUATION (CVE-2024-28182), control and empty frames (CVE-2019-9511 to 9518).
// Knows numbers only: no nghttp2, no bytes. A verdict other than `fine` has been added to its counter; the connection
// ends with GOAWAY(ENHANCE_YOUR_CALM). The numbers are those of limits.hpp and, for PRIORITY and WINDOW_UPDATE,
// Envoy's.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/context.hpp"

namespace tunnel::h2 {

enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
};

class Guard {
 public:
  enum class Verdict : std::uint8_t { fine, rapid_reset, own_resets, continuations, flood, empty_frames, huge_head };

  explicit Guard(const Context& context);

  // A frame begins; `ends_stream` is its END_STREAM flag.
  Verdict frame(FrameType type, std::size_t length, bool ends_stream);
  void stream_opened() { ++opened_streams_; }
  void data_sent(std::size_t bytes) { data_units_ += 1 + bytes / 16384; }
  // The peer reset a stream before we had answered.
  Verdict reset_before_answer();
  // We reset a stream because of what the peer's frames were.
  Verdict reset_provoked();
  // What waits for a peer that does not read.
  Verdict outbound(std::size_t control_frames, std::size_t frames);

  static const char* text(Verdict verdict);

 private:
  Verdict hit(Verdict verdict, Counter counter) {
    context_.counters.add(counter);
    return verdict;
  }

  Context context_;
  std::uint64_t opened_streams_ = 0;
  std::uint64_t data_units_ = 0;  // DATA sent, in frames of at most 16 KiB
  std::uint64_t priorities_ = 0;
  std::uint64_t window_updates_ = 0;
  std::uint64_t head_frames_ = 0;  // CONTINUATION frames of the head being received
  std::size_t head_bytes_ = 0;     // its compressed size
  unsigned empty_frames_ = 0;      // in a row
  double reset_tokens_;
  TimePoint reset_filled_;
  std::uint64_t own_resets_ = 0;
  TimePoint own_resets_since_;
};

// How many frames stand in an output that may never be empty: an upper bound, exact to one filling of it.
class PendingFrames {
 public:
  void add(bool control) {
    ++newer_.frames;
    newer_.control += control ? 1 : 0;
  }
  // `position` bytes were written so far, of `end` that were queued.
  void written(std::uint64_t position, std::uint64_t end) {
    if (position < turn_) return;
    older_ = position == end ? Count() : newer_;
    newer_ = Count();
    turn_ = end;
  }
  std::size_t frames() const { return older_.frames + newer_.frames; }
  std::size_t control() const { return older_.control + newer_.control; }

 private:
  struct Count {
    std::size_t frames = 0;
    std::size_t control = 0;
  };
  Count older_;
  Count newer_;
  std::uint64_t turn_ = 0;  // behind the last byte of the older ones
};

}  // namespace tunnel::h2
