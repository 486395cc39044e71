// SPDX-License-Identifier: Apache-2.0
// What --envoy-compat makes of a plan, each as Envoy 1.40 was seen to do it, and what the plan does without it.
// test/e2e/test_envoy_compat.py shows the same to both.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "runtime/response_flags.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Answer;
using test::HttpClient;
using test::HttpServer;
using test::kOrigin;
using test::World;

const std::string kProxy = "10.0.0.2:3128";
const std::string kReason = "upstream connect error or disconnect/reset before headers. reset reason: ";

plan::Plan as_envoy(plan::Plan plan) {
  plan.process.envoy_compat = true;
  return plan;
}

std::string flags(const World& world, std::string_view listener) {
  for (const AccessRecord& record : world.records.all)
    if (record.listener == listener) return std::string(runtime::response_flag(record).flag);
  return "no record";
}

struct EnvoyCompat : testing::TestWithParam<Http> {
  // A GET into the tunnel of tunnel_plan().
  Answer ask_inside(World& world) const {
    HttpClient client(world, Http::h1, world.dial("http"));
    auto asking = client.ask(test::get("a.example"));
    world.loop.advance(seconds(1));
    EXPECT_TRUE(asking.done());
    return asking.done() ? asking.value() : Answer{};
  }
};

INSTANTIATE_TEST_SUITE_P(Over, EnvoyCompat, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return test::version_name(one.param); });

// --- an internal listener takes a connect at once ---
TEST_P(EnvoyCompat, ARefusedTunnelIsAConnectionThatHasEnded) {
  World world(as_envoy(test::tunnel_plan(GetParam())));
  const HttpServer proxy(world, kProxy, GetParam(),
                         [](http::ServerExchange& exchange) { return test::reply(exchange, 403, "no"); });
  world.network.at(kProxy).delay = milliseconds(5);
  const Answer answer = ask_inside(world);
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.body, kReason + "connection termination");
  EXPECT_EQ(answer.field("proxy-status"), "");
  EXPECT_EQ(flags(world, "http"), "UC");
  EXPECT_EQ(flags(world, "encap"), "UF");
}

TEST_P(EnvoyCompat, WhatFailsAtOnceIsAConnectThatFailed) {
  World world(as_envoy(test::tunnel_plan(GetParam())));
  world.network.at(kProxy).refusal = Error(Error::Kind::refused, "connection refused");
  const Answer answer = ask_inside(world);
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.body, kReason + "remote connection failure");
  EXPECT_EQ(flags(world, "http"), "UF");
}

TEST_P(EnvoyCompat, WithoutItTheOutcomeOfTheTunnelIsTold) {
  World world(test::tunnel_plan(GetParam()));
  const HttpServer proxy(world, kProxy, GetParam(),
                         [](http::ServerExchange& exchange) { return test::reply(exchange, 403, "no"); });
  const Answer answer = ask_inside(world);
  EXPECT_EQ(answer.head.status, 502);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; received-status=403");
  EXPECT_EQ(flags(world, "http"), "UF");
}

TEST_P(EnvoyCompat, AClientOfBytesIsResetBehindARefusedTunnel) {
  World world(as_envoy(test::tunnel_plan(GetParam())));
  const HttpServer proxy(world, kProxy, GetParam(),
                         [](http::ServerExchange& exchange) { return test::reply(exchange, 403, "no"); });
  world.network.at(kProxy).delay = milliseconds(5);
  auto client = world.client("tcp");
  client->send(10);
  world.loop.advance(seconds(1));
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(flags(world, "tcp"), "UR");
  EXPECT_EQ(flags(world, "encap"), "UF");
}

TEST_P(EnvoyCompat, ATunnelThatOpensCarriesWhatWasSentBefore) {
  World world(as_envoy(test::tunnel_plan(GetParam(), 1)));
  const HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  world.network.at(kProxy).delay = milliseconds(5);
  auto client = world.client("tcp");
  client->send_and_fin(100000);
  world.loop.advance(seconds(1));
  EXPECT_EQ(test::saw("client", *client), "client 100000 end");
  EXPECT_TRUE(client->pattern_intact());
  client.reset();
  world.end();
  EXPECT_EQ(world.open_gauges(), "");
}

// --- the upstream's end is the tunnel's ---
struct Tunnel {
  explicit Tunnel(plan::Plan plan, Http version, Duration timeout = {})
      : world(with_timeout(std::move(plan), timeout)) {
    world.network.at(kOrigin);
    client.emplace(world, version, world.dial("front"));
    stream = client->open();
    Result<void> sent = world.loop.await(stream->send(test::connect_request("a.example:1"), http::Body::tunnel()));
    EXPECT_TRUE(sent.ok());
    Result<http::ResponseHead> answer = world.loop.await(stream->head());
    EXPECT_TRUE(answer.ok() && answer->status == 200);
  }
  static plan::Plan with_timeout(plan::Plan plan, Duration timeout) {
    auto& proxy = std::get<plan::HttpProxy>(plan.listeners[0].handler);
    std::get<plan::Terminate>(proxy.routes[0].action).timeout = std::chrono::duration_cast<plan::Milliseconds>(timeout);
    return plan;
  }
  test::Peer& origin() { return world.network.peer(kOrigin); }
  // What else the client is sent.
  std::string rest() {
    Buffer bytes;
    Result<std::size_t> n{std::size_t{1}};
    while (n.ok() && *n > 0) n = world.loop.await(stream->read(bytes, 1000));
    return bytes.to_string() + (n.ok() ? ", end" : ", reset");
  }

