// SPDX-License-Identifier: Apache-2.0
#include "http/h2_probe.hpp"

#include <algorithm>

namespace tunnel::h2 {

Probe::Probe(const Context& context, Owner& owner, Duration interval)
    : context_(context),
      owner_(owner),
      interval_(interval),
      timer_(context.loop, [](void* self) noexcept { static_cast<Probe*>(self)->look(); }, this) {}

void Probe::request_sent() noexcept {
  const bool was_silent = last_heard_ != kNever && context_.loop.now() - last_heard_ > context_.limits.pool_ping_after;
  bytes_sent();
  if (was_silent && !asking() && !stopped_) ask();
}

void Probe::bytes_sent() noexcept {
  if (unanswered_since_ != kNever || stopped_) return;
  unanswered_since_ = context_.loop.now();
  rearm();
}

void Probe::heard() noexcept {
  last_heard_ = context_.loop.now();
  unanswered_since_ = asked_at_ = kNever;
  doubtful_ = false;
  if (!timer_.armed() && !stopped_) rearm();
}

void Probe::stop() noexcept {
  stopped_ = true;
  timer_.disarm();
}

bool Probe::silent_since(TimePoint since) const {
  return asking() && last_heard_ <= since && context_.loop.now() - asked_at_ >= context_.limits.pool_ping_wait;
}

TimePoint Probe::due() const {
  if (last_heard_ == kNever || doubtful_) return kNever;
  if (asking()) return asked_at_ + context_.limits.pool_ping_wait;
  TimePoint when = interval_ > Duration::zero() ? last_heard_ + interval_ : kNever;
  if (unanswered_since_ != kNever) when = std::min(when, unanswered_since_ + context_.limits.pool_ping_wait / 4);
  return when;
}

void Probe::look() noexcept {
  const TimePoint when = due();
  if (when > context_.loop.now()) {
    if (when != kNever) timer_.arm(when);
  } else if (asking()) {
    doubtful_ = true;
    owner_.no_answer();
  } else {
    ask();
  }
}

void Probe::ask() noexcept {
  asked_at_ = context_.loop.now();
  timer_.arm(asked_at_ + context_.limits.pool_ping_wait);
  owner_.send_ping();
}

}  // namespace tunnel::h2
