// SPDX-License-Identifier: Apache-2.0
// What only a real TCP socket does: readiness edges, urgent bytes, FIN and RST, linger. The plain end of each pair is a
// bare blocking descriptor, used as the other program would.
#include "stream/socket_stream.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <thread>

#include "base/fd.hpp"
#include "support/pattern.hpp"
#include "support/sim_loop.hpp"
#include "support/socket_fixture.hpp"
#include "support/tcp_pair.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pattern;
using test::read_all;
using test::read_exactly;
using test::Received;
using test::run_on;
using test::send_pattern;
using test::start;
using Kind = Error::Kind;

class Sockets : public test::SocketFixture {
 protected:
  Sockets() : SocketFixture(ends(), SocketKind::tcp) {}

  static std::pair<int, int> ends() {
    const std::pair<int, int> made = test::tcp_socket_pair();
    set_socket_options(made.first, Limits());
    return made;
  }
  void run(Task<void> task) { ASSERT_TRUE(run_on(loop, std::move(task), seconds(30))) << "the case hangs"; }
  void peer_resets() {
    const linger now{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    peer.reset(-1);
  }
  // Reads to the end or an error, as the program at the other side; gives what ended it: 0 or errno.
  static int drain(int fd, std::string& into) {
    std::string piece(65536, '\0');
    for (;;) {
      const ssize_t n = ::recv(fd, piece.data(), piece.size(), 0);
      if (n < 0) return errno;
      if (n == 0) return 0;
      into.append(piece, 0, static_cast<std::size_t>(n));
    }
  }

  Limits limits;
};

Task<void> expect_read(Stream& stream, std::string expected) {
  const Received received = co_await read_exactly(stream, expected.size());
  EXPECT_EQ(received.bytes, expected);
}
Task<void> expect_end(Stream& stream) {
  const Received received = co_await read_all(stream);
  EXPECT_TRUE(received.ended) << received.error.text();
}
Task<void> expect_reset(Stream& stream) {
  const Received received = co_await read_all(stream);
  EXPECT_FALSE(received.ended);
  EXPECT_EQ(received.error.kind, Kind::reset);
}
Task<void> wait_until(Loop& loop, std::function<bool()> wanted) {
  for (int i = 0; i < 5000 && !wanted(); ++i) co_await Sleep(loop, loop.now() + milliseconds(1));
}
Task<void> settle(Loop& loop, Duration length) { co_await Sleep(loop, loop.now() + length); }

TEST_F(Sockets, BytesThatCameBeforeAnyoneLooked) {
  peer_sends("220 hello");
  run(expect_read(*stream, "220 hello"));
}

TEST_F(Sockets, AnEndBehindAShortRead) {
  peer_sends("last");
  ::shutdown(peer.get(), SHUT_WR);
  run(expect_read(*stream, "last"));
  run(expect_end(*stream));
  EXPECT_EQ(observer.told, 0);
}

TEST_F(Sockets, AnEndAfterAShortReadEmptiedTheSocket) {
  peer_sends("x");
  run(expect_read(*stream, "x"));
  ::shutdown(peer.get(), SHUT_WR);
  run(expect_end(*stream));
}

TEST_F(Sockets, AResetIsSeenWhileNobodyReads) {
  peer_resets();
  run(wait_until(loop, [this] { return observer.told > 0; }));
  EXPECT_EQ(observer.told, 1);
  EXPECT_EQ(stream->read_side(), ReadSide::open);  // not met yet
  run(expect_reset(*stream));
  EXPECT_EQ(observer.told, 1);
  EXPECT_EQ(stream->read_side(), ReadSide::reset);
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
}

TEST_F(Sockets, BytesBeforeAResetAreStillRead) {
  peer_sends(pattern(0, 3000));
  run(settle(loop, milliseconds(2)));
  peer_resets();
  run(wait_until(loop, [this] { return observer.told > 0; }));
  Received received;
  auto read = [](Stream& from, Received& into) -> Task<void> { into = co_await read_all(from); };
  run(read(*stream, received));
  EXPECT_EQ(received.bytes, pattern(0, 3000));
  EXPECT_FALSE(received.ended);
}

TEST_F(Sockets, AnUrgentByteIsNoResetAndHidesNothing) {
  for (int i = 0; i < 20; ++i) {
    peer_sends("before");
    peer_sends("!", MSG_OOB);
    peer_sends("after");
    run(expect_read(*stream, "before!after"));
  }
  EXPECT_EQ(observer.told, 0);
}

TEST_F(Sockets, AnUrgentByteWhileReadingWaits) {
  auto reading = start(read_exactly(*stream, 12));
  run(settle(loop, milliseconds(1)));
  peer_sends("before");
  peer_sends("!", MSG_OOB);
  run(settle(loop, milliseconds(1)));
  peer_sends("after");
  run(wait_until(loop, [&reading] { return reading.done(); }));
  ASSERT_TRUE(reading.done());
  EXPECT_EQ(reading.value().bytes, "before!after");
  EXPECT_EQ(observer.told, 0);
}

// One edge for all of it, and a read that stops before the urgent byte.
TEST_F(Sockets, AnUrgentByteInTheSegmentOfOthersIsRead) {
  auto reading = start(read_exactly(*stream, 7));
  run(settle(loop, milliseconds(1)));
  peer_sends("before!", MSG_OOB);
  run(wait_until(loop, [&reading] { return reading.done(); }));
  ASSERT_TRUE(reading.done());
  EXPECT_EQ(reading.value().bytes, "before!");
}

TEST_F(Sockets, BothEndsAreNoReset) {
  auto finish = [](Stream& to) -> Task<void> {
    Result<void> finished = co_await to.shutdown_write();
    EXPECT_TRUE(finished.ok());
  };
  run(finish(*stream));
  peer_sends("unread");
  peer.reset(-1);
  run(settle(loop, milliseconds(20)));
  EXPECT_EQ(observer.told, 0);
  Received received;
  auto read = [](Stream& from, Received& into) -> Task<void> { into = co_await read_all(from); };
  run(read(*stream, received));
  EXPECT_TRUE(received.ended);
  EXPECT_EQ(received.bytes, "unread");
}

TEST_F(Sockets, AbortSendsAResetAtOnce) {
  stream->abort(Error(Kind::cancelled));
  std::string got;
  EXPECT_EQ(drain(peer.get(), got), ECONNRESET);
  run(settle(loop, milliseconds(2)));
  EXPECT_EQ(observer.told, 0);
}

TEST_F(Sockets, DyingWithoutAnEndResets) {
  stream.reset();
  std::string got;
  EXPECT_EQ(drain(peer.get(), got), ECONNRESET);
}

TEST_F(Sockets, AnOrderlyCloseDeliversMegabytesToASlowReader) {
  constexpr std::size_t kTotal = 8 << 20;
  const int small = 65536;
  ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  std::string got;
  int how = -1;
  std::thread reader([this, &got, &how] {
    std::string piece(8192, '\0');
    for (;;) {
      const ssize_t n = ::recv(peer.get(), piece.data(), piece.size(), 0);
      how = n < 0 ? errno : 0;
      if (n <= 0) return;
      got.append(piece, 0, static_cast<std::size_t>(n));
      if (got.size() % 65536 < 8192) std::this_thread::sleep_for(milliseconds(1));
    }
  });
  auto write_and_finish = [](Stream& to) -> Task<void> {
    Result<void> sent = co_await send_pattern(to, kTotal, 65536);
    EXPECT_TRUE(sent.ok());
    Result<void> finished = co_await to.shutdown_write();
    EXPECT_TRUE(finished.ok());
  };
  run(write_and_finish(*stream));
  stream.reset();  // most of it still lies in the kernel
  reader.join();
  EXPECT_EQ(how, 0);
  EXPECT_EQ(got.size(), kTotal);
  EXPECT_TRUE(got == pattern(0, kTotal));
}

TEST_F(Sockets, FlushWaitsUntilThePeerHasEverything) {
  constexpr std::size_t kTotal = 2 << 20;
  const int small = 16384;
  ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  auto sending = start(send_pattern(*stream, kTotal, 65536));
  auto late = [](Stream& one, Result<void>& result) -> Task<void> {
    result = co_await one.flush(one.loop().now() + milliseconds(30));
  };
  run(settle(loop, milliseconds(20)));
  std::string got;
  if (sending.done()) {
    Result<void> flushed;
    run(late(*stream, flushed));
    EXPECT_FALSE(flushed.ok());
    if (!flushed.ok()) {
      EXPECT_EQ(flushed.error().kind, Kind::timeout);
    }
  }
  std::thread reader([this, &got] {
    std::string piece(65536, '\0');
    while (got.size() < kTotal) {
      const ssize_t n = ::recv(peer.get(), piece.data(), piece.size(), 0);
      if (n <= 0) return;
      got.append(piece, 0, static_cast<std::size_t>(n));
    }
  });
  run(wait_until(loop, [&sending] { return sending.done(); }));
  auto flush_and_abort = [](Stream& one) -> Task<void> {
    Result<void> flushed = co_await one.flush(one.loop().now() + seconds(20));
    EXPECT_TRUE(flushed.ok());
    one.abort(Error(Kind::reset));
  };
  run(flush_and_abort(*stream));
  reader.join();
  EXPECT_TRUE(got == pattern(0, kTotal));
}

TEST_F(Sockets, FlushFailsAtItsDeadline) {
  const int small = 4096;
  ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  Buffer buffer;
  // Fill both kernels; nobody reads.
  for (std::size_t sent = 0;; sent += 65536) {
    ASSERT_LT(sent, std::size_t{1} << 28);
    buffer.append(pattern(0, 65536));
    if (stream->try_write(buffer, More::no).state != Io::State::done) break;
    buffer.clear();
  }
  Result<void> flushed;
  auto flush = [](Stream& one, Result<void>& result) -> Task<void> {
    co_await yield(one.loop());  // into a step of the loop, which knows the time
    result = co_await one.flush(one.loop().now() + milliseconds(20));
  };
  const TimePoint before = Clock::now();
  run(flush(*stream, flushed));
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.error().kind, Kind::timeout);
  EXPECT_GE(Clock::now() - before, milliseconds(15));
  // An abort wakes a flush that still has long to wait.
  auto long_flush = start(stream->flush(Clock::now() + seconds(60)));
  EXPECT_FALSE(long_flush.done());
  stream->abort(Error(Kind::shutdown));
  run(settle(loop, milliseconds(1)));
  ASSERT_TRUE(long_flush.done());
  EXPECT_EQ(long_flush.value().error().kind, Kind::shutdown);
}

