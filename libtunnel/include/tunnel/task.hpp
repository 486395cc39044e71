// SPDX-License-Identifier: Apache-2.0
// Task<T>: the one coroutine type. Lazy: nothing runs until it is awaited, joined or spawned. The awaiting frame owns
// the awaited one; control passes by symmetric transfer, so a chain of synchronous completions needs no stack. Not
// thread-safe, not a scheduler and not cancellable: a wait ends when what it waits for ends (streams have abort()). An
// exception leaves through the awaiting frame; out of a spawned task it ends the program, being a bug.
#pragma once
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace tunnel {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  int* pending = nullptr;  // of a join: only the last one to finish continues
  std::exception_ptr exception;

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      PromiseBase& promise = self.promise();
      if (promise.pending != nullptr && --*promise.pending > 0) return std::noop_coroutine();
      return promise.continuation;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() noexcept {
    struct Awaiter {
      Handle handle;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) const noexcept {
        handle.promise().continuation = caller;
        return handle;
      }
      T await_resume() const { return handle.promise().take(); }
    };
    return Awaiter{handle_};
  }

  Handle handle() const { return handle_; }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

struct Join {
  Task<void>::Handle first;
  Task<void>::Handle second;
  int pending = 2;
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    for (Task<void>::Handle handle : {first, second}) {
      handle.promise().continuation = caller;
      handle.promise().pending = &pending;
    }
    first.resume();
    return second;
  }
  void await_resume() const {
    first.promise().take();
    second.promise().take();
  }
};

struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

inline Detached run_detached(Task<void> task) { co_await task; }

}  // namespace detail

// Runs both, side by side, and continues when both have ended. The tasks must outlive the await (name them first).
inline detail::Join join(Task<void>& first, Task<void>& second) {
  return detail::Join{first.handle(), second.handle()};
}

// Starts `task` now; its frame lives until it ends by itself. Whoever spawns keeps a count of what must end before the
// loop does.
inline void spawn(Task<void> task) { detail::run_detached(std::move(task)); }

}  // namespace tunnel
