// SPDX-License-Identifier: Apache-2.0
// What of a route's exchange may take how long: its timeout, from the end of the request, or of what the client of a
// tunnel sends, to the end of the answer; its idle timeout; and none of them.
#include <gtest/gtest.h>

#include <string>

#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::Answer;
using test::HttpClient;
using test::HttpServer;
using test::kOrigin;
using test::World;

constexpr seconds kTimeout{7};

plan::Plan front(plan::Match match, std::variant<plan::Respond, plan::Forward, plan::Terminate> action) {
  plan::Plan plan;
  plan::HttpProxy proxy;
  proxy.routes.push_back({std::move(match), std::move(action), {}});
  plan.listeners.push_back(test::tcp_listener("front", 9000, std::move(proxy)));
  plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80));
  return plan;
}

plan::Plan passing() { return front({}, plan::Forward{"out", kTimeout}); }
plan::Plan ending() { return front({true, "/"}, plan::Terminate{"out", false, kTimeout}); }

struct RouteTimes : testing::TestWithParam<Http> {
  HttpClient client_of(World& world) const { return {world, GetParam(), world.dial("front")}; }
};

INSTANTIATE_TEST_SUITE_P(Over, RouteTimes, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return test::version_name(one.param); });

TEST_P(RouteTimes, ARequestWithoutAnAnswerIsA504) {
  World world(passing());
  const HttpServer server(world, kOrigin, Http::h1, &test::no_answer);
  HttpClient client = client_of(world);
  auto asking = client.ask(test::get("a.example"));
  world.loop.advance(kTimeout - milliseconds(1));
  EXPECT_FALSE(asking.done());
  world.loop.advance(milliseconds(1));
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 504);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=http_response_timeout");
  EXPECT_EQ(world.count(Counter::response_timeouts), 1U);
  ASSERT_EQ(world.records.all.size(), 1U);
  EXPECT_EQ(world.records.all[0].error.kind, Error::Kind::timeout);
}

// The connect has more time, and there is none left for a connect that came late.
TEST_P(RouteTimes, TheTimeRunsWhileTheConnectionIsMade) {
  World world(passing());
  world.network.at(kOrigin).silent = true;
  HttpClient client = client_of(world);
  auto asking = client.ask(test::get("a.example"));
  world.loop.advance(kTimeout);
  ASSERT_TRUE(asking.done());
  EXPECT_EQ(asking.value().field("proxy-status"), "tunnel; error=http_response_timeout");
  EXPECT_EQ(world.count(Counter::response_timeouts), 1U);
  EXPECT_EQ(world.count(Counter::connect_timeouts), 0U);
  world.network.at(kOrigin).silent = false;
  world.network.at(kOrigin).delay = seconds(5);
  const HttpServer server(world, kOrigin, Http::h1, &test::no_answer);
  auto again = client.ask(test::get("a.example"));
  world.loop.advance(kTimeout);
  ASSERT_TRUE(again.done());
  EXPECT_EQ(again.value().head.status, 504);
}

TEST_P(RouteTimes, AnAnswerUnderWayIsBrokenOff) {
  World world(passing());
  const HttpServer server(world, kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
    const http::ResponseHead head{200, {}};
    Result<void> sent = co_await exchange.respond(head, http::Body::unknown());
    while (sent.ok()) {
      Buffer part("more ");
      sent = co_await exchange.write(part);
      co_await Sleep(exchange.loop(), exchange.loop().now() + seconds(1));
    }
  });
  HttpClient client = client_of(world);
  auto asking = client.ask(test::get("a.example"));
  world.loop.advance(kTimeout + seconds(1));
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_TRUE(answer.body.starts_with("more more "));
  EXPECT_FALSE(answer.ended);
  world.loop.advance(seconds(2));  // the origin hears of it when it writes again
  EXPECT_EQ(world.count(Counter::response_timeouts), 1U);
}

TEST_P(RouteTimes, ASlowRequestHasAllTheTimeItNeeds) {
  World world(passing());
  const HttpServer server(world, kOrigin, Http::h1, &test::no_answer);
  HttpClient client = client_of(world);
  auto exchange = client.open();
  Result<void> sent = world.loop.await(exchange->send(test::get("a.example", "/", "POST"), http::Body::unknown()));
  ASSERT_TRUE(sent.ok());
  auto asking = test::start(exchange->head());
  for (int i = 0; i < 5; ++i) {
    Buffer part("slow");
    sent = world.loop.await(exchange->write(part));
    ASSERT_TRUE(sent.ok());
    world.loop.advance(seconds(5));
  }
  EXPECT_FALSE(asking.done());
  sent = world.loop.await(exchange->finish({}));
  ASSERT_TRUE(sent.ok());
  world.loop.advance(kTimeout - milliseconds(1));
  EXPECT_FALSE(asking.done());
  world.loop.advance(milliseconds(1));
  ASSERT_TRUE(asking.done());
  Result<http::ResponseHead> answer = asking.value();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 504);
}

