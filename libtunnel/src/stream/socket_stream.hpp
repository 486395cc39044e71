// SPDX-License-Identifier: Apache-2.0
// A connected TCP or unix socket as a Stream. Owns the descriptor. With TCP SO_LINGER {1, 0} stays armed until an
// orderly close, so that the death of this process resets the peer instead of faking a clean end (tunnel(7), Closing).
// A unix socket has no reset: whoever closes it resets its peer only if bytes of the peer's were unread, and else has
// ended. In turn it tells at once when the peer has closed.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <span>

#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "stream/flush_wait.hpp"
#include "tunnel/stream.hpp"

namespace tunnel {

enum class SocketKind : std::uint8_t { tcp, local };  // local: a unix socket

// Options every TCP socket has: no delay, linger armed, keepalive, urgent data inline. On a listening socket they
// are inherited by what it accepts. Non-blocking is the caller's.
void set_socket_options(int fd, const Limits& limits);

class SocketStream final : public Stream {
 public:
  // `fd` is connected and non-blocking; or may_block() is called at once.
  SocketStream(EpollLoop& loop, Counters& counters, int fd, SocketKind kind = SocketKind::tcp);
  ~SocketStream() override;
  // The descriptor is shared with whoever started us, and blocks if they want it so: splice(2) would wait.
  void may_block() { splices_ = false; }

  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override;
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override;
  Io try_fill(Pipe& pipe, std::size_t max) override;
  std::size_t drain_bytes() const override { return splices_ && write_side() == WriteSide::open ? SIZE_MAX : 0; }
  Io try_drain(Pipe& pipe, std::size_t max) override;
  bool silent_since(TimePoint since) const override;

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override;
  bool do_can_fill() const override { return splices_ && read_side() == ReadSide::open; }

 private:
  ssize_t receive(std::span<char> into, bool& more);
  Io fail_read(int number);
  Io fail_write(int number);
  int local_fate(int number) noexcept;
  int swallowed_error() const noexcept;
  void record_reset(int number) noexcept;
  static void socket_error(void* self) noexcept;

  Counters& counters_;
  Fd fd_;  // closed after ready_ has let go of it
  Readiness ready_;
  ResetObserver* observer_ = nullptr;
  FlushWait* flushing_ = nullptr;
  std::uint32_t read_bytes_;
  SocketKind kind_;
  bool splices_ = true;
  bool aborted_ = false;
  bool refused_ = false;  // reset after the peer's end, or closed: what it sent is whole
  bool reset_ = false;    // the kernel told us; recv may still have bytes, and then says "end"
};

}  // namespace tunnel
