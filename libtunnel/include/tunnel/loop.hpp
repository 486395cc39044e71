// SPDX-License-Identifier: Apache-2.0
// Loop: one seam for time, wake-ups and order. A worker has one; streams, timers and coroutines of that worker know no
// other thread. Nothing here allocates once a timer heap has grown: wake-ups and timers are intrusive. EpollLoop drives
// it with epoll; test/support has SimLoop, whose clock is moved by hand and whose order is permuted by a seed.
#pragma once
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <vector>

namespace tunnel {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

// Something to be run by a loop, once a post(). Lives in its owner; must not be destroyed while queued.
class Waiter {
 public:
  using Fire = void (*)(Waiter&) noexcept;
  explicit Waiter(Fire fire) : fire_(fire) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter();
  bool queued() const { return queued_; }

 private:
  friend class Loop;
  Fire fire_;
  Waiter* next_ = nullptr;
  bool queued_ = false;
};

// A Waiter that resumes the coroutine suspended on it. Streams keep a pointer to it while it waits.
class Slot : public Waiter {
 public:
  Slot() : Waiter(&Slot::fire) {}
  std::coroutine_handle<> handle;

 private:
  static void fire(Waiter& self) noexcept { static_cast<Slot&>(self).handle.resume(); }
};

class Loop;

// Calls back once, from the loop, at or after a point in time. Cheap to arm and disarm; destroying it disarms it.
class Timer {
 public:
  using Fire = void (*)(void* context) noexcept;
  Timer(Loop& loop, Fire fire, void* context) : loop_(loop), fire_(fire), context_(context) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  void arm(TimePoint when);            // replaces an earlier arming
  void arm_at_latest(TimePoint when);  // moves it forward only
  void arm_after(Duration delay);
  void disarm();
  bool armed() const { return index_ != kIdle; }
  TimePoint when() const { return when_; }

 private:
  friend class Loop;
  static constexpr std::size_t kIdle = static_cast<std::size_t>(-1);
  Loop& loop_;
  Fire fire_;
  void* context_;
  TimePoint when_{};
  std::size_t index_ = kIdle;
};

class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  virtual ~Loop() = default;

  // Runs `waiter` in a later step of this loop, never inline. Posting a queued one changes nothing.
  void post(Waiter& waiter) noexcept;
  // The time at the start of this step; coarse on purpose, so that asking costs nothing.
  TimePoint now() const { return now_; }

 protected:
  virtual void wake() noexcept = 0;  // called when the ready queue was empty and is not any more
  // Pops one ready waiter and runs it; false if there was none.
  bool run_one_ready();
  // Takes the n-th ready waiter (0 is the oldest) instead.
  bool run_nth_ready(std::size_t n);
  std::size_t ready_count() const { return ready_count_; }
  // Fires every timer due at now(); returns how many.
  std::size_t fire_due_timers();
  bool has_timer() const { return !heap_.empty(); }
  TimePoint earliest() const { return heap_.front()->when_; }
  void set_now(TimePoint when) { now_ = when; }

 private:
  friend class Timer;
  void heap_place(std::size_t index, Timer* timer);
  void heap_up(std::size_t index);
  void heap_down(std::size_t index);
  void add(Timer& timer);
  void remove(Timer& timer);

  TimePoint now_ = Clock::now();
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
  std::size_t ready_count_ = 0;
  std::vector<Timer*> heap_;
};

// co_await yield(loop): lets everything else that is ready run first.
class Yield {
 public:
  explicit Yield(Loop& loop) : loop_(loop) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) noexcept {
    slot_.handle = caller;
    loop_.post(slot_);
  }
  void await_resume() const noexcept {}

 private:
  Loop& loop_;
  Slot slot_;
};
inline Yield yield(Loop& loop) { return Yield(loop); }

// A flag one coroutine waits for and anybody sets: set() before wait() is not lost. wait() takes the flag back.
class Notify {
 public:
  explicit Notify(Loop& loop) : loop_(loop) {}
  void set() noexcept {
    set_ = true;
    if (waiting_) {
      waiting_ = false;
      loop_.post(slot_);
    }
  }
  bool is_set() const { return set_; }
  auto wait() noexcept {
    struct Awaiter {
      Notify& notify;
      bool await_ready() const noexcept { return notify.set_; }
      void await_suspend(std::coroutine_handle<> caller) const noexcept {
        notify.slot_.handle = caller;
        notify.waiting_ = true;
      }
      void await_resume() const noexcept { notify.set_ = false; }
    };
    return Awaiter{*this};
  }
  Loop& loop() const { return loop_; }

 private:
  Loop& loop_;
  Slot slot_;
  bool set_ = false;
  bool waiting_ = false;
};

// co_await Sleep(loop, when): cannot be cut short; for short, bounded pauses only.
class Sleep {
 public:
  Sleep(Loop& loop, TimePoint when) : loop_(loop), timer_(loop, &Sleep::fire, this), when_(when) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) noexcept {
    slot_.handle = caller;
    timer_.arm(when_);
  }
  void await_resume() const noexcept {}

 private:
  static void fire(void* self) noexcept {
    auto* sleep = static_cast<Sleep*>(self);
    sleep->loop_.post(sleep->slot_);
  }
  Loop& loop_;
  Slot slot_;
  Timer timer_;
  TimePoint when_;
};

}  // namespace tunnel
