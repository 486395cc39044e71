// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/loop_await.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using Addresses = Result<std::vector<SocketAddress>>;
using std::chrono::milliseconds;

struct ResolverTest : testing::Test {
  EpollLoop loop;
  net::Resolver resolver{2};
  Cancel client{loop};

  Addresses resolve(std::string host, std::uint16_t port = 80) {
    return test::await_on(loop, resolver.resolve(loop, std::move(host), port, client));
  }
};

TEST_F(ResolverTest, LiteralsNeedNoLoop) {
  auto v4 = test::start(resolver.resolve(loop, "192.0.2.1", 8080, client));
  ASSERT_TRUE(v4.done());
  Addresses found = v4.value();
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().to_string(), "192.0.2.1:8080");
  auto v6 = test::start(resolver.resolve(loop, "2001:db8::1", 443, client));
  ASSERT_TRUE(v6.done());
  EXPECT_EQ(v6.value()->front().to_string(), "[2001:db8::1]:443");
}

TEST_F(ResolverTest, LocalhostIsLoopbackEachAddressOnce) {
  Addresses found = resolve("localhost", 4711);
  ASSERT_TRUE(found.ok());
  ASSERT_FALSE(found->empty());
  std::set<std::string> distinct;
  for (const SocketAddress& address : *found) {
    EXPECT_TRUE(address.is_loopback()) << address.to_string();
    EXPECT_EQ(address.port(), 4711);
    distinct.insert(address.to_string());
  }
  EXPECT_EQ(distinct.size(), found->size());
}

// Which the system would take for 127.0.0.1.
TEST_F(ResolverTest, OddFormsOfAnAddressDoNotExist) {
  for (const char* spelling : {"127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "0"}) {
    Addresses found = resolve(spelling);
    ASSERT_FALSE(found.ok()) << spelling;
    EXPECT_EQ(found.error().kind, Kind::dns) << spelling;
    EXPECT_EQ(proxy_status_token(found.error()), "dns_error;rcode=\"NXDOMAIN\"") << spelling;
  }
}

TEST_F(ResolverTest, ANameThatDoesNotExist) {
  Addresses found = resolve("does-not-exist.invalid");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, Kind::dns);
  EXPECT_EQ(http_status(found.error()), 502);
  // NXDOMAIN where there is a name server, SERVFAIL where there is none.
  EXPECT_TRUE(proxy_status_token(found.error()).starts_with("dns_error;rcode=\""));
  EXPECT_NE(found.error().text().find("does-not-exist.invalid"), std::string::npos);
}

TEST_F(ResolverTest, CancelledWhileTheThreadIsAtWork) {
  auto resolving = test::start(resolver.resolve(loop, "localhost", 80, client));
  ASSERT_FALSE(resolving.done());
  client.cancel(Error(Kind::reset, "client left"));  // the answer can only come by the loop, which has not run
  test::settle(loop);
  ASSERT_TRUE(resolving.done());
  Addresses found = resolving.value();
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, Kind::reset);
  // The late answer harms nobody.
  Cancel other(loop);
  EXPECT_TRUE(test::await_on(loop, resolver.resolve(loop, "localhost", 80, other)).ok());
}

TEST_F(ResolverTest, RunningOutOfTimeIsTheNameServersFault) {
  auto resolving = test::start(resolver.resolve(loop, "localhost", 80, client));
  client.cancel(Error(Kind::timeout, "connecting took too long"));
  test::settle(loop);
  Addresses found = resolving.value();
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, Kind::timeout);
  EXPECT_EQ(http_status(found.error()), 504);
  EXPECT_EQ(proxy_status_token(found.error()), "dns_timeout");
}

TEST_F(ResolverTest, CancelledBeforeAsking) {
  client.cancel(Error(Kind::shutdown));
  auto resolving = test::start(resolver.resolve(loop, "localhost", 80, client));
  ASSERT_TRUE(resolving.done());
  EXPECT_EQ(resolving.value().error().kind, Kind::shutdown);
}

TEST_F(ResolverTest, ManyQueriesOverFewThreads) {
  std::vector<test::Started<Addresses>> all;
  std::size_t ended = 0;
  for (int i = 0; i < 50; ++i)
    all.push_back(test::start(resolver.resolve(loop, "localhost", 80, client), [&] {
      if (++ended == 50) loop.stop();
    }));
  loop.run();
  for (auto& one : all) EXPECT_TRUE(one.value().ok());
}

TEST(Resolver, MayGoWhileItsThreadsAreAtWork) {
  EpollLoop loop;
  Cancel client(loop);
  auto resolver = std::make_unique<net::Resolver>(1);
  auto resolving = test::start(resolver->resolve(loop, "localhost", 80, client));
  resolver.reset();
  client.cancel(Error(Kind::shutdown));
  test::settle(loop);
  EXPECT_TRUE(resolving.done());
}

}  // namespace
}  // namespace tunnel
