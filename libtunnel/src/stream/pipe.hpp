// SPDX-License-Identifier: Apache-2.0
// Pipe: bytes on their way from one socket to another without leaving the kernel, splice(2). A stream that is a socket
// underneath, without framing, fills it and drains it; see Stream::try_fill() and try_drain(). Linux only.
#pragma once
#include <cstddef>

#include "base/fd.hpp"
#include "tunnel/buffer.hpp"

namespace tunnel {

// Of one worker. Has descriptors only between open() and close(), and whoever waits for bytes closes it first: so a
// worker needs as many as it has stalled bulk transfers, not as many as connections. A few empty ones are kept a
// thread.
class Pipe {
 public:
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { close(); }
  void swap(Pipe& other) noexcept;
  // Fewer than half of the pipes a thread may have.
  static bool few_are_open() noexcept;

  // Room for about `capacity` bytes from now on, if it has none yet. False, and nothing changed, if the system gives no
  // pipe of that size or 16 of this thread's are open; then bytes are copied instead.
  bool open(std::size_t capacity) noexcept;
  void close() noexcept;  // bytes in it are lost
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // splice(2) without waiting: bytes moved, 0 at the end of `socket`, or -1 and errno. No SIGPIPE comes of it.
  ssize_t fill(int socket, std::size_t max) noexcept;
  ssize_t drain(int socket, std::size_t max) noexcept;
  // Copies at most `max` bytes out of it, for whom can do nothing with a pipe; fewer only if it is empty then.
  std::size_t take(Buffer& into, std::size_t max);

 private:
  Fd read_end_;
  Fd write_end_;
  std::size_t size_ = 0;
};

}  // namespace tunnel
