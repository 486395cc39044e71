// SPDX-License-Identifier: Apache-2.0
// SIGTERM as the handlers see it: nothing new, what is under way ends in its time, the rest is cut.
#include <gtest/gtest.h>

#include <string>

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
using test::Peer;
using test::World;

class Drain : public testing::TestWithParam<Http> {};

INSTANTIATE_TEST_SUITE_P(Over, Drain, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(Drain, IdleConnectionsCloseAtOnce) {
  World world(test::tunnel_plan(GetParam()));
  HttpClient client(world, GetParam(), world.dial("decap"));
  auto asking = client.ask(test::get("example.com"));
  world.loop.run();
  EXPECT_EQ(asking.value().head.status, 405);
  auto draining = test::start(world.stage->drain(seconds(30)));
  world.loop.advance(seconds(2));
  EXPECT_TRUE(draining.done());
  EXPECT_FALSE(client.connection().usable());
  EXPECT_EQ(world.open_gauges(), "");
}

TEST_P(Drain, ARequestUnderWayIsAnswered) {
  World world(test::tunnel_plan(Http::h2));
  test::join_tunnel(world);
  HttpServer origin(world, kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
    co_await Sleep(exchange.loop(), exchange.loop().now() + seconds(5));
    Task<void> replying = test::reply(exchange, 200, "late but whole");
    co_await replying;
  });
  HttpClient client(world, GetParam(), world.dial("http"));
  auto asking = client.ask(test::get("example.com"));
  world.loop.run();
  auto draining = test::start(world.stage->drain(seconds(30)));
  world.loop.advance(seconds(4));
  EXPECT_FALSE(draining.done());
  world.loop.advance(seconds(3));
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.body, "late but whole");
  EXPECT_TRUE(answer.ended);
  EXPECT_FALSE(client.connection().usable());
  world.loop.advance(seconds(2));
  ASSERT_TRUE(draining.done());
  EXPECT_EQ(draining.value(), 0U);
  EXPECT_EQ(world.open_gauges(), "");
}

TEST_P(Drain, TunnelsGoOnUntilTheDeadlineThenAreReset) {
  World world(test::tunnel_plan(GetParam()));
  test::join_tunnel(world);
  world.network.at(kOrigin);
  auto quick = world.client("tcp");
  auto slow = world.client("tcp");
  world.loop.run();
  auto draining = test::start(world.stage->drain(seconds(30)));
  world.loop.advance(seconds(10));
  // Bytes still pass, both ways.
  quick->send_and_fin(100'000);
  world.loop.run();
  Peer& server = world.network.peer(kOrigin);
  EXPECT_EQ(server.received().size(), 100'000U);
  server.send_and_fin(200'000);
  world.loop.run();
  EXPECT_EQ(quick->received().size(), 200'000U);
  EXPECT_TRUE(quick->ended());
  world.loop.advance(milliseconds(19'999));
  EXPECT_EQ(slow->fate(), "open");
  EXPECT_FALSE(draining.done());
  world.loop.advance(seconds(1));
  EXPECT_EQ(slow->fate(), "reset");
  EXPECT_EQ(world.network.peer(kOrigin, 1).fate(), "reset");
  ASSERT_TRUE(draining.done());
  EXPECT_GE(draining.value(), 1U);
  EXPECT_EQ(world.open_gauges(), "");
}

TEST_P(Drain, AnUploadThatNeverEndsIsCutAtTheDeadline) {
  World world(test::tunnel_plan(GetParam()));
  test::join_tunnel(world);
  world.network.at(kOrigin).reading = false;
  auto client = world.client("tcp");
  client->send(64 << 20);
  world.loop.run();
  auto draining = test::start(world.stage->drain(seconds(5)));
  world.loop.advance(seconds(5));
  const TimePoint deadline = world.loop.now();
  world.loop.run_until([&draining] { return draining.done(); }, seconds(600));
  EXPECT_LE(world.loop.now() - deadline, seconds(1)) << (world.loop.now() - deadline).count();
  EXPECT_EQ(draining.value(), 3U);  // tcp, encap, decap, each once
  EXPECT_TRUE(client->failed());
}

}  // namespace
}  // namespace tunnel