  World world;
  std::optional<HttpClient> client;
  std::unique_ptr<http::ClientExchange> stream;
};

plan::Plan ending() {
  plan::Plan plan;
  plan.listeners.push_back(test::terminate_all(test::tcp_listener("front", 9000, plan::HttpProxy{}), "out"));
  plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80));
  return plan;
}

TEST_P(EnvoyCompat, TheEndOfTheUpstreamIsTheClientsToo) {
  Tunnel tunnel(as_envoy(ending()), GetParam());
  tunnel.origin().send_text("down");
  tunnel.origin().fin();
  EXPECT_EQ(tunnel.rest(), "down, end");
  Buffer late("up");
  (void)tunnel.world.loop.await(tunnel.stream->write(late)).ok();
  tunnel.world.loop.run();
  EXPECT_EQ(test::saw("origin", tunnel.origin()), "origin 0 end");
  EXPECT_EQ(flags(tunnel.world, "front"), "");
  tunnel.stream.reset();
}

TEST_P(EnvoyCompat, WithoutItTheClientMayGoOn) {
  Tunnel tunnel(ending(), GetParam());
  tunnel.origin().send_text("down");
  tunnel.origin().fin();
  EXPECT_EQ(tunnel.rest(), "down, end");
  Buffer late("up");
  EXPECT_TRUE(tunnel.world.loop.await(tunnel.stream->write(late)).ok());
  tunnel.world.loop.run();
  EXPECT_EQ(tunnel.origin().received(), "up");
  tunnel.stream.reset();
}

TEST_P(EnvoyCompat, AnUpstreamThatEndsAndReadsNothingHoldsNobody) {
  Tunnel tunnel(as_envoy(ending()), GetParam());
  World& world = tunnel.world;
  tunnel.origin().read_on(0);
  Buffer bulk(std::string(4'000'000, 'x'));
  auto sending = test::start(tunnel.stream->write(bulk));
  world.loop.run();
  EXPECT_FALSE(sending.done());
  tunnel.origin().fin();
  EXPECT_EQ(tunnel.rest(), ", end");
  tunnel.stream->abort(Error(Error::Kind::cancelled));
  world.loop.run();
  EXPECT_TRUE(sending.done());
  EXPECT_EQ(world.records.all.size(), 1U);
  tunnel.stream.reset();
}

// --- the timeout of a route ---
TEST(EnvoyCompatRoute, ATunnelWhoseRouteHasNoTimeLeftIsResetAsAnInternalError) {
  Tunnel tunnel(as_envoy(ending()), Http::h2, seconds(15));
  ASSERT_TRUE(tunnel.world.loop.await(tunnel.stream->shutdown_write()).ok());
  tunnel.world.loop.advance(seconds(15) - milliseconds(1));
  EXPECT_EQ(tunnel.origin().fate(), "end");
  EXPECT_EQ(tunnel.stream->read_side(), ReadSide::open);
  tunnel.world.loop.advance(seconds(1));
  EXPECT_EQ(tunnel.rest(), ", reset");
  EXPECT_EQ(tunnel.stream->error().reset_code, 2U);
  EXPECT_EQ(flags(tunnel.world, "front"), "UT");
  tunnel.stream.reset();
}

// --- only 200 opens a tunnel over HTTP/2 ---
TEST_P(EnvoyCompat, Only200OpensATunnelOverHttp2) {
  for (const bool compat : {false, true}) {
    World world(compat ? as_envoy(test::tunnel_plan(GetParam())) : test::tunnel_plan(GetParam()));
    std::uint32_t code = 0;
    const HttpServer proxy(world, kProxy, GetParam(), [&code](http::ServerExchange& exchange) -> Task<void> {
      const http::ResponseHead head{202, {}};
      Result<void> sent = co_await exchange.respond(head, http::Body::tunnel());
      Buffer bytes;
      if (sent.ok()) (void)(co_await exchange.read(bytes, 10)).ok();
      code = exchange.error().reset_code;
    });
    auto client = world.client("tcp");
    world.loop.advance(seconds(1));
    const bool refused = compat && GetParam() == Http::h2;
    EXPECT_EQ(client->fate(), refused ? "reset" : "open") << compat;
    EXPECT_EQ(flags(world, "encap"), refused ? "UF" : "no record") << compat;
    EXPECT_EQ(code, refused ? 2U : 0U) << compat;
  }
}

}  // namespace
}  // namespace tunnel
