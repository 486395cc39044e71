// SPDX-License-Identifier: Apache-2.0
#include "stream/socket_stream.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <utility>

namespace tunnel {
namespace {

constexpr std::uint32_t kSmallestRead = 4096;
constexpr std::uint32_t kLargestRead = 65536;

void set_int(int fd, int level, int option, int value) { (void)::setsockopt(fd, level, option, &value, sizeof value); }

void set_linger(int fd, bool armed) {
  const linger value{armed ? 1 : 0, 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value);
}

}  // namespace

void set_socket_options(int fd, const Limits& limits) {
  set_linger(fd, true);
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
  if (limits.keepalive_idle_s > 0) {
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(limits.keepalive_idle_s));
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);
    // Linux counts a live reader with a closed window against it: must be later than our own write timeout, which says
    // why.
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limits.write_time.count()) + 40000);
  }
}

// A flush is a poll of the send queue: TCP has no event for "everything was acknowledged".
struct SocketStream::FlushWait {
  FlushWait(SocketStream& owner, Duration pause)
      : stream(owner),
        timer(
            owner.loop(), [](void* self) noexcept { static_cast<FlushWait*>(self)->end(); }, this),
        delay(pause) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    assert(stream.flushing_ == nullptr && "a second flush is pending");
    slot.handle = caller;
    stream.flushing_ = this;
    timer.arm_after(delay);
  }
  void await_resume() const noexcept {}
  void end() noexcept {
    stream.flushing_ = nullptr;
    timer.disarm();
    stream.loop().post(slot);
  }

  SocketStream& stream;
  Slot slot;
  Timer timer;
  Duration delay;
};

SocketStream::SocketStream(EpollLoop& loop, Counters& counters, int fd)
    : Stream(loop), counters_(counters), fd_(fd), ready_(loop, fd), read_bytes_(kSmallestRead) {
  ready_.on_error(&SocketStream::socket_error, this);
}

SocketStream::~SocketStream() {
  assert(!ready_.has_waiter() && flushing_ == nullptr && "a call is pending");
  if (write_side() == WriteSide::finished && !aborted_ && !reset_) set_linger(fd_.get(), false);
}

Io SocketStream::do_try_read(Buffer& into, std::size_t max) {
  if (read_side() == ReadSide::ended) return {Io::State::ended, 0};
  if (read_side() == ReadSide::reset) return failed();
  if (!ready_.readable) return {Io::State::would_block, 0};
  for (;;) {
    const std::span<char> room = into.prepare(std::min<std::size_t>(max, read_bytes_));
    const std::size_t wanted = std::min(room.size(), max);
    const ssize_t n = ::recv(fd_.get(), room.data(), wanted, 0);
    into.commit(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n > 0) {
      const auto got = static_cast<std::size_t>(n);
      if (got == wanted && wanted >= read_bytes_)
        read_bytes_ = std::min(read_bytes_ * 4, kLargestRead);
      else if (got * 8 < read_bytes_)
        read_bytes_ = std::max(read_bytes_ / 4, kSmallestRead);
      // A short read emptied the socket; the next edge tells of more. An end or error behind the bytes has had its edge
      // already.
      if (got < wanted && !ready_.peer_ended && !ready_.failed && !ready_.urgent) ready_.readable = false;
      return {Io::State::done, got};
    }
    if (n == 0) {
      if (reset_) return fail_read(ECONNRESET);
      set_read_side(ReadSide::ended);
      return {Io::State::ended, 0};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      ready_.readable = false;
      return {Io::State::would_block, 0};
    }
    return fail_read(errno);
  }
}

Io SocketStream::fail_read(int number) {
  record_reset(number);
  set_read_side(ReadSide::reset);
  return failed();
}

