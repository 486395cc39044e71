// SPDX-License-Identifier: Apache-2.0
// FlushWait: co_await one in Stream::flush() until the stream may have got on or the deadline has come; then look
// again. Lives in the frame of the flush; the stream has a pointer to it as long as it waits, to finish() it.
#pragma once
#include <cassert>
#include <coroutine>

#include "tunnel/loop.hpp"

namespace tunnel {

class FlushWait {
 public:
  // `waiting` is the stream's pointer to whoever flushes: nullptr but while this one waits.
  FlushWait(Loop& loop, FlushWait*& waiting, TimePoint deadline)
      : loop_(loop),
        waiting_(waiting),
        timer_(
            loop, [](void* self) noexcept { static_cast<FlushWait*>(self)->finish(); }, this),
        deadline_(deadline) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    assert(waiting_ == nullptr && "a second flush is pending");
    slot_.handle = caller;
    waiting_ = this;
    timer_.arm(deadline_);
  }
  void await_resume() const noexcept {}
  void finish() noexcept {
    waiting_ = nullptr;
    timer_.disarm();
    loop_.post(slot_);
  }

 private:
  Loop& loop_;
  FlushWait*& waiting_;
  Slot slot_;
  Timer timer_;
  TimePoint deadline_;
};

}  // namespace tunnel
