// SPDX-License-Identifier: Apache-2.0
// --max-lifetime: a connection that is too old is drained, and reset a drain time later.
#include <gtest/gtest.h>

#include <string>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::both_ways;
using test::CompareBytes;
using test::HttpClient;
using test::HttpServer;
using test::kOrigin;
using test::Outcome;
using test::Peer;
using test::saw;
using test::Seen;
using test::World;

constexpr minutes kLifetime{10};
constexpr seconds kDrain{30};

// The listener of a plan that has the lifetime.
plan::Plan limited(plan::Plan plan, const std::string& listener) {
  plan.process.drain = kDrain;
  for (plan::Listener& each : plan.listeners)
    if (each.name == listener) each.max_lifetime = kLifetime;
  return plan;
}

// Which listener of front -> hop1 -> hop2 -> the server sets an end.
class ChainLifetime : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(At, ChainLifetime, testing::Values("front", "hop1", "hop2"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(ChainLifetime, BytesPassWhileItDrainsAndAnOrderlyEndIsOne) {
  const Outcome outcome = both_ways(limited(test::chain(2), GetParam()), [](World& world, Seen& seen) {
    world.network.at(kOrigin);
    auto client = world.client("front");
    world.loop.run();
    Peer& server = world.network.peer(kOrigin);
    world.loop.advance(kLifetime - milliseconds(1));
    EXPECT_EQ(world.count(Counter::lifetime_ends), 0U);
    world.loop.advance(milliseconds(1));
    EXPECT_EQ(world.count(Counter::lifetime_ends), 1U);
    world.loop.advance(kDrain - milliseconds(1));
    client->send_and_fin(100'000);
    server.send_and_fin(200'000);
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
    EXPECT_EQ(world.open_gauges(), "");
    world.loop.advance(kDrain);
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 200000 end", "server 100000 end"}));
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" ok/0 "), std::string::npos) << line;
}

TEST_P(ChainLifetime, WhatIsStillOpenThenIsResetHoweverBusy) {
  const Outcome outcome = both_ways(limited(test::chain(2), GetParam()), [](World& world, Seen& seen) {
    world.network.at(kOrigin);
    auto client = world.client("front");
    world.loop.run();
    Peer& server = world.network.peer(kOrigin);
    world.loop.advance(kLifetime + kDrain - milliseconds(1));
    client->send(1000);
    server.send(2000);
    world.loop.run();
    EXPECT_EQ(client->fate(), "open");
    world.loop.advance(milliseconds(1));
    seen = {saw("client", *client), saw("server", server)};
    EXPECT_EQ(world.count(Counter::lifetime_ends), 1U);
    EXPECT_EQ(world.count(Counter::drain_aborts), 0U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 2000 reset", "server 1000 reset"}));
  ASSERT_EQ(outcome.records.size(), 3U);
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" 1000/2000 630000 ms"), std::string::npos);
}

TEST(Lifetime, EveryConnectionHasItsOwnAndOnesThatEndedAreNotCounted) {
  World world(limited(test::chain(0), "front"));
  world.network.at(kOrigin);
  auto first = world.client("front");
  world.loop.advance(minutes(4));
  auto second = world.client("front");
  auto brief = world.client("front");
  world.loop.run();
  brief->reset();
  world.loop.advance(minutes(6));
  EXPECT_EQ(world.count(Counter::lifetime_ends), 1U);
  world.loop.advance(kDrain);
  EXPECT_EQ(first->fate(), "reset");
  EXPECT_EQ(second->fate(), "open");
  world.loop.advance(minutes(4));
  EXPECT_EQ(second->fate(), "reset");
  EXPECT_EQ(world.count(Counter::lifetime_ends), 2U);
}

TEST(Lifetime, TheTimeToConnectCountsAndNoDrainTimeIsAnEndAtOnce) {
  plan::Plan plan = limited(test::chain(1), "front");
  plan.listeners.front().max_lifetime = seconds(5);
  plan.process.drain = seconds(0);
  World world(std::move(plan));
  world.network.at(kOrigin).delay = seconds(4);
  auto client = world.client("front");
  world.loop.advance(milliseconds(4999));
  EXPECT_EQ(client->fate(), "open");
  world.loop.advance(milliseconds(1));
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.network.peer(kOrigin).fate(), "reset");
}

TEST(Lifetime, OfAListenerThatEchoes) {
  plan::Plan plan;
  plan.listeners.push_back(test::tcp_listener("echo", 9000, plan::Echo{}));
  World world(limited(std::move(plan), "echo"));
  auto client = world.client("echo");
  client->send(100);
  world.loop.advance(kLifetime);
  EXPECT_EQ(client->received().size(), 100U);
  EXPECT_EQ(world.count(Counter::lifetime_ends), 1U);
  world.loop.advance(kDrain);
  EXPECT_EQ(client->fate(), "reset");
}

class HttpLifetime : public testing::TestWithParam<Http> {};

INSTANTIATE_TEST_SUITE_P(Over, HttpLifetime, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(HttpLifetime, AnIdleConnectionCloses) {
  World world(limited(test::tunnel_plan(Http::h2), "decap"));
  HttpClient client(world, GetParam(), world.dial("decap"));
  auto asking = client.ask(test::get("example.com"));
  world.loop.run();
  EXPECT_EQ(asking.value().head.status, 405);
  world.loop.advance(kLifetime - milliseconds(1));
  EXPECT_TRUE(client.connection().usable());
  world.loop.advance(milliseconds(1));
  EXPECT_FALSE(client.connection().usable());
  EXPECT_EQ(world.count(Counter::lifetime_ends), 1U);
  world.loop.advance(seconds(2));
  EXPECT_EQ(world.open_gauges(), "");
}

TEST_P(HttpLifetime, AConnectionThatHasSaidNothingIsCut) {
  plan::Plan plan = limited(test::tunnel_plan(Http::h2), "decap");
  plan.process.limits = {{"head-time", 3'600'000}};
  World world(std::move(plan));
  auto client = world.client("decap");
  world.loop.advance(kLifetime);
  EXPECT_EQ(client->fate(), "reset");
}

TEST_P(HttpLifetime, ARequestUnderWayIsAnsweredAndTheNextTakesAnotherConnection) {
  World world(limited(test::tunnel_plan(Http::h2), "http"));
  test::join_tunnel(world);
  HttpServer origin(world, kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
    co_await Sleep(exchange.loop(), exchange.loop().now() + seconds(20));
    Task<void> replying = test::reply(exchange, 200, "late but whole");
    co_await replying;
  });
  HttpClient client(world, GetParam(), world.dial("http"));
  auto early = client.ask(test::get("example.com"));
  world.loop.advance(kLifetime - seconds(10));
  EXPECT_EQ(early.value().body, "late but whole");
  auto asking = client.ask(test::get("example.com"));
  world.loop.advance(seconds(15));
  EXPECT_FALSE(asking.done());
  if (GetParam() == Http::h2) {
    EXPECT_FALSE(client.connection().usable());  // GOAWAY came with the end of the lifetime
  }
  world.loop.advance(seconds(6));
  ASSERT_TRUE(asking.done());
  const test::Answer answer = asking.value();
  EXPECT_EQ(answer.body, "late but whole");
  EXPECT_TRUE(answer.ended);
  if (GetParam() == Http::h1) {
    EXPECT_EQ(answer.field("connection"), "close");
  }
  EXPECT_FALSE(client.connection().usable());
  // The tunnel behind it is not the client's: another connection finds it warm.
  const std::size_t tunnels = origin.connections();
  HttpClient another(world, GetParam(), world.dial("http"));
  auto again = another.ask(test::get("example.com"));
  world.loop.advance(seconds(21));
  EXPECT_EQ(again.value().body, "late but whole");
  EXPECT_EQ(origin.connections(), tunnels);
}

TEST_P(HttpLifetime, ATunnelGoesOnForTheDrainTimeThenIsReset) {
  World world(limited(test::tunnel_plan(GetParam()), "decap"));
  test::join_tunnel(world);
  world.network.at(kOrigin);
  auto quick = world.client("tcp");
  auto slow = world.client("tcp");
  world.loop.advance(kLifetime + seconds(10));
  EXPECT_EQ(world.count(Counter::lifetime_ends), GetParam() == Http::h1 ? 2U : 1U);
  quick->send_and_fin(100'000);
  world.loop.run();
  Peer& server = world.network.peer(kOrigin);
  server.send_and_fin(200'000);
  world.loop.run();
  EXPECT_EQ(server.received().size(), 100'000U);
  EXPECT_EQ(quick->received().size(), 200'000U);
  EXPECT_TRUE(quick->ended());
  // A new tunnel takes a new connection, whose life begins.
  auto next = world.client("tcp");
  next->send(10);
  world.loop.advance(seconds(20) - milliseconds(1));
  EXPECT_EQ(slow->fate(), "open");
  world.loop.advance(milliseconds(1));
  EXPECT_EQ(slow->fate(), "reset");
  EXPECT_EQ(world.network.peer(kOrigin, 1).fate(), "reset");
  world.loop.advance(minutes(5));
  EXPECT_EQ(next->fate(), "open");
  EXPECT_EQ(world.network.peer(kOrigin, 2).received().size(), 10U);
}

}  // namespace
}  // namespace tunnel