TEST_F(Sockets, APeersResetEndsAFlush) {
  const int small = 4096;
  ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  Buffer buffer;
  for (;;) {
    buffer.append(pattern(0, 65536));
    if (stream->try_write(buffer, More::no).state != Io::State::done) break;
    buffer.clear();
  }
  auto flushing = start(stream->flush(Clock::now() + seconds(60)));
  run(settle(loop, milliseconds(2)));
  EXPECT_FALSE(flushing.done());
  peer_resets();
  run(wait_until(loop, [&flushing] { return flushing.done(); }));
  ASSERT_TRUE(flushing.done());
  EXPECT_FALSE(flushing.value().ok());
  EXPECT_EQ(observer.told, 1);
}

TEST_F(Sockets, AnEndFollowedByRefusedBytesStaysAnEnd) {
  // The peer answers, finishes and closes; then our bytes meet a closed socket, which answers with a reset.
  peer_sends(pattern(0, 5000));
  peer.reset(-1);
  run(settle(loop, milliseconds(2)));
  auto write_until_refused = [](Stream& to) -> Task<void> {
    for (int i = 0; i < 1000 && to.write_side() == WriteSide::open; ++i) {
      Buffer buffer("x");
      Result<void> written = co_await to.write(buffer);
      (void)written.ok();
      co_await Sleep(to.loop(), to.loop().now() + milliseconds(1));
    }
  };
  run(write_until_refused(*stream));
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  EXPECT_EQ(observer.told, 1);
  Received received;
  auto read = [](Stream& from, Received& into) -> Task<void> { into = co_await read_all(from); };
  run(read(*stream, received));
  EXPECT_TRUE(received.ended) << received.error.text();
  EXPECT_EQ(received.bytes, pattern(0, 5000));
  // A flush has nothing left to hope for.
  Result<void> flushed;
  auto flush = [](Stream& one, Result<void>& result) -> Task<void> {
    result = co_await one.flush(one.loop().now() + seconds(60));
  };
  run(flush(*stream, flushed));
  EXPECT_FALSE(flushed.ok());
}

