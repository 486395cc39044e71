// SPDX-License-Identifier: Apache-2.0
// EpollLoop: the Loop of a running worker. Descriptors are registered once, edge-triggered, with one epoll set the loop
// waits on. Not on an io_context: async_wait costs an epoll_ctl each, watching the set through Asio two system calls
// more an event (half as much CPU again a round trip, measured), and neither can tell a reset from urgent data or a
// finished connection. Linux only.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tunnel/loop.hpp"

namespace tunnel {

class EpollLoop;

// What the kernel said of one descriptor. Register at birth; the owner closes the descriptor after destroying this.
// `readable` and `writable` start true: try first. The owner clears them on EAGAIN (or a short read) and waits.
class Readiness {
 public:
  using ResetCall = void (*)(void* context) noexcept;

  Readiness(EpollLoop& loop, int fd);
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness();

  bool readable = true;
  bool writable = true;
  bool peer_ended = false;  // EPOLLRDHUP: an end is on its way behind the bytes
  bool failed = false;      // EPOLLERR: SO_ERROR has the reason
  bool hung_up = false;     // EPOLLHUP: both directions are over
  bool urgent = false;      // EPOLLPRI: recv stops at the urgent byte, so a short read has not emptied the socket

  // `slot` is posted once the flag may be set (at once if it is). One waiter a direction.
  void wait_readable(Waiter& slot);
  void wait_writable(Waiter& slot);
  bool has_waiter() const { return read_slot_ != nullptr || write_slot_ != nullptr; }
  // Wakes both waiters, whatever the flags: for abort().
  void wake() noexcept;
  // Watches no more, so that the descriptor may be closed before this is destroyed.
  void release() noexcept;
  // Called inline from the loop when EPOLLERR or EPOLLHUP first appears, before peer_ended and the waiters know of that
  // event; must not destroy anything.
  void on_error(ResetCall call, void* context) {
    error_call_ = call;
    error_context_ = context;
  }

 private:
  friend class EpollLoop;
  void event(unsigned events) noexcept;
  EpollLoop& loop_;
  int fd_;
  Waiter* read_slot_ = nullptr;
  Waiter* write_slot_ = nullptr;
  ResetCall error_call_ = nullptr;
  void* error_context_ = nullptr;
};

class EpollLoop final : public Loop {
 public:
  EpollLoop();
  ~EpollLoop() override;
  // Serves until stop(); then returns with whatever is still ready left alone.
  void run();
  void stop();  // from this loop's thread; other threads: post_remote()
  // A way in for other threads, which may outlive the loop.
  class Remote {
   public:
    // Runs `call` in the loop; drops it if the loop is gone. Thread-safe.
    void post(std::function<void()> call);

   private:
    friend class EpollLoop;
    explicit Remote(EpollLoop& loop) : loop_(&loop) {}
    std::mutex mutex_;
    EpollLoop* loop_;
    std::vector<std::function<void()>> calls_;
  };
  std::shared_ptr<Remote> remote() const { return remote_; }
  void post_remote(std::function<void()> call) { remote_->post(std::move(call)); }

 private:
  friend class Readiness;
  struct Impl;
  void wake() noexcept override {}
  void run_remote_calls();
  int wait_time_ms() const;
  std::unique_ptr<Impl> impl_;
  std::shared_ptr<Remote> remote_;
};

}  // namespace tunnel
