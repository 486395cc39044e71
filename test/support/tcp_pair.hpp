// SPDX-License-Identifier: Apache-2.0
// Connected sockets, over loopback or unix ones, and running a coroutine on a real EpollLoop.
#pragma once
#include <chrono>
#include <utility>

#include "base/epoll_loop.hpp"
#include "tunnel/task.hpp"

namespace tunnel::test {

// Two connected, non-blocking descriptors of the caller's; connected one first, accepted one second.
std::pair<int, int> tcp_socket_pair();
// The same of two unix sockets.
std::pair<int, int> local_socket_pair();
// Runs `loop` until the task has ended; false after `patience` (real time), the task then being leaked. Exceptions of
// the task leave through it.
bool run_on(EpollLoop& loop, Task<void> task, Duration patience = std::chrono::seconds(60));

}  // namespace tunnel::test
