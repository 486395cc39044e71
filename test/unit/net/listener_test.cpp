// SPDX-License-Identifier: Apache-2.0
// Against the kernel, on loopback.
#include "net/listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <optional>

#include "support/loop_await.hpp"
#include "support/tcp_peer.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using std::chrono::milliseconds;

TEST(BindAddresses, ABarePortIsLoopbackInBothFamilies) {
  const Limits limits;
  Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(plan::Tcp{"", 0}, 1, limits);
  ASSERT_TRUE(bound.ok()) << bound.error().text();
  ASSERT_FALSE(bound->empty());
  EXPECT_EQ(bound->front().address.ip(), "127.0.0.1");
  EXPECT_NE(bound->front().address.port(), 0);
  if (bound->size() > 1) {
    EXPECT_EQ((*bound)[1].address.ip(), "::1");
    EXPECT_EQ((*bound)[1].address.port(), bound->front().address.port());
  }
}

TEST(BindAddresses, AStarIsEveryInterface) {
  const Limits limits;
  Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(plan::Tcp{"*", 0}, 1, limits);
  ASSERT_TRUE(bound.ok()) << bound.error().text();
  EXPECT_EQ(bound->front().address.ip(), "0.0.0.0");
}

TEST(BindAddresses, ABusyPortIsNamed) {
  const Limits limits;
  const test::TcpServer other;
  Result<std::vector<net::BoundAddress>> bound =
      net::bind_addresses(plan::Tcp{"127.0.0.1", other.address().port()}, 1, limits);
  ASSERT_FALSE(bound.ok());
  EXPECT_NE(bound.error().text().find(other.address().to_string()), std::string::npos) << bound.error().text();
  EXPECT_NE(bound.error().text().find("in use"), std::string::npos) << bound.error().text();
}

TEST(BindAddresses, ANameIsRefusedWithARemedy) {
  const Limits limits;
  Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(plan::Tcp{"example.com", 80}, 1, limits);
  ASSERT_FALSE(bound.ok());
  EXPECT_NE(bound.error().text().find("IP address"), std::string::npos);
}

TEST(BindAddresses, OneSocketAWorkerAndNobodyElseBesideThem) {
  const Limits limits;
  Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(plan::Tcp{"127.0.0.1", 0}, 3, limits);
  ASSERT_TRUE(bound.ok()) << bound.error().text();
  ASSERT_EQ(bound->front().sockets.size(), 3U);
  const SocketAddress address = bound->front().address;
  for (const Fd& socket : bound->front().sockets) EXPECT_EQ(SocketAddress::local_of(socket.get()), address);
  // A second process with as many workers must not quietly share the port.
  EXPECT_FALSE(net::bind_addresses(plan::Tcp{"127.0.0.1", address.port()}, 3, limits).ok());
  // The kernel spreads connections over all three, and all of them are somebody's.
  std::vector<Fd> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(test::connect_to(address));
  std::size_t accepted = 0;
  for (const Fd& socket : bound->front().sockets) {
    std::size_t here = 0;
    while (Fd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC))) ++here;
    EXPECT_GT(here, 0U);
    accepted += here;
  }
  EXPECT_EQ(accepted, 60U);
}

struct Collect final : net::Acceptor {
  void accepted(StreamPtr stream, ConnectionInfo info) override {
    streams.push_back(std::move(stream));
    infos.push_back(std::move(info));
    if (streams.size() == stop_at) loop.stop();
  }
  explicit Collect(EpollLoop& on) : loop(on) {}
  EpollLoop& loop;
  std::size_t stop_at = 0;
  std::vector<StreamPtr> streams;
  std::vector<ConnectionInfo> infos;
};

struct ListenerTest : testing::Test {
  ListenerTest() : bound(net::bind_addresses(plan::Tcp{"127.0.0.1", 0}, 1, limits)), address(bound->front().address) {
    listener.emplace(loop, context, std::move(bound->front().sockets.front()), acceptor);
  }
  // Serves until `count` connections in all were accepted.
  void serve_until(std::size_t count) {
    acceptor.stop_at = count;
    if (acceptor.streams.size() >= count) return;
    Timer watchdog(loop, [](void* on) noexcept { static_cast<EpollLoop*>(on)->stop(); }, &loop);
    watchdog.arm(Clock::now() + std::chrono::seconds(10));
    loop.run();
  }
  EpollLoop loop;
  Counters counters;
  Limits limits;
  Context context{loop, counters, limits};
  Collect acceptor{loop};
  Result<std::vector<net::BoundAddress>> bound;
  SocketAddress address;
  std::optional<net::Listener> listener;
};