TEST_P(RouteTimes, ATunnelHasItsTimeOnceItsClientHasEnded) {
  World world(ending());
  world.network.at(kOrigin);
  HttpClient client = client_of(world);
  auto tunnel = client.open();
  Result<void> sent = world.loop.await(tunnel->send(test::connect_request("a.example:1"), http::Body::tunnel()));
  ASSERT_TRUE(sent.ok());
  Result<http::ResponseHead> answer = world.loop.await(tunnel->head());
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 200);
  world.loop.advance(minutes(30));
  sent = world.loop.await(tunnel->shutdown_write());
  ASSERT_TRUE(sent.ok());
  test::Peer& origin = world.network.peer(kOrigin);
  EXPECT_EQ(origin.fate(), "end");
  for (int i = 0; i < 6; ++i) {
    world.loop.advance(seconds(1));
    origin.send(10);
  }
  world.loop.advance(milliseconds(999));
  EXPECT_EQ(world.count(Counter::response_timeouts), 0U);
  world.loop.advance(milliseconds(1));
  EXPECT_EQ(world.count(Counter::response_timeouts), 1U);
  world.loop.advance(seconds(5));  // what had come has left
  ASSERT_EQ(world.records.all.size(), 1U);
  EXPECT_EQ(world.records.all[0].error.text(), "the response took longer than the timeout of its route");
  EXPECT_EQ(world.records.all[0].bytes_sent, 60U);
  tunnel.reset();
}

TEST_P(RouteTimes, WithoutAnyATunnelIsNeverIdle) {
  plan::Plan plan = front({true, "/"}, plan::Terminate{"out"});
  plan.listeners[0].idle_timeout = plan::Milliseconds(0);
  World world(plan);
  world.network.at(kOrigin);
  HttpClient client = client_of(world);
  world.loop.advance(seconds(1));
  auto tunnel = client.open();
  Result<void> sent = world.loop.await(tunnel->send(test::connect_request("a.example:1"), http::Body::tunnel()));
  ASSERT_TRUE(sent.ok());
  Result<http::ResponseHead> answer = world.loop.await(tunnel->head());
  ASSERT_TRUE(answer.ok());
  world.loop.advance(hours(100));
  EXPECT_EQ(world.network.peer(kOrigin).fate(), "open");
  EXPECT_EQ(world.count(Counter::idle_timeouts), 0U);
  tunnel.reset();
}

// The route's own goes before that of all streams, and that before the connection's.
TEST_P(RouteTimes, TheNearestIdleTimeoutCounts) {
  struct Case {
    std::optional<plan::Milliseconds> streams;
    std::optional<plan::Milliseconds> route;
    seconds ends;
  };
  const plan::Milliseconds none(0);
  for (const Case& one : {Case{std::nullopt, std::nullopt, seconds(50)}, Case{seconds(40), std::nullopt, seconds(40)},
                          Case{seconds(40), seconds(90), seconds(90)}, Case{none, seconds(20), seconds(20)}}) {
    plan::Plan plan = front({true, "/"}, plan::Terminate{"out", false, none, one.route});
    plan.listeners[0].idle_timeout = seconds(50);
    std::get<plan::HttpProxy>(plan.listeners[0].handler).stream_idle_timeout = one.streams;
    World world(plan);
    world.network.at(kOrigin);
    HttpClient client = client_of(world);
    auto tunnel = client.open();
    Result<void> sent = world.loop.await(tunnel->send(test::connect_request("a.example:1"), http::Body::tunnel()));
    ASSERT_TRUE(sent.ok());
    Result<http::ResponseHead> answer = world.loop.await(tunnel->head());
    ASSERT_TRUE(answer.ok());
    world.loop.advance(one.ends - milliseconds(1));
    EXPECT_EQ(world.network.peer(kOrigin).fate(), "open") << one.ends.count();
    world.loop.advance(milliseconds(1));
    EXPECT_NE(world.network.peer(kOrigin).fate(), "open") << one.ends.count();
    tunnel.reset();
  }
}

TEST_P(RouteTimes, WithoutAnIdleTimeoutAConnectionStaysBetweenRequests) {
  plan::Plan plan = front({}, plan::Respond{200, "hi"});
  plan.listeners[0].idle_timeout = plan::Milliseconds(0);
  World world(plan);
  HttpClient client = client_of(world);
  for (int i = 0; i < 2; ++i) {
    auto asking = client.ask(test::get("a.example"));
    world.loop.run();
    ASSERT_TRUE(asking.done());
    EXPECT_EQ(asking.value().body, "hi");
    world.loop.advance(hours(100));
  }
  EXPECT_EQ(world.count(Counter::idle_timeouts), 0U);
}

}  // namespace
}  // namespace tunnel
