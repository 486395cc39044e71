// SPDX-License-Identifier: Apache-2.0
// The connections a cluster may have: over them a relay and a CONNECT are refused, a request waits, and whatever ends
// gives its place back.
#include <gtest/gtest.h>

#include <string>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::seconds;
using test::Answer;
using test::both_ways;
using test::HttpClient;
using test::HttpServer;
using test::kOrigin;
using test::Seen;
using test::World;

plan::Plan limited(plan::Plan plan, const std::string& cluster) {
  for (plan::Cluster& each : plan.clusters)
    if (each.name == cluster) each.max_connections = 1;
  return plan;
}

TEST(ClusterLimit, ARelayOverItIsResetAndAnEndMakesRoom) {
  both_ways(limited(test::chain(1), "c1"), [](World& world, Seen& seen) {
    world.network.at(kOrigin);
    auto first = world.client("front");
    world.loop.run();
    auto second = world.client("front");
    world.loop.run();
    EXPECT_EQ(second->fate(), "reset");
    EXPECT_EQ(first->fate(), "open");
    EXPECT_EQ(world.network.at(kOrigin).attempts, 1U);
    first->send_and_fin(10);
    world.loop.run();
    world.network.peer(kOrigin).fin();
    world.loop.run();
    auto third = world.client("front");
    world.loop.run();
    EXPECT_EQ(world.network.at(kOrigin).attempts, 2U);
    world.network.peer(kOrigin, 1).send_and_fin(7);
    third->fin();
    world.loop.run();
    seen = {std::to_string(third->received().size()) + std::string(third->fate())};
    EXPECT_EQ(world.count(Counter::cluster_conns_refused), 1U);
  });
}

TEST(ClusterLimit, AConnectThatFailsHoldsNoPlace) {
  World world(limited(test::chain(0), "c0"));
  auto& origin = world.network.at(kOrigin);
  origin.refusal = Error(Error::Kind::refused, "refused");
  for (int i = 0; i < 3; ++i) {
    auto client = world.client("front");
    world.loop.run();
    EXPECT_EQ(client->fate(), "reset");
  }
  EXPECT_EQ(origin.attempts, 3U);
  EXPECT_EQ(world.count(Counter::cluster_conns_refused), 0U);
}

TEST(ClusterLimit, ATerminatedConnectOverItIsA503) {
  World world(limited(test::tunnel_plan(Http::h1), "out"));
  world.network.name("example.com", {"10.0.0.9"});
  world.network.at(kOrigin);
  HttpClient first(world, Http::h1, world.dial("decap"));
  auto tunnel = first.open();
  Result<void> sent = world.loop.await(tunnel->send(test::connect_request("example.com:80"), http::Body::tunnel()));
  ASSERT_TRUE(sent.ok());
  Result<http::ResponseHead> opened = world.loop.await(tunnel->head());
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->status, 200);
  HttpClient second(world, Http::h1, world.dial("decap"));
  auto asking = second.ask(test::connect_request("example.com:80"));
  world.loop.run();
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=connection_limit_reached");
  tunnel.reset();
}

TEST(ClusterLimit, ARequestOverHttp1WaitsForTheConnection) {
  plan::Plan plan;
  plan.listeners.push_back(test::route_all(test::tcp_listener("front", 9000, plan::HttpProxy{}), "out"));
  plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80));
  World world(limited(plan, "out"));
  const HttpServer server(world, kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
    co_await Sleep(exchange.loop(), exchange.loop().now() + seconds(1));
    Task<void> replying = test::reply(exchange, 200, "ok");
    co_await replying;
  });
  HttpClient one(world, Http::h1, world.dial("front"));
  HttpClient two(world, Http::h1, world.dial("front"));
  auto first = one.ask(test::get("a.example"));
  auto second = two.ask(test::get("a.example"));
  world.loop.advance(seconds(1));
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(second.done());
  world.loop.advance(seconds(1));
  ASSERT_TRUE(second.done());
  EXPECT_EQ(second.value().head.status, 200);
  EXPECT_EQ(server.connections(), 1U);
  EXPECT_EQ(world.count(Counter::cluster_conns_refused), 0U);
}

// A connection that is kept for the next exchange is nobody else's loss: the place is the pool's.
TEST(ClusterLimit, APooledConnectionThatDiedMakesRoomForTheNext) {
  plan::Plan plan;
  plan.listeners.push_back(test::route_all(test::tcp_listener("front", 9000, plan::HttpProxy{}), "out"));
  plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80));
  World world(limited(plan, "out"));
  HttpServer server(world, kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
    Task<void> replying = test::reply(exchange, 200, "ok");
    co_await replying;
  });
  HttpClient client(world, Http::h1, world.dial("front"));
  for (std::size_t i = 0; i < 3; ++i) {
    auto asking = client.ask(test::get("a.example"));
    world.loop.run();
    ASSERT_TRUE(asking.done());
    EXPECT_EQ(asking.value().head.status, 200);
    server.stream(i).abort(Error(Error::Kind::closed, "gone"));
    world.loop.run();
  }
  EXPECT_EQ(server.connections(), 3U);
  EXPECT_EQ(world.count(Counter::cluster_conns_refused), 0U);
}

}  // namespace
}  // namespace tunnel
