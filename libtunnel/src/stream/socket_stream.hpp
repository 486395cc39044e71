// SPDX-License-Identifier: Apache-2.0
// A connected TCP socket as a Stream. Owns the descriptor. SO_LINGER {1, 0} stays armed until an orderly close, so that
// the death of this process resets the peer instead of faking a clean end (rules.md 3.1).
#pragma once
#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "stream/stream.hpp"

namespace tunnel {

// Options every tunnel socket has: no delay, linger armed, keepalive, urgent data inline. On a listening socket they
// are inherited by what it accepts. Non-blocking is the caller's.
void set_socket_options(int fd, const Limits& limits);

class SocketStream final : public Stream {
 public:
  // `fd` is connected and non-blocking.
  SocketStream(EpollLoop& loop, Counters& counters, int fd);
  ~SocketStream() override;

  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override;
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override;

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override;

 private:
  struct FlushWait;
  Io fail_read(int number);
  void record_reset(int number) noexcept;
  static void socket_error(void* self) noexcept;

  Counters& counters_;
  Fd fd_;  // closed after ready_ has let go of it
  Readiness ready_;
  ResetObserver* observer_ = nullptr;
  FlushWait* flushing_ = nullptr;
  std::uint32_t read_bytes_;
  bool aborted_ = false;
  bool refused_ = false;  // reset after the peer's end: what it sent is whole
  bool reset_ = false;    // the kernel told us; recv may still have bytes, and then says "end"
};

}  // namespace tunnel
