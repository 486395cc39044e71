// SPDX-License-Identifier: Apache-2.0
#include "http/read_wait.hpp"

#include <utility>

namespace tunnel::http {
namespace {

constexpr std::size_t kDiscardBytes = 16384;

}  // namespace

ReadWait::ReadWait(Stream& stream)
    : loop_(stream.loop()),
      stream_(stream),
      timer_(loop_, [](void* self) noexcept { static_cast<ReadWait*>(self)->interrupt(); }, this) {
  slot_.handle = std::noop_coroutine();
}

void ReadWait::park(std::coroutine_handle<> caller, TimePoint deadline) {
  slot_.handle = caller;
  waiting_ = true;
  cut_ = false;
  if (deadline != TimePoint::max()) timer_.arm(deadline);
  // Registered again even if an earlier, cut wait still is: it is the same slot.
  stream_.on_readable(slot_);
}

void ReadWait::resumed() noexcept {
  timer_.disarm();
  waiting_ = false;
  // The stream may fire it once more after a cut: into nothing.
  slot_.handle = std::noop_coroutine();
}

// A Slot resumes a coroutine; this one resumes nothing but posts another Slot, and is ready for the next time.
Task<void> ReadWait::pass_on() {
  for (;;) {
    co_await std::suspend_always();
    release();
  }
}

void ReadWait::forward(Slot& target) {
  if (!forwarder_) {
    forwarder_.emplace(pass_on());
    forwarder_->handle().resume();
  }
  target_ = &target;
  slot_.handle = forwarder_->handle();
  stream_.on_readable(slot_);
}

void ReadWait::release() noexcept {
  if (Slot* target = std::exchange(target_, nullptr)) loop_.post(*target);
}

Task<void> ReadWait::settle() {
  while (slot_.queued()) co_await yield(loop_);
}

Task<void> close_in_order(const Context& context, Stream& stream, ReadWait& wait) {
  Task<Result<void>> finishing = stream.shutdown_write();
  Result<void> finished = co_await finishing;
  const TimePoint deadline = context.loop.now() + context.limits.linger_time;
  std::uint64_t discarded = 0;
  Buffer dropped;
  while (finished.ok()) {
    const Io io = stream.try_read(dropped, kDiscardBytes);
    dropped.clear();
    if (io.state == Io::State::ended || io.state == Io::State::failed) break;
    discarded += io.bytes;
    const bool late = context.loop.now() >= deadline;
    if (late || discarded > context.limits.linger_bytes) {
      context.counters.add(Counter::linger_cut);
      Task<Result<void>> flushing = stream.flush(context.loop.now() + context.limits.linger_time);
      (void)(co_await flushing).ok();
      stream.abort(Error(Error::Kind::closed, late ? "the peer did not close in time" : "the peer kept sending"));
      break;
    }
    if (io.state == Io::State::would_block) co_await wait.wait(deadline);
  }
  if (!finished.ok()) stream.abort(finished.error());
  Task<void> settling = wait.settle();
  co_await settling;
}

}  // namespace tunnel::http
