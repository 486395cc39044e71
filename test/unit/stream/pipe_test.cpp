// SPDX-License-Identifier: Apache-2.0
// Bulk between two sockets that stays in the kernel: what arrives, what is told, and when it is copied instead.
#include "stream/pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>

#include "base/fd.hpp"
#include "stream/pump.hpp"
#include "stream/socket_stream.hpp"
#include "support/bulk.hpp"
#include "support/loop_await.hpp"
#include "support/pattern.hpp"
#include "support/tcp_pair.hpp"
#include "support/tcp_peer.hpp"

namespace tunnel {
namespace {

using std::chrono::seconds;
using test::Got;
using test::kMebibyte;
using test::receive_all;
using test::send_all;

class Bulk : public testing::Test {
 protected:
  Bulk() {
    downstream = connect(client);
    upstream = connect(server);
  }
  std::unique_ptr<SocketStream> connect(Fd& peer) { return test::connect_program(loop, counters, limits, peer); }
  // Relays until both directions have ended or one was reset, then lets both streams go.
  Error relay() {
    const FlowTimeouts timeouts{seconds(60), seconds(60), seconds(5)};
    Relay relaying({loop, counters, limits}, timeouts, *downstream, *upstream);
    const RelayEnd end = test::await_on(loop, relaying.run(), seconds(60));
    downstream.reset();
    upstream.reset();
    return end.error;
  }
  std::uint64_t spliced() const { return counters.value(Counter::spliced_bytes); }

