// SPDX-License-Identifier: Apache-2.0
#include "tunnel/loop.hpp"

#include <cassert>

namespace tunnel {

Waiter::~Waiter() { assert(!queued_ && "a waiter was destroyed while it waited to run"); }

void Loop::post(Waiter& waiter) noexcept {
  if (waiter.queued_) return;
  waiter.queued_ = true;
  waiter.next_ = nullptr;
  const bool was_empty = head_ == nullptr;
  (was_empty ? head_ : tail_->next_) = &waiter;
  tail_ = &waiter;
  ++ready_count_;
  if (was_empty) wake();
}

bool Loop::run_one_ready() { return run_nth_ready(0); }

bool Loop::run_nth_ready(std::size_t n) {
  if (n >= ready_count_) return false;
  Waiter* before = nullptr;
  Waiter* waiter = head_;
  for (; n > 0; --n) {
    before = waiter;
    waiter = waiter->next_;
  }
  (before == nullptr ? head_ : before->next_) = waiter->next_;
  if (tail_ == waiter) tail_ = before;
  --ready_count_;
  waiter->next_ = nullptr;
  waiter->queued_ = false;
  waiter->fire_(*waiter);
  return true;
}

std::size_t Loop::fire_due_timers() {
  std::size_t fired = 0;
  while (!heap_.empty() && heap_.front()->when_ <= now_) {
    Timer* timer = heap_.front();
    remove(*timer);
    timer->fire_(timer->context_);
    ++fired;
  }
  return fired;
}

void Loop::heap_place(std::size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

void Loop::heap_up(std::size_t index) {
  Timer* timer = heap_[index];
  while (index > 0 && timer->when_ < heap_[(index - 1) / 2]->when_) {
    heap_place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  heap_place(index, timer);
}

void Loop::heap_down(std::size_t index) {
  Timer* timer = heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
    if (heap_[child]->when_ >= timer->when_) break;
    heap_place(index, heap_[child]);
    index = child;
  }
  heap_place(index, timer);
}

void Loop::add(Timer& timer) {
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  heap_up(timer.index_);
}

void Loop::remove(Timer& timer) {
  const std::size_t index = timer.index_;
  timer.index_ = Timer::kIdle;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  heap_place(index, last);
  heap_down(index);
  heap_up(last->index_);
}

void Timer::arm(TimePoint when) {
  disarm();
  when_ = when;
  loop_.add(*this);
}

void Timer::arm_at_latest(TimePoint when) {
  if (!armed() || when < when_) arm(when);
}

void Timer::arm_after(Duration delay) { arm(loop_.now() + delay); }

void Timer::disarm() {
  if (armed()) loop_.remove(*this);
}

}  // namespace tunnel
