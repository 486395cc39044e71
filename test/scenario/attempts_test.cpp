// SPDX-License-Identifier: Apache-2.0
// A tcp_proxy with several attempts: what fails on its way is tried again, and what we refuse ourselves is not.
#include <gtest/gtest.h>

#include <string>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::both_ways;
using test::HttpServer;
using test::kOrigin;
using test::Seen;
using test::World;

constexpr const char* kProxy = "10.0.0.2:3128";

plan::Plan three_attempts(plan::Plan plan, const std::string& listener) {
  for (plan::Listener& each : plan.listeners)
    if (each.name == listener) std::get<plan::TcpProxy>(each.handler).connect_attempts = 3;
  return plan;
}

TEST(Attempts, AConnectionMayStandAtTheThird) {
  both_ways(three_attempts(test::chain(1), "hop1"), [](World& world, Seen& seen) {
    auto& origin = world.network.at(kOrigin);
    origin.refusal = Error(Error::Kind::refused, "refused");
    origin.delay = seconds(1);
    auto client = world.client("front");
    world.loop.advance(milliseconds(2500));
    EXPECT_EQ(origin.attempts, 3U);
    origin.refusal = Error();
    world.loop.advance(milliseconds(500));
    EXPECT_EQ(origin.peers.size(), 1U);
    client->send_and_fin(1000);
    world.loop.run();
    origin.peers.at(0)->send_and_fin(2000);
    world.loop.run();
    seen = {std::to_string(client->received().size()) + std::string(client->fate())};
    EXPECT_EQ(world.count(Counter::connect_retries), 2U);
    for (const AccessRecord& record : world.records.all)
      EXPECT_EQ(record.attempts, record.listener == "hop1" ? 3U : 1U) << record.listener;
  });
}

TEST(Attempts, AreNotMoreThanThereMayBe) {
  both_ways(three_attempts(test::chain(1), "hop1"), [](World& world, Seen& seen) {
    auto& origin = world.network.at(kOrigin);
    origin.refusal = Error(Error::Kind::refused, "refused");
    auto client = world.client("front");
    world.loop.run();
    EXPECT_EQ(origin.attempts, 3U);
    seen = {std::string(client->fate())};
  });
}

TEST(Attempts, DoNotMultiplyOverHops) {
  both_ways(three_attempts(three_attempts(test::chain(1), "hop1"), "front"), [](World& world, Seen& seen) {
    auto& origin = world.network.at(kOrigin);
    origin.refusal = Error(Error::Kind::refused, "refused");
    auto client = world.client("front");
    world.loop.run();
    EXPECT_EQ(origin.attempts, 3U);
    seen = {std::string(client->fate())};
  });
}

TEST(Attempts, EachHasTheWholeConnectTimeout) {
  plan::Plan plan = three_attempts(test::chain(0), "front");
  plan.clusters[0].connect_timeout = seconds(2);
  World world(plan);
  world.network.at(kOrigin).silent = true;
  auto client = world.client("front");
  world.loop.advance(milliseconds(5999));
  EXPECT_EQ(client->fate(), "open");
  world.loop.advance(milliseconds(1));
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.count(Counter::connect_timeouts), 3U);
}

TEST(Attempts, EndWithTheClient) {
  World world(three_attempts(test::chain(0), "front"));
  world.network.at(kOrigin).silent = true;
  auto client = world.client("front");
  world.loop.advance(seconds(1));
  client->reset();
  world.loop.advance(seconds(60));
  EXPECT_EQ(world.network.at(kOrigin).attempts, 1U);
  EXPECT_EQ(world.open_gauges(), "");
}

// A tunnel that is refused is asked for again, as Envoy does.
TEST(Attempts, ATunnelMayStandAtTheThird) {
  for (const Http version : {Http::h1, Http::h2}) {
    World world(three_attempts(test::tunnel_plan(version), "encap"));
    std::size_t asked = 0;
    const HttpServer proxy(world, kProxy, version, [&asked](http::ServerExchange& exchange) -> Task<void> {
      Task<void> answering = ++asked < 3 ? test::reply(exchange, 503, "not yet") : test::echo_tunnel(exchange);
      co_await answering;
    });
    auto client = world.client("tcp");
    client->send_and_fin(1000);
    world.loop.advance(seconds(1));
    EXPECT_EQ(asked, 3U);
    EXPECT_EQ(client->received().size(), 1000U);
    EXPECT_EQ(client->fate(), "end");
    EXPECT_EQ(world.count(Counter::connect_retries), 2U);
  }
}

TEST(Attempts, WhatWeRefuseIsNotTriedAgain) {
  plan::Plan plan = three_attempts(test::chain(1), "front");
  plan.listeners[1].max_connections = 1;
  World world(plan);
  world.network.at(kOrigin);
  auto first = world.client("front");
  world.loop.run();
  auto second = world.client("front");
  world.loop.run();
  EXPECT_EQ(second->fate(), "reset");
  EXPECT_EQ(world.count(Counter::connect_retries), 0U);
  EXPECT_EQ(world.count(Counter::listener_conns_refused), 1U);
}

}  // namespace
}  // namespace tunnel
