// SPDX-License-Identifier: Apache-2.0
// Against the kernel, on loopback.
#include "net/connector.hpp"

#include <gtest/gtest.h>

#include "support/loop_await.hpp"
#include "support/tcp_peer.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct ConnectTcp : testing::Test {
  EpollLoop loop;
  Counters counters;
  Limits limits;
  Context context{loop, counters, limits};
  Cancel client{loop};

  // An attempt that lost ends one turn after the connect it belongs to.
  void TearDown() override { test::settle(loop); }
  Result<net::Connected> connect(std::vector<SocketAddress> addresses) {
    return test::await_on(loop, net::connect_tcp(loop, context, std::move(addresses), client));
  }
};

TEST_F(ConnectTcp, Connects) {
  test::TcpServer server;
  Result<net::Connected> connected = connect({server.address()});
  ASSERT_TRUE(connected.ok());
  EXPECT_EQ(connected->address, server.address());
  EXPECT_EQ(connected->local.family(), AF_UNSPEC);
  EXPECT_EQ(server.accept_all(), 1U);
}

TEST_F(ConnectTcp, TellsOurEndWhereItIsAskedFor) {
  test::TcpServer server;
  Result<net::Connected> connected =
      test::await_on(loop, net::connect_tcp(loop, context, {server.address()}, client, true));
  ASSERT_TRUE(connected.ok());
  EXPECT_EQ(connected->local.ip(), server.address().ip());
  EXPECT_NE(connected->local.port(), 0);
  EXPECT_NE(connected->local, server.address());
}

TEST_F(ConnectTcp, Refused) {
  const test::Refusing nobody;
  Result<net::Connected> connected = connect({nobody.address()});
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind, Kind::refused);
  EXPECT_EQ(http_status(connected.error()), 502);
  EXPECT_EQ(proxy_status_token(connected.error()), "connection_refused");
  EXPECT_NE(connected.error().text().find(nobody.address().to_string()), std::string::npos);
}

TEST_F(ConnectTcp, NoAddressIsUnreachable) {
  Result<net::Connected> connected = connect({});
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind, Kind::unreachable);
}

TEST_F(ConnectTcp, ARefusalIsFollowedByTheNextAddressAtOnce) {
  const test::Refusing nobody;
  test::TcpServer server;
  const TimePoint before = Clock::now();
  Result<net::Connected> connected = connect({nobody.address(), nobody.address(), server.address()});
  ASSERT_TRUE(connected.ok());
  EXPECT_EQ(connected->address, server.address());
  EXPECT_LT(Clock::now() - before, milliseconds(200));
}

TEST_F(ConnectTcp, ADeadFirstAddressCostsLessThanHalfASecond) {
  const test::BlackHole hole;
  test::TcpServer server;
  const std::size_t descriptors = test::open_descriptors();
  const TimePoint before = Clock::now();
  {
    Result<net::Connected> connected = connect({hole.address(), server.address()});
    ASSERT_TRUE(connected.ok());
    EXPECT_EQ(connected->address, server.address());
  }
  EXPECT_GE(Clock::now() - before, milliseconds(200));  // the first did get its chance
  EXPECT_LT(Clock::now() - before, milliseconds(500));
  test::settle(loop);
  EXPECT_EQ(test::open_descriptors(), descriptors);  // the loser's is closed as well
}

TEST_F(ConnectTcp, ARefusalBesideADeadAddressIsFollowedAtOnce) {
  const test::BlackHole hole;
  const test::Refusing nobody;
  test::TcpServer server;
  const TimePoint before = Clock::now();
  Result<net::Connected> connected = connect({hole.address(), nobody.address(), server.address()});
  ASSERT_TRUE(connected.ok());
  EXPECT_LT(Clock::now() - before, milliseconds(450));
}

TEST_F(ConnectTcp, CancelWhileConnectingClosesEveryDescriptor) {
  const test::BlackHole hole;
  const std::size_t descriptors = test::open_descriptors();
  Cancel hurry(client, milliseconds(400), Error(Kind::timeout, "connect timeout"));
  Result<net::Connected> connected =
      test::await_on(loop, net::connect_tcp(loop, context, {hole.address(), hole.address(), hole.address()}, hurry));
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind, Kind::timeout);
  EXPECT_EQ(connected.error().text(), "connect timeout");
  test::settle(loop);
  EXPECT_EQ(test::open_descriptors(), descriptors);
}

TEST_F(ConnectTcp, CancelledBeforeItBegan) {
  const std::size_t descriptors = test::open_descriptors();
  test::TcpServer server;
  client.cancel(Error(Kind::shutdown));
  Result<net::Connected> connected = connect({server.address()});
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind, Kind::shutdown);
  EXPECT_EQ(server.accept_all(), 0U);
  EXPECT_EQ(test::open_descriptors(), descriptors + 1);
}

TEST_F(ConnectTcp, TriesNoMoreAddressesThanItsLimit) {
  const test::Refusing nobody;
  test::TcpServer server;
  limits.connect_tries = 2;
  Result<net::Connected> connected = connect({nobody.address(), nobody.address(), server.address()});
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind, Kind::refused);
  EXPECT_EQ(counters.value(Counter::connect_tries_cut), 1U);
  EXPECT_EQ(server.accept_all(), 0U);
}

TEST_F(ConnectTcp, ExactlyTheLimitIsNoCut) {
  const test::Refusing nobody;
  limits.connect_tries = 2;
  Result<net::Connected> connected = connect({nobody.address(), nobody.address()});
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(counters.value(Counter::connect_tries_cut), 0U);
}

TEST_F(ConnectTcp, OutOfDescriptorsIsOurOwnFault) {
  test::TcpServer server;
  Error error;
  {
    const test::NoDescriptors none;
    Result<net::Connected> connected = connect({server.address()});
    ASSERT_FALSE(connected.ok());
    error = connected.error();
  }
  EXPECT_EQ(error.kind, Kind::internal);
  EXPECT_EQ(http_status(error), 503);
  EXPECT_EQ(proxy_status_token(error), "proxy_internal_error");
  EXPECT_EQ(counters.value(Counter::fd_exhausted), 1U);
}

}  // namespace
}  // namespace tunnel
