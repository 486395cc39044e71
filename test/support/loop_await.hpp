// SPDX-License-Identifier: Apache-2.0
// Running tasks on a real EpollLoop in a test. Only for what needs the kernel; everything else runs on SimLoop.
#pragma once
#include <dirent.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include "base/epoll_loop.hpp"
#include "support/sim_loop.hpp"

namespace tunnel::test {

// Runs the loop until the task has ended and gives its value; throws when it has not within `limit`.
template <class T>
T await_on(EpollLoop& loop, Task<T> task, Duration limit = std::chrono::seconds(20)) {
  Started<T> started = start(std::move(task), [&loop] { loop.stop(); });
  if (!started.done()) {
    Timer watchdog(loop, [](void* on) noexcept { static_cast<EpollLoop*>(on)->stop(); }, &loop);
    // The loop's clock stands since it last ran; the limit counts from now.
    watchdog.arm(Clock::now() + limit);
    loop.run();
  }
  if (!started.done()) throw std::runtime_error("a task did not end in the time it was given");
  return started.value();
}

namespace detail {
inline Task<void> turns(Loop& loop, int n) {
  for (int i = 0; i < n; ++i) co_await yield(loop);
}
inline Task<void> pass_time(Loop& loop, TimePoint until) { co_await Sleep(loop, until); }
}  // namespace detail

// Lets everything that is ready end.
inline void settle(EpollLoop& loop) { await_on(loop, detail::turns(loop, 8)); }
// Lets real time pass while the loop serves: for what must not happen.
inline void serve_for(EpollLoop& loop, Duration time) { await_on(loop, detail::pass_time(loop, Clock::now() + time)); }

// Descriptors this process has open.
inline std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) throw std::runtime_error("/proc is not there");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace tunnel::test
