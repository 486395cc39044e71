// SPDX-License-Identifier: Apache-2.0
// SimLoop: a Loop whose clock is moved by hand and whose order is permuted by a seed, so that a test is exactly
// repeatable and a timeout of an hour takes no time. SimWorld is what a worker would have around it. Not for threads.
#pragma once
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "base/context.hpp"
#include "tunnel/task.hpp"

namespace tunnel::test {

// A task that was started and may not have ended yet. Copies share it. An exception of the task leaves through value().
template <class T>
class Started {
 public:
  struct State {
    bool done = false;
    std::exception_ptr exception;
    std::optional<std::conditional_t<std::is_void_v<T>, char, T>> value;
  };
  explicit Started(std::shared_ptr<State> state) : state_(std::move(state)) {}
  bool done() const { return state_->done; }
  // What the task returned, moved out; requires done().
  T value() {
    if (!state_->done) throw std::logic_error("the task has not completed");
    if (state_->exception) std::rethrow_exception(state_->exception);
    if constexpr (!std::is_void_v<T>) return std::move(*state_->value);
  }

 private:
  std::shared_ptr<State> state_;
};

namespace detail {
template <class T>
Task<void> record(Task<T> task, std::shared_ptr<typename Started<T>::State> state, std::function<void()> then) {
  try {
    if constexpr (std::is_void_v<T>)
      co_await task;
    else
      state->value.emplace(co_await task);
  } catch (...) {
    state->exception = std::current_exception();
  }
  state->done = true;
  if (then) then();
}
}  // namespace detail

// Starts a task now, on whatever loop its streams belong to; `then` is called when it has ended.
template <class T>
Started<T> start(Task<T> task, std::function<void()> then = {}) {
  auto state = std::make_shared<typename Started<T>::State>();
  spawn(detail::record<T>(std::move(task), state, std::move(then)));
  return Started<T>(state);
}

class SimLoop final : public Loop {
 public:
  // Seed 0 keeps the order of posting; any other permutes what is ready.
  explicit SimLoop(std::uint64_t seed = 0);

  // Runs everything that is ready until nothing is; the clock stands still. Returns how many waiters ran; throws after
  // kMostSteps, which only a loop that never rests reaches.
  std::size_t run();
  // Runs one ready waiter; false if there is none.
  bool step();
  // Moves the clock from timer to timer up to now() + by, running what becomes ready at each.
  void advance(Duration by);
  // Runs, moving the clock where nothing is ready, until `wanted()` holds; false if it does not within `limit`.
  bool run_until(const std::function<bool()>& wanted, Duration limit = std::chrono::hours(24));
  bool idle() const { return ready_count() == 0; }
  bool has_timers() const { return has_timer(); }
  std::size_t wakes() const { return wakes_; }

  // Runs the task to its end without moving the clock and gives its value; throws if it did not end.
  template <class T>
  T await(Task<T> task) {
    Started<T> started = start(std::move(task));
    run();
    if (!started.done()) throw std::runtime_error("a task waits for something that never comes");
    return started.value();
  }
  // The same, moving the clock by at most `limit`.
  template <class T>
  T await_within(Duration limit, Task<T> task) {
    Started<T> started = start(std::move(task));
    run_until([&started] { return started.done(); }, limit);
    if (!started.done()) throw std::runtime_error("a task did not end in the time it was given");
    return started.value();
  }

  static constexpr std::size_t kMostSteps = 50'000'000;

 private:
  void wake() noexcept override { ++wakes_; }
  std::mt19937_64 random_;
  bool permute_;
  std::size_t wakes_ = 0;
};

// Loop, counters and limits of one simulated worker.
struct SimWorld {
  explicit SimWorld(std::uint64_t seed = 0) : loop(seed), context{loop, counters, limits} {}
  SimLoop loop;
  Counters counters;
  Limits limits;
  Context context;

  template <class T>
  T await(Task<T> task) {
    return loop.await(std::move(task));
  }
  // True if every gauge is 0: nothing is open.
  bool gauges_are_zero() const;
};

}  // namespace tunnel::test
