// SPDX-License-Identifier: Apache-2.0
#include "stream/flow.hpp"

#include <algorithm>

namespace tunnel {

Flow::Flow(const Context& context, const FlowTimeouts& timeouts, Expired expired, void* expired_context)
    : context_(context),
      timeouts_(timeouts),
      expired_(expired),
      expired_context_(expired_context),
      last_move_(context.loop.now()),
      timer_(context.loop, [](void* self) noexcept { static_cast<Flow*>(self)->look(); }, this) {
  rearm();
}

void Flow::rearm() {
  if (!stopped_) timer_.arm_at_latest(next_due().when);
}

void Flow::ended(Direction direction) {
  Way& way = ways_[static_cast<std::size_t>(direction)];
  if (way.ended) return;
  way.ended = true;
  way.blocked = false;
  last_move_ = context_.loop.now();
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
  Due due{last_move_ + timeouts_.idle, Counter::idle_timeouts, "idle for too long"};
  if (half_closed && timeouts_.half_close < timeouts_.idle)
    due = Due{last_move_ + timeouts_.half_close, Counter::half_close_timeouts, "half-closed and idle for too long"};
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
  const Due due = next_due();
  if (due.when > context_.loop.now()) {
    timer_.arm(due.when);
    return;
  }
  if (!fired_) context_.counters.add(due.counter);
  fired_ = true;
  expired_(expired_context_, Error(Error::Kind::timeout, due.text));
}

}  // namespace tunnel
