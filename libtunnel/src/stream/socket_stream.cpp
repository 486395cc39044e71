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
#include <string_view>
#include <utility>

#include "stream/pipe.hpp"

namespace tunnel {
namespace {

constexpr std::uint32_t kSmallestRead = 4096;
constexpr std::uint32_t kLargestRead = 65536;

void set_int(int fd, int level, int option, int value) { (void)::setsockopt(fd, level, option, &value, sizeof value); }

// Takes it: the next call no longer fails with it.
int pending_error(int fd) {
  int number = 0;
  socklen_t length = sizeof number;
  (void)::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length);
  return number;
}

void set_linger(int fd, bool armed) {
  const linger value{armed ? 1 : 0, 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value);
}

struct Sent {
  ssize_t bytes = 0;        // as send() says
  std::size_t offered = 0;  // what it could have taken
};

// A small message is one piece, and then the kernel need not fetch a list of them: 3 % of a round trip.
Sent send_front(int fd, const Buffer& from, int flags) {
  const std::string_view first = from.front();
  if (first.size() == from.size()) return {::send(fd, first.data(), first.size(), flags), first.size()};
  std::array<iovec, 64> pieces;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = from.gather(pieces);
  std::size_t offered = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) offered += pieces[i].iov_len;
  return {::sendmsg(fd, &message, flags), offered};
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

SocketStream::SocketStream(EpollLoop& loop, Counters& counters, int fd, SocketKind kind)
    : Stream(loop), counters_(counters), fd_(fd), ready_(loop, fd), read_bytes_(kSmallestRead), kind_(kind) {
  // Not inherited from the listener.
  if (kind == SocketKind::local) set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
  ready_.on_error(&SocketStream::socket_error, this);
}

SocketStream::~SocketStream() {
  assert(!ready_.has_waiter() && flushing_ == nullptr && "a call is pending");
  if (kind_ == SocketKind::tcp && write_side() == WriteSide::finished && !aborted_ && !reset_)
    set_linger(fd_.get(), false);
}

Io SocketStream::do_try_read(Buffer& into, std::size_t max) {
  if (read_side() == ReadSide::ended) return {Io::State::ended, 0};
  if (read_side() == ReadSide::reset) return failed();
  if (!ready_.readable) return {Io::State::would_block, 0};
  for (;;) {
    const std::span<char> room = into.prepare(std::min<std::size_t>(max, read_bytes_));
    const std::size_t wanted = std::min(room.size(), max);
    bool more = ready_.peer_ended || ready_.failed || ready_.urgent;
    const ssize_t n = receive(room.first(wanted), more);
    into.commit(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n > 0) {
      const auto got = static_cast<std::size_t>(n);
      if (got == wanted && wanted >= read_bytes_)
        read_bytes_ = std::min(read_bytes_ * 4, kLargestRead);
      else if (max >= read_bytes_ && got * 8 < read_bytes_)
        read_bytes_ = std::max(read_bytes_ / 4, kSmallestRead);
      // A short read emptied the socket; the next edge tells of more. An end or error behind the bytes has had its edge
      // already.
      if (got < wanted && !more) ready_.readable = false;
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

// `more` is set if a short read does not mean an empty socket: a unix one stops behind bytes that came with descriptors
// (which are dropped).
ssize_t SocketStream::receive(std::span<char> into, bool& more) {
  if (kind_ == SocketKind::tcp) return ::recv(fd_.get(), into.data(), into.size(), MSG_DONTWAIT);
  iovec piece{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
  if ((message.msg_flags & MSG_CTRUNC) != 0) more = true;
  return n;
}

Io SocketStream::fail_read(int number) {
  if (kind_ == SocketKind::local && !reset_ && local_fate(number) == EPIPE) {
    record_reset(EPIPE);
    set_read_side(ReadSide::ended);
    return {Io::State::ended, 0};
  }
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
  if (number == EPIPE && kind_ == SocketKind::local)
    set_error(Error(Error::Kind::closed, "closed by the peer"));
  else
    set_error(error_from_errno(number == EPIPE ? ECONNRESET : number));
  if (write_side() == WriteSide::open) set_write_side(WriteSide::refused);
  if (flushing_ != nullptr) flushing_->finish();
  if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
}

void SocketStream::socket_error(void* context) noexcept {
  auto& self = *static_cast<SocketStream*>(context);
  if (self.kind_ == SocketKind::local) {
    const int fate = self.local_fate(EPIPE);
    // With our own end sent, one that has hung up has ended too.
    if (fate != EPIPE || self.write_side() == WriteSide::open) self.record_reset(fate);
    return;
  }
  const int number = self.ready_.failed ? pending_error(self.fd_.get()) : 0;
  if (number == 0) self.ready_.failed = false;
  // Hung up without an error: both sides have ended, or a splice(2) that had moved something kept the error to itself.
  if (number != 0)
    self.record_reset(number);
  else if (self.ready_.hung_up && self.write_side() == WriteSide::open)
    self.record_reset(self.swallowed_error());
}

// What the kernel would have said of a reset that splice(2) was told of and did not tell.
int SocketStream::swallowed_error() const noexcept {
  return ready_.peer_ended || read_side() == ReadSide::ended ? EPIPE : ECONNRESET;
}

// What `number`, of a failed call or EPIPE for a hang-up, says of a unix socket's peer: ECONNRESET if it closed with
// bytes of ours unread, EPIPE if it closed or takes no more. Whoever had finished sending before is whole either way,
// as with TCP. Another number, and any of TCP, is itself.
int SocketStream::local_fate(int number) noexcept {
  if (kind_ == SocketKind::tcp || (number != EPIPE && number != ECONNRESET)) return number;
  if (pending_error(fd_.get()) == ECONNRESET) number = ECONNRESET;
  return ready_.peer_ended ? EPIPE : number;
}

void SocketStream::do_on_readable(Slot& slot) {
  if (read_side() != ReadSide::open || aborted_) ready_.readable = true;
  ready_.wait_readable(slot);
}

void SocketStream::on_writable(Slot& slot) {
  if (write_side() != WriteSide::open || aborted_) ready_.writable = true;
  ready_.wait_writable(slot);
}

Io SocketStream::try_write(Buffer& from, More more) {
  if (write_side() != WriteSide::open) {
    if (!error()) set_error(Error(Error::Kind::closed, "write after shutdown"));
    return failed();
  }
  if (from.empty()) return {Io::State::done, 0};
  if (!ready_.writable) return {Io::State::would_block, 0};
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more == More::yes ? MSG_MORE : 0);
  for (;;) {
    const auto [sent, offered] = send_front(fd_.get(), from, flags);
    if (sent >= 0) {
      from.consume(static_cast<std::size_t>(sent));
      if (static_cast<std::size_t>(sent) < offered) ready_.writable = false;
      return {Io::State::done, static_cast<std::size_t>(sent)};
    }
    if (errno == EINTR) continue;
    return fail_write(errno);
  }
}

Io SocketStream::fail_write(int number) {
  if (number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS) {
    ready_.writable = false;
    return {Io::State::would_block, 0};
  }
  record_reset(local_fate(number));
  return failed();
}

// Nothing moved may mean an end or an urgent byte in the way: recv() tells them apart. A reset is told here, and once.
Io SocketStream::try_fill(Pipe& pipe, std::size_t max) {
  if (!ready_.readable || ready_.urgent) return {Io::State::would_block, 0};
  const ssize_t n = pipe.fill(fd_.get(), max);
  if (n > 0) return {Io::State::done, static_cast<std::size_t>(n)};
  if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EINVAL && errno != ENOMEM) record_reset(local_fate(errno));
  return {Io::State::would_block, 0};
}

Io SocketStream::try_drain(Pipe& pipe, std::size_t max) {
  if (write_side() != WriteSide::open) return failed();
  if (!ready_.writable) return {Io::State::would_block, 0};
  for (;;) {
    const ssize_t n = pipe.drain(fd_.get(), max);
    if (n > 0) return {Io::State::done, static_cast<std::size_t>(n)};
    if (n < 0 && errno == EINTR) continue;
    int number = n < 0 ? errno : EPIPE;
    if (number == EPIPE && kind_ == SocketKind::tcp) number = swallowed_error();
    return fail_write(number);
  }
}

bool SocketStream::silent_since(TimePoint since) const {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  // The kernel counts in ticks, and our clock stands still within a step.
  constexpr std::chrono::milliseconds kBlur{10};
  const Duration quiet = std::chrono::milliseconds(info.tcpi_last_ack_recv);
  return info.tcpi_unacked > 0 && quiet + kBlur >= loop().now() - since;
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

// A poll of the send queue: TCP has no event for "everything was acknowledged".
Task<Result<void>> SocketStream::flush(TimePoint deadline) {
  Duration pause = std::chrono::milliseconds(1);
  for (;;) {
    if (aborted_ || reset_ || refused_) co_return error();
    if (kind_ == SocketKind::local) co_return Result<void>();  // it is the peer's already, and survives our closing
    int queued = 0;
    if (::ioctl(fd_.get(), SIOCOUTQ, &queued) != 0 || queued == 0) co_return Result<void>();
    if (loop().now() >= deadline) co_return Error(Error::Kind::timeout, "bytes could not be flushed in time");
    FlushWait wait(loop(), flushing_, std::min(loop().now() + pause, deadline));
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
  if (kind_ == SocketKind::local) {
    // Closing is all there is: it resets a peer of which bytes are unread, and refuses any more to every peer.
    ready_.release();
    fd_.reset(-1);
  } else {
    // Sends the RST at once and wakes the kernel's waiters; the descriptor's number stays ours until the destructor.
    sockaddr unspecified{};
    unspecified.sa_family = AF_UNSPEC;
    // NOLINTNEXTLINE(bugprone-unused-return-value): if it fails there is no connection left to reset
    (void)::connect(fd_.get(), &unspecified, sizeof unspecified);
  }
  ready_.readable = ready_.writable = true;
  ready_.wake();
  if (flushing_ != nullptr) flushing_->finish();
}

void SocketStream::on_reset(ResetObserver* observer) {
  observer_ = observer;
  if (observer_ != nullptr && (reset_ || refused_) && !aborted_)
    std::exchange(observer_, nullptr)->on_stream_reset(*this);
}

}  // namespace tunnel