void SocketStream::record_reset(int number) noexcept {
  if (reset_ || refused_ || aborted_) return;
  // EPIPE: the peer had finished sending and reset us only then. What it sent, and its end, are still to be read.
  (number == EPIPE ? refused_ : reset_) = true;
  ready_.readable = ready_.writable = true;
  if (number == ETIMEDOUT) counters_.add(Counter::keepalive_timeouts);
  set_error(error_from_errno(number == EPIPE ? ECONNRESET : number));
  if (write_side() == WriteSide::open) set_write_side(WriteSide::refused);
  if (flushing_ != nullptr) flushing_->end();
  if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
}

void SocketStream::socket_error(void* context) noexcept {
  auto& self = *static_cast<SocketStream*>(context);
  int number = 0;
  socklen_t length = sizeof number;
  (void)::getsockopt(self.fd_.get(), SOL_SOCKET, SO_ERROR, &number, &length);
  if (number == 0)
    self.ready_.failed = false;
  else
    self.record_reset(number);
}

void SocketStream::do_on_readable(Slot& slot) {
  if (read_side() != ReadSide::open || aborted_) ready_.readable = true;
  ready_.wait_readable(slot);
}

void SocketStream::on_writable(Slot& slot) {
  if (write_side() != WriteSide::open || aborted_) ready_.writable = true;
  ready_.wait_writable(slot);
}

Io SocketStream::try_write(Buffer& from, More /*more*/) {
  if (write_side() != WriteSide::open) {
    if (!error()) set_error(Error(Error::Kind::closed, "write after shutdown"));
    return failed();
  }
  if (from.empty()) return {Io::State::done, 0};
  if (!ready_.writable) return {Io::State::would_block, 0};
  for (;;) {
    std::array<iovec, 64> pieces;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = from.gather(pieces);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) offered += pieces[i].iov_len;
    const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (n >= 0) {
      from.consume(static_cast<std::size_t>(n));
      if (static_cast<std::size_t>(n) < offered) ready_.writable = false;
      return {Io::State::done, static_cast<std::size_t>(n)};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
      ready_.writable = false;
      return {Io::State::would_block, 0};
    }
    record_reset(errno);
    return failed();
  }
}

Task<Result<void>> SocketStream::shutdown_write() {
  if (write_side() == WriteSide::finished) co_return Result<void>();
  if (write_side() == WriteSide::refused) co_return error();
  if (::shutdown(fd_.get(), SHUT_WR) != 0) {
    record_reset(errno);
    co_return error();
  }
  set_write_side(WriteSide::finished);
  co_return Result<void>();
}

Task<Result<void>> SocketStream::flush(TimePoint deadline) {
  Duration pause = std::chrono::milliseconds(1);
  for (;;) {
    if (aborted_ || reset_ || refused_) co_return error();
    int queued = 0;
    if (::ioctl(fd_.get(), SIOCOUTQ, &queued) != 0 || queued == 0) co_return Result<void>();
    if (loop().now() >= deadline) co_return Error(Error::Kind::timeout, "bytes could not be flushed in time");
    FlushWait wait(*this, std::min<Duration>(pause, deadline - loop().now()));
    co_await wait;
    pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(50));
  }
}

void SocketStream::abort(Error reason) noexcept {
  if (aborted_) return;
  aborted_ = true;
  set_error(reason);
  set_read_side(ReadSide::reset);
  set_write_side(WriteSide::refused);
  drop_unread();
  // Sends the RST at once and wakes the kernel's waiters; the descriptor's number stays ours until the destructor.
  sockaddr unspecified{};
  unspecified.sa_family = AF_UNSPEC;
  // NOLINTNEXTLINE(bugprone-unused-return-value): if it fails there is no connection left to reset
  (void)::connect(fd_.get(), &unspecified, sizeof unspecified);
  ready_.readable = ready_.writable = true;
  ready_.wake();
  if (flushing_ != nullptr) flushing_->end();
}

void SocketStream::on_reset(ResetObserver* observer) {
  observer_ = observer;
  if (observer_ != nullptr && (reset_ || refused_) && !aborted_)
    std::exchange(observer_, nullptr)->on_stream_reset(*this);
}

}  // namespace tunnel