TEST_F(ListenerTest, AcceptsAndSaysWhoCame) {
  const Fd client = test::connect_to(address);
  serve_until(1);
  ASSERT_EQ(acceptor.streams.size(), 1U);
  const ConnectionInfo& info = acceptor.infos.front();
  EXPECT_EQ(info.remote, SocketAddress::local_of(client.get()));
  EXPECT_EQ(info.local, address);
  EXPECT_EQ(info.downstream, info.remote.to_string());
  EXPECT_EQ(info.local_name, address.to_string());
  EXPECT_EQ(info.hops, 0U);
}

TEST_F(ListenerTest, ABurstIsTakenInTurnsOfItsLimit) {
  limits.accepts_per_wakeup = 4;
  std::vector<Fd> clients;
  for (int i = 0; i < 21; ++i) clients.push_back(test::connect_to(address));
  serve_until(21);
  EXPECT_EQ(acceptor.streams.size(), 21U);
  EXPECT_EQ(counters.value(Counter::accept_bursts), 5U);
}

TEST_F(ListenerTest, GoesOnAfterTheBurst) {
  const Fd first = test::connect_to(address);
  serve_until(1);
  test::settle(loop);
  const Fd second = test::connect_to(address);
  serve_until(2);
  EXPECT_EQ(acceptor.streams.size(), 2U);
}

TEST_F(ListenerTest, OutOfDescriptorsItSleepsAndRecovers) {
  limits.accept_sleep = milliseconds(100);
  const Fd client = test::connect_to(address);
  timespec cpu_before{};
  timespec cpu_after{};
  {
    const test::NoDescriptors none;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_before);
    test::serve_for(loop, milliseconds(350));
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_after);
  }
  EXPECT_TRUE(acceptor.streams.empty());
  EXPECT_GE(counters.value(Counter::fd_exhausted), 2U);
  EXPECT_LE(counters.value(Counter::fd_exhausted), 4U);
  const double cpu_ms = static_cast<double>(cpu_after.tv_sec - cpu_before.tv_sec) * 1e3 +
                        static_cast<double>(cpu_after.tv_nsec - cpu_before.tv_nsec) / 1e6;
  EXPECT_LT(cpu_ms, 100.0);  // a spinning listener takes all 350
  serve_until(1);
  EXPECT_EQ(acceptor.streams.size(), 1U);
}

TEST_F(ListenerTest, MayBeClosedWhileItSleeps) {
  const Fd client = test::connect_to(address);
  {
    const test::NoDescriptors none;
    test::serve_for(loop, milliseconds(20));
  }
  EXPECT_EQ(counters.value(Counter::fd_exhausted), 1U);
  listener->close();
  EXPECT_EQ(acceptor.streams.size(), 1U);  // there is a descriptor again
  test::serve_for(loop, milliseconds(150));
  EXPECT_EQ(counters.value(Counter::fd_exhausted), 1U);
}

TEST_F(ListenerTest, ClosingTakesWhatTheKernelHadCompletedAndNothingAfter) {
  std::vector<Fd> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(test::connect_to(address));
  listener->close();
  EXPECT_EQ(acceptor.streams.size(), 40U);
  Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_NE(::connect(late.get(), address.data(), address.length()), 0);
  EXPECT_EQ(errno, ECONNREFUSED);
  listener->close();  // idempotent
  test::settle(loop);
  EXPECT_EQ(acceptor.streams.size(), 40U);
}

// A connection the kernel made before an inherited socket had our options has none of them by itself.
TEST_F(ListenerTest, WhatAnInheritedSocketAcceptsGetsOurOptions) {
  const test::TcpServer given;
  const Fd client = test::connect_to(given.address());
  Fd socket(::fcntl(given.descriptor(), F_DUPFD_CLOEXEC, 3));
  net::Listener inherited(loop, context, std::move(socket), acceptor, net::HandOver(), true);
  serve_until(1);
  acceptor.streams.clear();  // not in order: a reset
  std::array<char, 1> byte{};
  ::fcntl(client.get(), F_SETFL, 0);
  EXPECT_EQ(::recv(client.get(), byte.data(), byte.size(), 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(ThisMachine, HasItsOwnAddressesAndNoOthers) {
  const auto is_ours = [](const char* ip) { return net::is_of_this_machine(*SocketAddress::from_literal(ip, 80)); };
  EXPECT_TRUE(is_ours("127.0.0.1"));
  EXPECT_TRUE(is_ours("127.9.9.9"));
  EXPECT_TRUE(is_ours("::1"));
  EXPECT_TRUE(is_ours("0.0.0.0"));
  EXPECT_FALSE(is_ours("192.0.2.1"));  // RFC 5737: nobody's
  EXPECT_FALSE(is_ours("2001:db8::1"));
}

}  // namespace
}  // namespace tunnel
