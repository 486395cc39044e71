// SPDX-License-Identifier: Apache-2.0
// --mem-limit: while buffers hold more, nothing new comes; what is under way goes on. A buffer of the test's own is
// what fills the memory: it is the process's, whoever holds it.
#include <gtest/gtest.h>

#include <string>

#include "base/memory.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::seconds;
using test::Answer;
using test::HttpClient;
using test::kOrigin;
using test::Peer;
using test::World;

constexpr std::size_t kLimit = 4 << 20;

plan::Plan limited(plan::Plan plan) {
  plan.process.memory_bytes = kLimit;
  return plan;
}

Buffer ballast() { return Buffer(std::string(kLimit + 1, 'x')); }

TEST(MemLimit, ANewTcpConnectionIsResetAndTheOthersGoOn) {
  World world(limited(test::chain(2)));
  world.network.at(kOrigin);
  auto early = world.client("front");
  world.loop.run();
  Buffer filled = ballast();
  auto late = world.client("front");
  world.loop.run();
  EXPECT_EQ(late->fate(), "reset");
  EXPECT_EQ(world.network.at(kOrigin).peers.size(), 1U);
  EXPECT_EQ(world.count(Counter::mem_refused), 1U);
  Peer& server = world.network.peer(kOrigin);
  early->send_and_fin(500'000);
  server.send_and_fin(600'000);
  world.loop.run();
  EXPECT_EQ(server.received().size(), 500'000U);
  EXPECT_EQ(early->received().size(), 600'000U);
  EXPECT_TRUE(early->ended());
  filled.clear();
  auto next = world.client("front");
  next->send(10);
  world.loop.run();
  EXPECT_EQ(next->fate(), "open");
  EXPECT_EQ(world.network.peer(kOrigin, 1).received().size(), 10U);
  EXPECT_EQ(world.count(Counter::mem_refused), 1U);
}

class MemLimitHttp : public testing::TestWithParam<Http> {};

INSTANTIATE_TEST_SUITE_P(Over, MemLimitHttp, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(MemLimitHttp, ANewConnectionIsToldSoOnceAndCloses) {
  World world(limited(test::tunnel_plan(GetParam())));
  test::join_tunnel(world);
  const Buffer filled = ballast();
  HttpClient client(world, GetParam(), world.dial("decap"));
  auto asking = client.ask(test::connect_request("example.com:80"));
  world.loop.advance(seconds(2));
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=connection_limit_reached");
  EXPECT_NE(answer.field("retry-after"), "");
  EXPECT_FALSE(client.connection().usable());
  EXPECT_EQ(world.count(Counter::mem_refused), 1U);
  EXPECT_EQ(world.open_gauges(), "");
}

TEST(MemLimit, ANewStreamIsRefusedAndItsSiblingsGoOn) {
  World world(limited(test::tunnel_plan(Http::h2)));
  test::join_tunnel(world);
  world.network.at(kOrigin);
  HttpClient client(world, Http::h2, world.dial("decap"));
  auto tunnel = client.open();
  EXPECT_TRUE(world.loop.await(tunnel->send(test::connect_request("example.com:80"), http::Body::tunnel())).ok());
  EXPECT_EQ(world.loop.await(tunnel->head())->status, 200);
  Buffer filled = ballast();
  auto asking = client.ask(test::connect_request("example.com:80"));
  world.loop.run();
  ASSERT_TRUE(asking.done());
  const Answer refused = asking.value();
  EXPECT_EQ(refused.head.status, 0);
  EXPECT_EQ(refused.error.reset_code, 7U);  // REFUSED_STREAM
  EXPECT_TRUE(refused.error.retry_safe);
  EXPECT_EQ(world.count(Counter::mem_refused), 1U);
  EXPECT_EQ(world.count(Counter::h2_streams_refused), 0U);
  EXPECT_TRUE(client.connection().usable());
  {
    Peer peer(world.loop, std::move(tunnel));
    peer.send_and_fin(100'000);
    world.loop.run();
    EXPECT_EQ(world.network.peer(kOrigin).received().size(), 100'000U);
    filled.clear();
    auto again = client.open();
    EXPECT_TRUE(world.loop.await(again->send(test::connect_request("example.com:80"), http::Body::tunnel())).ok());
    EXPECT_EQ(world.loop.await(again->head())->status, 200);
    world.network.peer(kOrigin).fin();
    world.loop.run();
    EXPECT_TRUE(peer.ended());
  }
}

TEST(MemLimit, RequestsOnAConnectionThatIsThereGoOn) {
  World world(limited(test::tunnel_plan(Http::h1)));
  HttpClient client(world, Http::h1, world.dial("decap"));
  auto first = client.ask(test::get("example.com"));
  world.loop.run();
  EXPECT_EQ(first.value().head.status, 405);
  const Buffer filled = ballast();
  auto second = client.ask(test::get("example.com"));
  world.loop.run();
  EXPECT_EQ(second.value().head.status, 405);
  EXPECT_EQ(world.count(Counter::mem_refused), 0U);
}

// Nobody else's: stalled clients themselves fill the memory up to the limit, and not far beyond.
TEST(MemLimit, StalledTunnelsStopTheNextOneAndNothingGrowsBeyond) {
  World world(limited(test::tunnel_plan(Http::h2)));
  test::join_tunnel(world);
  world.network.at(kOrigin).reading = false;
  std::vector<std::unique_ptr<Peer>> clients;
  const std::uint64_t before = memory::held();
  while (world.count(Counter::mem_refused) == 0 && clients.size() < 500) {
    clients.push_back(world.client("tcp"));
    clients.back()->send(1 << 20);
    world.loop.run();
  }
  EXPECT_LT(clients.size(), 500U);
  EXPECT_EQ(clients.back()->fate(), "reset");
  // Beside ours there are the ends of the test: a pair of sockets a client and one a server, and what a client still
  // has to send.
  const std::uint64_t all = memory::held() - before;
  EXPECT_LE(all, kLimit + (2 << 20)) << clients.size();
  for (std::size_t i = 0; i + 1 < clients.size(); ++i) EXPECT_EQ(clients[i]->fate(), "open") << i;
}

}  // namespace
}  // namespace tunnel