  Limits limits;
  Counters counters;
  EpollLoop loop;
  Fd client;
  Fd server;
  std::unique_ptr<SocketStream> downstream;
  std::unique_ptr<SocketStream> upstream;
};

TEST_F(Bulk, BothWaysAtOnceArriveWholeAndMostlyWithoutBeingCopied) {
  constexpr std::size_t kBytes = 32 * kMebibyte;
  const auto both = [](const Fd& fd, Got& got) {
    std::thread sending([&fd] {
      send_all(fd.get(), 0, kBytes);
      ::shutdown(fd.get(), SHUT_WR);
    });
    got = receive_all(fd.get());
    sending.join();
  };
  Got at_client;
  Got at_server;
  std::thread one([&] { both(client, at_client); });
  std::thread other([&] { both(server, at_server); });
  EXPECT_EQ(relay().kind, Error::Kind::none);
  one.join();
  other.join();
  for (const Got* got : {&at_client, &at_server}) {
    EXPECT_EQ(got->check.bytes(), kBytes);
    EXPECT_TRUE(got->check.intact());
    EXPECT_EQ(got->number, 0);
  }
  EXPECT_GT(spliced(), kBytes);
}

TEST_F(Bulk, MessagesBetweenBulkKeepTheirOrder) {
  // Large and small pieces in turn, each small one answered before the next large one leaves.
  constexpr int kRounds = 20;
  constexpr std::size_t kLarge = 3 * kMebibyte + 17;
  std::thread talking([this] {
    std::uint64_t at = 0;
    for (int i = 0; i < kRounds; ++i) {
      for (const std::size_t bytes : {kLarge, std::size_t{5}}) {
        send_all(client.get(), at, bytes);
        at += bytes;
      }
      char answer = 0;
      if (::recv(client.get(), &answer, 1, MSG_WAITALL) != 1) break;
    }
    ::shutdown(client.get(), SHUT_WR);
  });
  Got got;
  std::thread answering([this, &got] {
    std::string piece(kLarge + 5, '\0');
    for (int i = 0; i < kRounds; ++i) {
      if (::recv(server.get(), piece.data(), piece.size(), MSG_WAITALL) != static_cast<ssize_t>(piece.size())) return;
      got.check.add(piece);
      (void)::send(server.get(), "!", 1, MSG_NOSIGNAL);
    }
    ::shutdown(server.get(), SHUT_WR);
  });
  EXPECT_EQ(relay().kind, Error::Kind::none);
  talking.join();
  answering.join();
  EXPECT_EQ(got.check.bytes(), kRounds * (kLarge + 5));
  EXPECT_TRUE(got.check.intact());
  EXPECT_GT(spliced(), kLarge);
}

TEST_F(Bulk, AResetOfTheSourceIsPassedOnBehindTheBytesInThePipe) {
  // The server reads nothing before the client has gone: sockets and pipe are full by then.
  std::thread sending([this] {
    send_all(client.get(), 0, 8 * kMebibyte);
    test::reset(client);
  });
  Got got;
  std::thread receiving([&] { got = receive_all(server.get()); });
  EXPECT_EQ(relay().kind, Error::Kind::reset);
  sending.join();
  receiving.join();
  EXPECT_TRUE(got.check.intact());
  EXPECT_EQ(got.number, ECONNRESET);
  EXPECT_GT(spliced(), 0U);
}

// The kernel tells splice() of a reset once, and recv() then of an end.
TEST_F(Bulk, AResetThatOnlySpliceIsToldOfIsNoEnd) {
  ASSERT_EQ(::send(client.get(), "abc", 3, MSG_NOSIGNAL), 3);
  test::settle(loop);
  test::reset(client);
  Pipe pipe;
  ASSERT_TRUE(pipe.open(limits.pipe_bytes));
  Buffer copied;
  Io io;
  do {
    io = downstream->try_fill(pipe, limits.pipe_bytes);
    if (io.state == Io::State::would_block) io = downstream->try_read(copied, 65536);
  } while (io.state == Io::State::done);
  EXPECT_EQ(io.state, Io::State::failed);
  EXPECT_EQ(downstream->read_side(), ReadSide::reset);
  EXPECT_EQ(downstream->error().kind, Error::Kind::reset);
}

TEST_F(Bulk, ASinkThatGoesResetsTheSourceAndRaisesNoSignal) {
  int sending_ended_with = 0;
  std::thread sending([&] {
    const std::string piece = test::pattern(0, kMebibyte);
    while (::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
    sending_ended_with = errno;
  });
  std::thread receiving([this] {
    std::string piece(kMebibyte, '\0');
    for (int i = 0; i < 16; ++i) (void)::recv(server.get(), piece.data(), piece.size(), MSG_WAITALL);
    test::reset(server);
  });
  EXPECT_EQ(relay().kind, Error::Kind::reset);
  sending.join();
  receiving.join();
  EXPECT_TRUE(sending_ended_with == ECONNRESET || sending_ended_with == EPIPE) << sending_ended_with;
  EXPECT_GT(spliced(), 0U);
}

// The sink takes no more and has yet to answer. What is dropped meanwhile must not keep the loop from hearing the
// answer, and the sender has all of that before it is closed on.
TEST_F(Bulk, AnAnswerArrivesWholeAtASenderWhoseBytesAreDropped) {
  constexpr std::size_t kAnswer = 16 * kMebibyte;
  auto [ours, theirs] = test::local_socket_pair();
  const Fd answering(theirs);
  ::fcntl(theirs, F_SETFL, 0);  // blocking
  upstream = std::make_unique<SocketStream>(loop, counters, ours, SocketKind::local);
  ::shutdown(answering.get(), SHUT_RD);
  // Most of what is under way is still with the relay; but a window of less than a segment is 40 ms of waiting each
  // time.
  const int little = 131072;
  ::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  std::thread sending([&] {
    const std::string piece = test::pattern(0, kMebibyte);
    while (::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  Got got;
  std::thread receiving([&] {
    got = receive_all(client.get());
    ::shutdown(client.get(), SHUT_RDWR);
  });
  std::thread answer([&] {
    send_all(answering.get(), 0, kAnswer);
    ::shutdown(answering.get(), SHUT_WR);
  });
  (void)relay();
  answer.join();
  receiving.join();
  sending.join();
  EXPECT_EQ(got.check.bytes(), kAnswer);
  EXPECT_TRUE(got.check.intact());
}

TEST_F(Bulk, AnUrgentByteAmongBulkIsOneOfTheBytes) {
  constexpr std::size_t kHalf = 4 * kMebibyte;
  std::thread sending([this] {
    send_all(client.get(), 0, kHalf);
    const std::string byte = test::pattern(kHalf, 1);
    (void)::send(client.get(), byte.data(), 1, MSG_OOB | MSG_NOSIGNAL);
    send_all(client.get(), kHalf + 1, kHalf);
    ::shutdown(client.get(), SHUT_WR);
    (void)receive_all(client.get());
  });
  Got got;
  std::thread receiving([&] {
    got = receive_all(server.get());
    ::shutdown(server.get(), SHUT_WR);
  });
  EXPECT_EQ(relay().kind, Error::Kind::none);
  sending.join();
  receiving.join();
  EXPECT_EQ(got.check.bytes(), 2 * kHalf + 1);
  EXPECT_TRUE(got.check.intact());
}

TEST_F(Bulk, WithoutAPipeBytesAreCopied) {
  limits.pipe_bytes = 0;
  std::thread sending([this] {
    send_all(client.get(), 0, 8 * kMebibyte);
    ::shutdown(client.get(), SHUT_WR);
    (void)receive_all(client.get());
  });
  Got got;
  std::thread receiving([&] {
    got = receive_all(server.get());
    ::shutdown(server.get(), SHUT_WR);
  });
  EXPECT_EQ(relay().kind, Error::Kind::none);
  sending.join();
  receiving.join();
  EXPECT_EQ(got.check.bytes(), 8 * kMebibyte);
  EXPECT_TRUE(got.check.intact());
  EXPECT_EQ(spliced(), 0U);
}

// Runs `call` in a thread of its own, which has kept no pipe yet.
template <class Call>
void in_fresh_thread(Call call) {
  std::thread(call).join();
}

TEST(Pipes, NoneIsToBeHadWithoutDescriptors) {
  in_fresh_thread([] {
    Pipe pipe;
    {
      const test::NoDescriptors none;
      EXPECT_FALSE(pipe.open(65536));
    }
    EXPECT_TRUE(pipe.open(65536));
  });
}

TEST(Pipes, EmptyOnesAreKeptAndFullOnesAreNot) {
  in_fresh_thread([] {
    auto [ours, theirs] = test::tcp_socket_pair();
    const Fd socket(ours);
    const Fd peer(theirs);
    const std::size_t before = test::open_descriptors();
    Pipe pipe;
    ASSERT_TRUE(pipe.open(65536));
    pipe.close();
    EXPECT_EQ(test::open_descriptors(), before + 2);
    ASSERT_TRUE(pipe.open(65536));
    EXPECT_EQ(test::open_descriptors(), before + 2);
    ASSERT_EQ(::send(peer.get(), "abc", 3, MSG_NOSIGNAL), 3);
    ssize_t n = -1;
    while ((n = pipe.fill(socket.get(), 65536)) < 0 && errno == EAGAIN) {
    }
    ASSERT_EQ(n, 3);
    EXPECT_EQ(pipe.size(), 3U);
    pipe.close();
    EXPECT_TRUE(pipe.empty());
    EXPECT_EQ(test::open_descriptors(), before);
  });
}

TEST(Pipes, AThreadOpensSixteen) {
  in_fresh_thread([] {
    std::array<Pipe, 17> pipes;
    for (std::size_t i = 0; i < 16; ++i) EXPECT_TRUE(pipes.at(i).open(65536)) << i;
    EXPECT_FALSE(pipes.back().open(65536));
    pipes.front().close();
    EXPECT_TRUE(pipes.back().open(65536));
  });
}

}  // namespace
}  // namespace tunnel
