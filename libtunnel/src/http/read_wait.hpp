// SPDX-License-Identifier: Apache-2.0
// ReadWait: a wait for a stream to become readable that a deadline or its owner may cut short. After such a cut the
// stream still knows the slot, so it belongs into an object that outlives the waiting, and before it is destroyed
// either the stream's wake-up or abort() must have come, then settle().
#pragma once
#include <optional>

#include "base/context.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::http {

class ReadWait {
 public:
  explicit ReadWait(Stream& stream);
  ReadWait(const ReadWait&) = delete;
  ReadWait& operator=(const ReadWait&) = delete;

  // co_await wait(deadline): resumes when the stream may be read, at the deadline, or at an interrupt().
  auto wait(TimePoint deadline) {
    struct Awaiter {
      ReadWait& self;
      TimePoint deadline;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> caller) const { self.park(caller, deadline); }
      void await_resume() const noexcept { self.resumed(); }
    };
    return Awaiter{*this, deadline};
  }
  // Ends a wait; nothing if there is none.
  void interrupt() noexcept {
    if (!waiting_) return;
    cut_ = true;
    loop_.post(slot_);
  }
  bool waiting() const { return waiting_; }
  // The last wait was cut short, so the stream may still know the slot.
  bool cut() const { return cut_; }
  // Posts `target` when the stream may be read, unless release() comes first; instead of a wait().
  void forward(Slot& target);
  // Posts the target of forward() now, if it still waits, and forgets it.
  void release() noexcept;
  // Waits until no wake-up of an abandoned wait is on its way. The stream may be gone already.
  Task<void> settle();

 private:
  Task<void> pass_on();
  void park(std::coroutine_handle<> caller, TimePoint deadline);
  void resumed() noexcept;

  Loop& loop_;
  Stream& stream_;
  Slot slot_;
  Timer timer_;
  std::optional<Task<void>> forwarder_;  // once forward() was used
  Slot* target_ = nullptr;
  bool waiting_ = false;
  bool cut_ = false;
};

// Ends a connection so that what we sent last arrives: shutdown_write(), then reads and discards until the peer's end,
// up to limits.linger_bytes or linger_time (Counter::linger_cut), when it is flushed and aborted. A plain close with
// unread bytes would reset our answer away. Returns with no call pending. Failures end it early.
Task<void> close_in_order(const Context& context, Stream& stream, ReadWait& wait);

}  // namespace tunnel::http
