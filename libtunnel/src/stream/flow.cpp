// SPDX-License-Identifier: Apache-2.0
#include "stream/flow.hpp"

#include <algorithm>

namespace tunnel {

Error response_timeout() {
  Error error(Error::Kind::timeout, "the response took longer than the timeout of its route");
  error.reset_code = 2;  // INTERNAL_ERROR, as in Envoy: no connection was lost, nor has anybody given up
  return error.with(504, kResponseTimeout);
}

Flow::Flow(const Context& context, const FlowTimeouts& timeouts, Expired expired, void* expired_context,
           Traffic* traffic)
    : context_(context),
      timeouts_(timeouts),
      expired_(expired),
      expired_context_(expired_context),
      traffic_(traffic),
      begun_(context.loop.now()),
      last_move_(begun_),
      timer_(context.loop, [](void* self) noexcept { static_cast<Flow*>(self)->look(); }, this) {
  rearm();
}

void Flow::rearm() {
  const TimePoint due = std::min(next_due().when, silence_due_);
  if (!stopped_ && due != TimePoint::max()) timer_.arm_at_latest(due);
}

void Flow::on_silence(Silent call, void* context) {
  silent_ = call;
  silent_context_ = context;
  if (timeouts_.silence == Duration::zero()) return;
  silence_due_ = begun_ + timeouts_.silence;
  rearm();
}

Duration Flow::stalled(Direction direction) const {
  const Way& way = ways_[static_cast<std::size_t>(direction)];
  return way.blocked ? way.stalled + (context_.loop.now() - way.blocked_since) : way.stalled;
}

void Flow::ended(Direction direction) {
  Way& way = ways_[static_cast<std::size_t>(direction)];
  if (way.ended) return;
  unblocked(direction);
  way.ended = true;
  last_move_ = context_.loop.now();
  if (direction == Direction::down)
    response_due_ = TimePoint::max();
  else if (timeouts_.response > Duration::zero() && !has_ended(Direction::down))
    response_due_ = last_move_ + timeouts_.response;
  rearm();
}

void Flow::blocked(Direction direction) {
  Way& way = ways_[static_cast<std::size_t>(direction)];
  if (way.blocked) return;
  way.blocked = true;
  way.blocked_since = context_.loop.now();
  rearm();
}

void Flow::unblocked(Direction direction) {
  Way& way = ways_[static_cast<std::size_t>(direction)];
  if (!way.blocked) return;
  way.blocked = false;
  way.stalled += context_.loop.now() - way.blocked_since;
  last_move_ = context_.loop.now();  // a slow receiver is no idle one
}

void Flow::source_reset(Direction direction) {
  Way& way = ways_[static_cast<std::size_t>(direction)];
  way.reset = true;
  way.reset_at = context_.loop.now();
  rearm();
}

Flow::Due Flow::next_due() const {
  const bool half_closed = ways_[0].ended != ways_[1].ended;
  Due due{TimePoint::max(), Counter::idle_timeouts, "idle for too long"};
  if (timeouts_.idle > Duration::zero()) due.when = last_move_ + timeouts_.idle;
  if (half_closed && timeouts_.half_close > Duration::zero() && last_move_ + timeouts_.half_close < due.when)
    due = Due{last_move_ + timeouts_.half_close, Counter::half_close_timeouts, "half-closed and idle for too long"};
  if (response_due_ < due.when) due = Due{response_due_, Counter::response_timeouts, ""};
  for (const Way& way : ways_) {
    if (!way.blocked) continue;
    const TimePoint stalled = way.blocked_since + context_.limits.write_time;
    if (stalled < due.when) due = Due{stalled, Counter::write_timeouts, "the receiver took no bytes for too long"};
    const TimePoint reset = std::max(way.reset_at, way.blocked_since) + timeouts_.reset_flush;
    if (way.reset && reset < due.when)
      due = Due{reset, Counter::write_timeouts, "the sender is gone and the receiver takes no bytes"};
  }
  return due;
}

void Flow::look() noexcept {
  if (silence_due_ <= context_.loop.now()) {
    silence_due_ = TimePoint::max();
    if (bytes(Direction::up) > 0 && bytes(Direction::down) == 0) silent_(silent_context_);
  }
  const Due due = next_due();
  if (due.when > context_.loop.now()) {
    if (const TimePoint next = std::min(due.when, silence_due_); next != TimePoint::max()) timer_.arm(next);
    return;
  }
  if (!fired_) context_.counters.add(due.counter);
  fired_ = true;
  const bool unanswered = due.counter == Counter::response_timeouts;
  expired_(expired_context_, unanswered ? response_timeout() : Error(Error::Kind::timeout, due.text));
}

}  // namespace tunnel