TEST_F(Sockets, OptionsOfEveryTunnelSocket) {
  auto [one, two] = test::tcp_socket_pair();
  const Fd first(one);
  const Fd second(two);
  set_socket_options(first.get(), limits);
  const auto value = [&first](int level, int option) {
    int number = -1;
    socklen_t length = sizeof number;
    EXPECT_EQ(::getsockopt(first.get(), level, option, &number, &length), 0);
    return number;
  };
  EXPECT_EQ(value(IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(value(SOL_SOCKET, SO_OOBINLINE), 1);
  EXPECT_EQ(value(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPIDLE), 60);
  linger now{};
  socklen_t length = sizeof now;
  EXPECT_EQ(::getsockopt(first.get(), SOL_SOCKET, SO_LINGER, &now, &length), 0);
  EXPECT_EQ(now.l_onoff, 1);
  EXPECT_EQ(now.l_linger, 0);
}

TEST_F(Sockets, AWaitingReadHoldsNoMemoryOfItsOwn) {
  Buffer into;
  auto reading = start(stream->read(into, 65536));
  run(settle(loop, milliseconds(1)));
  EXPECT_FALSE(reading.done());
  EXPECT_EQ(into.capacity_held(), 0U);
  peer_sends("x");
  run(wait_until(loop, [&reading] { return reading.done(); }));
  EXPECT_EQ(into.to_string(), "x");
}

#ifndef NDEBUG
TEST(SocketsDeathTest, DestroyingWithAPendingCallIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Counters counters;
        EpollLoop loop;
        const auto pair = test::tcp_socket_pair();
        auto stream = std::make_unique<SocketStream>(loop, counters, pair.first);
        Buffer into;
        auto reading = start(stream->read(into, 10));
        stream.reset();
      },
      "a call is pending");
}
#endif

}  // namespace
}  // namespace tunnel
