// SPDX-License-Identifier: Apache-2.0
// AsioLoop: the Loop of a running worker, on a Boost.Asio io_context. Descriptors are registered once, edge-triggered,
// in an epoll set that Asio watches as one descriptor: an async_wait of Asio costs an epoll_ctl each, and cannot tell a
// reset from urgent data or a finished connection. Linux only.
#pragma once
#include <functional>
#include <memory>

#include "base/loop.hpp"

namespace tunnel {

class AsioLoop;

// What the kernel said of one descriptor. Register at birth; the owner closes the descriptor after destroying this.
// `readable` and `writable` start true: try first. The owner clears them on EAGAIN (or a short read) and waits.
class Readiness {
 public:
  using ResetCall = void (*)(void* context) noexcept;

  Readiness(AsioLoop& loop, int fd);
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness();

  bool readable = true;
  bool writable = true;
  bool peer_ended = false;  // EPOLLRDHUP: an end is on its way behind the bytes
  bool failed = false;      // EPOLLERR: SO_ERROR has the reason

  // `slot` is posted once the flag may be set (at once if it is). One waiter a direction.
  void wait_readable(Slot& slot);
  void wait_writable(Slot& slot);
  // Wakes both waiters, whatever the flags: for abort().
  void wake() noexcept;
  // Called once, inline from the loop, when EPOLLERR appears; must not destroy anything.
  void on_error(ResetCall call, void* context) {
    error_call_ = call;
    error_context_ = context;
  }

 private:
  friend class AsioLoop;
  void event(unsigned events) noexcept;
  AsioLoop& loop_;
  int fd_;
  Slot* read_slot_ = nullptr;
  Slot* write_slot_ = nullptr;
  ResetCall error_call_ = nullptr;
  void* error_context_ = nullptr;
};

class AsioLoop final : public Loop {
 public:
  AsioLoop();
  ~AsioLoop() override;
  // Serves until stop(); then returns with whatever is still ready left alone.
  void run();
  void stop();  // from this loop's thread; other threads: post_remote
  // Runs `call` in this loop. Thread-safe; the only member that is.
  void post_remote(std::function<void()> call);

 private:
  friend class Readiness;
  struct Impl;
  void wake() noexcept override {}
  void timers_changed() noexcept override;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tunnel
