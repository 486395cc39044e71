// SPDX-License-Identifier: Apache-2.0
// A descriptor that must stay as its owner left it, served by a thread of its own. Standard input and output are shared
// with the caller, and O_NONBLOCK belongs to what is shared: the caller's shell would still have it when we are gone.
// Regular files know no readiness at all.
//
// What was weighed against a thread: reopening /proc/self/fd/N gives an O_NONBLOCK of one's own, but not for sockets
// and files, nor for the terminal of another user (su, sudo), and needs /proc. Restoring the flags at the end fails
// with SIGKILL, and disturbs whoever shares the descriptor meanwhile. poll() before a blocking call still blocks the
// worker when another process was faster, or on a terminal whose output is stopped. A thread blocks nobody, whatever
// the descriptor is, and costs one hand-over a piece of up to 64 KiB.
//
// The objects belong to one loop. A thread may be stuck in the kernel when its owner lets go, so it is detached: it
// touches nothing but what it shares with its owner, and ends with the process at the latest.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "tunnel/buffer.hpp"

namespace tunnel {

// Reads ahead by at most two pieces.
class BlockingInput : public std::enable_shared_from_this<BlockingInput> {
 public:
  // `changed` is posted to the loop after a wait(), once. Throws std::system_error when there is no thread to be had.
  static std::shared_ptr<BlockingInput> start(EpollLoop& loop, Fd fd, std::function<void()> changed);

  struct Taken {
    enum class State : std::uint8_t { done, empty, ended, failed };
    State state = State::empty;
    std::size_t bytes = 0;
    int error = 0;  // errno of `failed`
  };
  Taken take(Buffer& into, std::size_t max);
  // True if take() has something to say now; else `changed` will tell.
  bool wait();
  // Ends the thread, which closes the descriptor.
  void stop() noexcept;

 private:
  BlockingInput(EpollLoop& loop, Fd fd, std::function<void()> changed);
  void serve();
  bool wait_readable() const;
  bool hand_over(std::vector<char>& batch, std::size_t bytes, int error);

  Fd fd_;
  Fd stop_event_;
  std::shared_ptr<EpollLoop::Remote> loop_;
  std::function<void()> changed_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable taken_;
  std::vector<char> ready_;
  std::size_t begin_ = 0;  // of ready_: what was taken
  int error_ = 0;
  bool ended_ = false;
  bool waiting_ = false;
  bool stopped_ = false;
};

// Holds at most two pieces that the descriptor has not taken.
class BlockingOutput : public std::enable_shared_from_this<BlockingOutput> {
 public:
  // `changed` is posted to the loop after a wait_for...(), and when the descriptor has failed or its reader has gone.
  static std::shared_ptr<BlockingOutput> start(EpollLoop& loop, Fd fd, std::function<void()> changed);

  // Takes a prefix of `from` and says how much; 0 if there is no room.
  std::size_t put(Buffer& from);
  // True if put() takes something now or never will.
  bool wait_for_room();
  // Bytes the descriptor has not taken yet; with `wait`, `changed` tells when there are none left.
  std::size_t pending(bool wait = false);
  // errno of what ended it, EPIPE where its reader has gone; 0 while it works.
  int error();
  // Closes the descriptor behind the last byte; a socket is shut down, for whoever else holds it.
  void finish() noexcept;
  // Ends the thread, which closes the descriptor; what is pending is dropped.
  void stop() noexcept;

 private:
  enum class Step : std::uint8_t { write, idle, finish, stop };
  BlockingOutput(EpollLoop& loop, Fd fd, std::function<void()> changed);
  void serve();
  Step next(std::vector<char>& batch);
  void watch_reader();
  bool wait_writable();
  bool write_all(const std::vector<char>& batch);
  void wrote(std::size_t bytes);
  void fail(int error);
  void wake_idle() noexcept;

  Fd fd_;
  Fd event_;  // wakes the thread while it idles, and when it shall stop
  std::shared_ptr<EpollLoop::Remote> loop_;
  std::function<void()> changed_;
  std::mutex mutex_;  // guards what follows
  std::vector<char> queue_;
  std::size_t pending_ = 0;  // queue_ and what the thread is writing
  int error_ = 0;
  bool idle_ = false;  // the thread waits for bytes
  bool waiting_for_room_ = false;
  bool waiting_for_none_ = false;
  bool finishing_ = false;
  bool stopped_ = false;
};

}  // namespace tunnel
