// SPDX-License-Identifier: Apache-2.0
#include "http/h1_outbox.hpp"

#include <utility>

namespace tunnel::h1 {

Outbox::Outbox(Stream& transport) : transport_(transport), kick_(*this) {}

void Outbox::cork() {
  if (buffer_.size() > kCorkBytes)
    push();
  else
    transport_.loop().post(kick_);
}

bool Outbox::push() {
  while (!buffer_.empty()) {
    const Io io = transport_.try_write(buffer_, More::no);
    if (io.state == Io::State::done) continue;
    if (io.state == Io::State::would_block) {
      if (!writing_) spawn(write_later());
      return false;
    }
    failed_ = true;
    buffer_.clear();
  }
  return true;
}

Task<void> Outbox::write_later() {
  writing_ = true;
  while (!buffer_.empty()) {
    co_await Writable(transport_);
    push();
  }
  writing_ = false;
  wake();
}

void Outbox::wake() noexcept {
  if (Slot* slot = std::exchange(waiting_, nullptr)) transport_.loop().post(*slot);
}

void Outbox::on_writable(Slot& slot) {
  if (writing_)
    waiting_ = &slot;
  else
    transport_.on_writable(slot);
}

struct Outbox::DrainWait {
  DrainWait(Outbox& of, TimePoint until)
      : outbox(of),
        timer(
            of.transport_.loop(), [](void* self) noexcept { static_cast<DrainWait*>(self)->outbox.wake(); }, this),
        deadline(until) {}
  bool await_ready() const noexcept { return !outbox.writing_; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot.handle = caller;
    outbox.waiting_ = &slot;
    if (deadline != TimePoint::max()) timer.arm(deadline);
  }
  void await_resume() noexcept { timer.disarm(); }
  Outbox& outbox;
  Slot slot;
  Timer timer;
  TimePoint deadline;
};

Task<Result<void>> Outbox::drain(TimePoint deadline) {
  while (!push()) {
    if (transport_.loop().now() >= deadline)
      co_return Error(Error::Kind::timeout, "bytes could not be flushed in time");
    DrainWait wait(*this, deadline);
    co_await wait;
  }
  if (failed_) co_return transport_.error();
  co_return Result<void>();
}

Task<void> Outbox::settle() {
  while (writing_) {
    DrainWait wait(*this, TimePoint::max());
    co_await wait;
  }
  while (kick_.queued()) co_await yield(transport_.loop());
}

}  // namespace tunnel::h1
