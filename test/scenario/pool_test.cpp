// SPDX-License-Identifier: Apache-2.0
// The pool of connections to a proxy: how many there are, who waits for one, what is kept ready, and what a dead one
// costs.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/both_ways.hpp"
#include "support/h2_bytes.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using plan::Milliseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::Answer;
using test::both_ways;
using test::frame;
using test::HttpClient;
using test::HttpServer;
using test::Outcome;
using test::Peer;
using test::Seen;
using test::World;

constexpr const char* kProxy = "10.0.0.2:3128";

// tunnel_plan() with settings for the pool of "proxy".
plan::Plan pooled(Http version, const plan::Pool& pool) {
  plan::Plan plan = test::tunnel_plan(version);
  for (plan::Cluster& cluster : plan.clusters)
    if (cluster.name == "proxy") cluster.pool = pool;
  return plan;
}

// A client whose echo works has its tunnel.
bool works(World& world, Peer& client) {
  const std::size_t before = client.received().size();
  client.send(10);
  world.loop.run();
  return client.received().size() == before + 10;
}

std::vector<std::unique_ptr<Peer>> clients(World& world, int count) {
  std::vector<std::unique_ptr<Peer>> all;
  for (int i = 0; i < count; ++i) all.push_back(world.client("tcp"));
  world.loop.run();
  return all;
}

std::uint64_t pooled_now(const World& world) { return world.counters.value(Gauge::pool_connections); }

struct Conns : testing::TestWithParam<Http> {};

INSTANTIATE_TEST_SUITE_P(Over, Conns, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(Conns, WhoFindsThemFullWaitsInTurn) {
  // Two tunnels fit.
  const plan::Pool pool =
      GetParam() == Http::h1 ? plan::Pool{.connections = 2} : plan::Pool{.connections = 1, .streams = 2};
  World world(pooled(GetParam(), pool));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  auto first = clients(world, 2);
  auto waiting = clients(world, 3);
  EXPECT_EQ(pooled_now(world), pool.connections);
  EXPECT_EQ(proxy.requests().size(), 2U);
  EXPECT_EQ(world.count(Counter::pool_full), 3U);
  EXPECT_EQ(world.count(Counter::pool_queued), 3U);
  for (std::size_t i = 0; i < 2; ++i) {
    first[i]->fin();
    world.loop.advance(seconds(2));
    EXPECT_TRUE(works(world, *waiting[i])) << i;
    EXPECT_FALSE(works(world, *waiting[i + 1])) << "it is not its turn";
  }
  waiting[0]->fin();
  world.loop.advance(seconds(2));
  EXPECT_GT(waiting[2]->received().size(), 0U) << "what it sent before its tunnel stood";
}

TEST_P(Conns, WhoWaitsForAllOfTheConnectTimeIsToldOfTheLimit) {
  plan::Pool pool{.connections = 1};
  if (GetParam() == Http::h2) pool.streams = 1;
  World world(pooled(GetParam(), pool));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  auto first = clients(world, 1);
  HttpClient http(world, Http::h1, world.dial("http"));
  auto asking = http.ask(test::get("example.com"));
  auto bare = world.client("tcp");
  world.loop.advance(milliseconds(19'999));
  EXPECT_FALSE(asking.done());
  world.loop.advance(milliseconds(1));
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=connection_limit_reached");
  EXPECT_EQ(bare->fate(), "reset");
  EXPECT_EQ(world.count(Counter::connect_timeouts), 0U);
  EXPECT_TRUE(works(world, *first[0]));
}

TEST_P(Conns, WhoGivesUpLeavesTheQueue) {
  plan::Pool pool{.connections = 1};
  if (GetParam() == Http::h2) pool.streams = 1;
  World world(pooled(GetParam(), pool));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  auto first = clients(world, 1);
  auto waiting = clients(world, 2);
  waiting[0]->reset();
  world.loop.run();
  first[0]->fin();
  world.loop.advance(seconds(2));
  EXPECT_TRUE(works(world, *waiting[1]));
  EXPECT_EQ(proxy.requests().size(), 2U);
}

TEST_P(Conns, AConnectionThatDiesMakesRoomForThoseWhoWait) {
  plan::Pool pool{.connections = 1};
  if (GetParam() == Http::h2) pool.streams = 1;
  World world(pooled(GetParam(), pool));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  auto first = clients(world, 1);
  auto waiting = clients(world, 1);
  proxy.stream(0).abort(Error(Error::Kind::reset, "killed"));
  world.loop.run();
  EXPECT_TRUE(first[0]->failed());
  EXPECT_TRUE(works(world, *waiting[0]));
}

TEST(Spread, TunnelsShareTheLoadOfAFewConnections) {
  World world(pooled(Http::h2, {.connections = 4}));
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  auto together = clients(world, 4);
  EXPECT_EQ(proxy.connections(), 4U);
  auto more = clients(world, 8);
  EXPECT_EQ(proxy.connections(), 4U);
  // The least loaded takes the next: where two have left.
  proxy.stream(2).abort(Error(Error::Kind::reset, "killed"));
  world.loop.run();
  auto next = clients(world, 3);
  EXPECT_EQ(proxy.connections(), 5U);
  EXPECT_EQ(pooled_now(world), 4U);
  for (auto& client : next) EXPECT_TRUE(works(world, *client));
}

TEST(Spread, OneByOneTooEachGetsItsOwn) {
  World world(pooled(Http::h2, {.connections = 3}));
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  std::vector<std::unique_ptr<Peer>> all;
  for (std::size_t i = 1; i <= 5; ++i) {
    all.push_back(world.client("tcp"));
    world.loop.advance(seconds(1));
    EXPECT_TRUE(works(world, *all.back()));
    EXPECT_EQ(proxy.connections(), std::min<std::size_t>(i, 3));
  }
}

TEST(Spread, ATunnelThatCouldShareDoesNotWaitForLong) {
  World world(pooled(Http::h2, {.connections = 2}));
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  auto first = clients(world, 1);
  world.network.at(kProxy).delay = seconds(3);
  auto second = clients(world, 1);
  world.loop.advance(milliseconds(249));
  EXPECT_EQ(proxy.requests().size(), 1U);
  world.loop.advance(milliseconds(1));
  EXPECT_TRUE(works(world, *second[0]));
  EXPECT_EQ(proxy.connections(), 1U);
}

TEST(Spread, ATunnelThatCouldShareDoesNotFailWithTheNextConnection) {
  World world(pooled(Http::h2, {.connections = 2}));
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  auto first = clients(world, 1);
  world.network.at(kProxy).refusal = Error(Error::Kind::refused, "refused");
  auto second = clients(world, 1);
  EXPECT_TRUE(works(world, *second[0]));
  EXPECT_EQ(world.network.at(kProxy).attempts, 2U);
}

TEST(Dials, OneForAllAndAllFailWithIt) {
  World world(pooled(Http::h2, {}));
  world.network.at(kProxy).delay = seconds(1);
  world.network.at(kProxy).refusal = Error(Error::Kind::refused, "refused");
  auto all = clients(world, 5);
  EXPECT_EQ(world.network.at(kProxy).attempts, 1U);
  EXPECT_EQ(world.count(Counter::pool_queued), 4U);
  world.loop.advance(seconds(1));
  for (auto& client : all) EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.network.at(kProxy).attempts, 1U);
}

TEST(Dials, TheFirstMayLeaveAndTheOthersStillGetIt) {
  World world(pooled(Http::h2, {}));
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  world.network.at(kProxy).delay = seconds(1);
  auto all = clients(world, 3);
  all[0]->reset();
  world.loop.advance(seconds(1));
  EXPECT_EQ(world.network.at(kProxy).attempts, 1U);
  EXPECT_TRUE(works(world, *all[1]));
  EXPECT_TRUE(works(world, *all[2]));
}

// Over HTTP/1.1 each has a connection of its own on its way; the one that is one too many may be another's.
TEST(Dials, OneThatLeavesTakesNobodysConnectionAlong) {
  World world(pooled(Http::h1, {}));
  HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
  world.network.at(kProxy).delay = seconds(1);
  auto all = clients(world, 3);
  all[0]->reset();
  world.loop.advance(seconds(3));
  EXPECT_TRUE(works(world, *all[1]));
  EXPECT_TRUE(works(world, *all[2]));
}

// A dial that fails at once while another is on its way is not repeated before that one has told more.
TEST(Dials, AFailureBesideAnotherDialIsNotRepeatedAtOnce) {
  World world(pooled(Http::h2, {.connections = 2}));
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  world.network.at(kProxy).delay = seconds(1);
  auto first = world.client("tcp");
  world.loop.run();
  ASSERT_EQ(world.network.at(kProxy).attempts, 1U);
  world.network.at(kProxy).delay = seconds(0);
  world.network.at(kProxy).refusal = Error(Error::Kind::refused, "refused");
  auto second = world.client("tcp");
  world.loop.run();
  EXPECT_EQ(world.network.at(kProxy).attempts, 2U);
  world.network.at(kProxy).refusal = Error();
  world.loop.advance(seconds(3));
  EXPECT_TRUE(works(world, *first));
  EXPECT_TRUE(works(world, *second));
}

TEST(Dials, NobodyLeftNobodyDials) {
  for (const Http version : {Http::h1, Http::h2}) {
    World world(pooled(version, {}));
    world.network.at(kProxy).silent = true;
    auto all = clients(world, 3);
    for (auto& client : all) client->reset();
    world.loop.run();
    EXPECT_EQ(world.network.at(kProxy).abandoned, world.network.at(kProxy).attempts);
    EXPECT_GE(world.network.at(kProxy).attempts, 1U);
  }
}

struct Prewarm : testing::TestWithParam<Http> {};

INSTANTIATE_TEST_SUITE_P(Over, Prewarm, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(Prewarm, ConnectionsAreUpBeforeAnybodyAsksAndAfterALoss) {
  World world(pooled(GetParam(), {.prewarm = 2}));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  world.loop.advance(milliseconds(250));  // the proxy was not there when the world began
  EXPECT_EQ(proxy.connections(), 2U);
  EXPECT_EQ(world.count(Counter::pool_prewarmed), 2U);
  world.loop.advance(seconds(6));
  proxy.stream(0).abort(Error(Error::Kind::reset, "killed"));
  world.loop.run();
  EXPECT_EQ(proxy.connections(), 3U);
  EXPECT_EQ(proxy.open_connections(), 2U);
}

TEST_P(Prewarm, IdleTimeDoesNotCloseThem) {
  World world(pooled(GetParam(), {.prewarm = 2, .idle = Milliseconds(1000)}));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  world.loop.advance(seconds(5));
  auto all = clients(world, GetParam() == Http::h1 ? 5 : 250);
  const std::uint64_t most = pooled_now(world);
  EXPECT_GT(most, 2U);
  for (auto& client : all) client->fin();
  world.loop.advance(minutes(10));
  EXPECT_EQ(pooled_now(world), 2U);
  EXPECT_EQ(proxy.open_connections(), 2U);
  if (GetParam() == Http::h2) {
    EXPECT_EQ(world.count(Counter::pool_idle_closed), most - 2);
  }
}

TEST_P(Prewarm, ATunnelTakesOneAndAnotherIsMade) {
  World world(pooled(GetParam(), {.prewarm = 1}));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  world.loop.advance(milliseconds(250));
  ASSERT_EQ(proxy.connections(), 1U);
  auto all = clients(world, 1);
  EXPECT_TRUE(works(world, *all[0]));
  EXPECT_EQ(proxy.connections(), GetParam() == Http::h1 ? 2U : 1U) << "room for one more is ready";
}

TEST_P(Prewarm, FailuresAreTriedAgainLessAndLess) {
  World world(pooled(GetParam(), {.prewarm = 1}));
  world.network.at(kProxy).refusal = Error(Error::Kind::refused, "refused");
  std::vector<int> pauses;
  TimePoint last = world.loop.now();
  std::size_t attempts = 0;
  while (pauses.size() < 10) {
    world.loop.run_until([&] { return world.network.at(kProxy).attempts > attempts; }, minutes(5));
    pauses.push_back(static_cast<int>((world.loop.now() - last) / milliseconds(1)));
    last = world.loop.now();
    attempts = world.network.at(kProxy).attempts;
  }
  EXPECT_EQ(pauses, (std::vector<int>{250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}));
  EXPECT_GE(world.count(Counter::pool_prewarm_failures), 10U);
  // Somebody who needs a connection does not wait for that, and is told why there is none.
  auto client = world.client("tcp");
  world.loop.run();
  EXPECT_EQ(client->fate(), "reset");
  world.network.at(kProxy).refusal = Error();
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  world.loop.advance(seconds(31));
  EXPECT_EQ(proxy.open_connections(), 1U);
}

TEST_P(Prewarm, AProxyThatAcceptsAndClosesIsNotDialledWithoutEnd) {
  World world(pooled(GetParam(), {.prewarm = 1}));
  world.network.at(kProxy).serve = [](StreamPtr stream) { stream->abort(Error(Error::Kind::reset, "go away")); };
  world.loop.advance(minutes(1));
  EXPECT_LE(world.network.at(kProxy).attempts, 9U);
  EXPECT_GE(world.network.at(kProxy).attempts, 5U);
}

TEST_P(Prewarm, ADrainEndsThem) {
  World world(pooled(GetParam(), {.prewarm = 3}));
  HttpServer proxy(world, kProxy, GetParam(), &test::echo_tunnel);
  world.loop.advance(seconds(5));
  EXPECT_EQ(proxy.open_connections(), 3U);
  auto draining = test::start(world.stage->drain(seconds(30)));
  world.loop.advance(seconds(2));
  EXPECT_TRUE(draining.done());
  EXPECT_EQ(proxy.connections(), 3U);
  EXPECT_EQ(proxy.open_connections(), 0U);
}

TEST_P(Prewarm, ADrainGivesUpWhatIsBeingMade) {
  World world(pooled(GetParam(), {.prewarm = 2}));
  world.network.at(kProxy).silent = true;
  world.loop.advance(seconds(5));
  auto draining = test::start(world.stage->drain(seconds(30)));
  world.loop.run();
  EXPECT_TRUE(draining.done());
}

TEST(Prewarm, NeverMoreThanThereMayBe) {
  World world(pooled(Http::h1, {.connections = 2, .prewarm = 2}));
  HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
  world.loop.advance(seconds(1));
  auto all = clients(world, 2);
  world.loop.advance(minutes(1));
  EXPECT_EQ(proxy.connections(), 2U);
  EXPECT_TRUE(works(world, *all[0]));
}

TEST(Window, GrowsAsFarAsThePoolAllows) {
  for (const std::size_t window : {std::size_t{65'536}, std::size_t{1} << 20}) {
    World world(pooled(Http::h2, {.window_bytes = window}));
    std::size_t taken = 0;
    HttpServer proxy(world, kProxy, Http::h2, [&taken](http::ServerExchange& exchange) -> Task<void> {
      const http::ResponseHead accepted{200, {}};
      Result<void> opened = co_await exchange.respond(accepted, http::Body::tunnel());
      EXPECT_TRUE(opened.ok());
      const std::string piece(65'536, 'x');
      for (;;) {  // until nobody reads any more
        Buffer bytes(piece);
        Result<void> written = co_await exchange.write(bytes);
        if (!written.ok()) co_return;
        taken += piece.size();
      }
    });
    auto client = world.client("tcp", false);
    client->read_on(64 << 20);
    world.loop.run_until([&client] { return client->received().size() >= 64 << 20; }, seconds(1));
    world.loop.run();
    const std::size_t left = taken - client->received().size();
    // Its window, what the proxy itself queues, and what the hops before the client hold.
    EXPECT_LE(left, window + (std::size_t{1} << 20));
    EXPECT_GE(left, window);
  }
}

// --- A peer that says no more

std::string settings() { return frame(test::kSettings, 0, 0) + frame(test::kSettings, test::kAck, 0); }
std::string accepted(std::int32_t id) {
  return frame(test::kHeaders, test::kEndHeaders, id, test::hpack({{":status", "200"}}));
}

// The next tunnel after `silence` over a connection that has a tunnel on it and is dead: how long it takes.
int milliseconds_to_a_tunnel(World& world, Duration silence) {
  auto& place = world.network.at(kProxy);
  auto first = world.client("tcp");
  world.loop.run();
  place.peers.front()->send_text(settings() + accepted(1));
  world.loop.run();
  place.serve = nullptr;
  const HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);  // whoever connects from now on finds somebody
  world.loop.advance(silence);
  const TimePoint asked = world.loop.now();
  auto next = world.client("tcp");
  next->send(10);
  world.loop.run_until([&next] { return next->received().size() == 10; }, seconds(30));
  EXPECT_EQ(next->received().size(), 10U);
  EXPECT_EQ(first->fate(), "open") << "the old tunnel is left to its own timers";
  const auto took = static_cast<int>((world.loop.now() - asked) / milliseconds(1));
  next->fin();
  first->reset();
  world.loop.advance(minutes(1));
  return took;
}

TEST(DeadPeer, ANewTunnelIsUpInAQuarterMoreThanASecondAtMost) {
  for (const milliseconds silence : {milliseconds(0), milliseconds(10), milliseconds(900), milliseconds(1001),
                                     milliseconds(14'999), milliseconds(60'000)}) {
    const Outcome outcome = both_ways(
        pooled(Http::h2, {.connections = 1}),
        [silence](World& world, Seen& seen) {
          seen.push_back(std::to_string(milliseconds_to_a_tunnel(world, silence)));
        },
        test::CompareBytes::no);
    ASSERT_EQ(outcome.seen.size(), 1U);
    EXPECT_LE(std::stoi(outcome.seen.front()), 1250) << silence.count();
  }
}

TEST(DeadPeer, ThatAnswersLateTakesItsPlaceAgain) {
  World world(pooled(Http::h2, {}));
  auto& place = world.network.at(kProxy);
  auto first = world.client("tcp");
  world.loop.run();
  Peer& slow = *place.peers.front();
  slow.send_text(settings() + accepted(1));
  world.loop.run();
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  auto second = world.client("tcp");
  world.loop.advance(milliseconds(1250));
  EXPECT_TRUE(works(world, *second));
  EXPECT_EQ(pooled_now(world), 2U);
  EXPECT_EQ(first->fate(), "open");
  slow.send_text(frame(test::kPing, test::kAck, 0, "whatever") + frame(test::kData, 0, 1, "not dead"));
  world.loop.run();
  EXPECT_EQ(first->received(), "not dead");
  second->fin();
  world.loop.advance(seconds(2));
  const std::size_t before = proxy.requests().size();
  auto third = world.client("tcp");
  world.loop.run();
  EXPECT_EQ(proxy.requests().size(), before + 1) << "the one with no tunnel on it is the least loaded";
}

TEST(DeadPeer, WhoseConnectionWasReplacedIsNotTakenBackOverTheLimit) {
  World world(pooled(Http::h2, {.connections = 1}));
  auto& place = world.network.at(kProxy);
  auto first = world.client("tcp");
  world.loop.run();
  Peer& slow = *place.peers.front();
  slow.send_text(settings() + accepted(1));
  world.loop.run();
  HttpServer proxy(world, kProxy, Http::h2, &test::echo_tunnel);
  auto second = world.client("tcp");
  world.loop.advance(milliseconds(1250));
  EXPECT_TRUE(works(world, *second));
  slow.send_text(frame(test::kPing, test::kAck, 0, "whatever"));
  world.loop.run();
  first->fin();
  slow.send_text(frame(test::kData, test::kEndStream, 1, "bye"));
  world.loop.advance(seconds(5));
  EXPECT_EQ(first->received(), "bye");
  EXPECT_TRUE(first->ended());
  EXPECT_EQ(pooled_now(world), 1U);
}

// An HTTP/1.1 connection inside a tunnel has no PING; the HTTP/2 connection that carries it has.
TEST(DeadPeer, UnderAnIdleHttp1ConnectionCostsAGetAQuarterMoreThanASecond) {
  const Outcome outcome = both_ways(
      pooled(Http::h2, {}),
      [](World& world, Seen& seen) {
        auto& place = world.network.at(kProxy);
        HttpClient front(world, Http::h1, world.dial("http"));
        auto asking = front.ask(test::get("example.com"));
        world.loop.run();
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold";
        place.peers.front()->send_text(settings() + accepted(1));
        world.loop.run();
        place.peers.front()->send_text(frame(test::kData, 0, 1, answer));
        world.loop.run();
        seen.push_back(asking.value().body);
        test::join_tunnel(world);
        HttpServer origin(world, test::kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
          Task<void> replying = test::reply(exchange, 200, "new");
          co_await replying;
        });
        world.loop.advance(seconds(20));
        const TimePoint asked = world.loop.now();
        auto again = front.ask(test::get("example.com"));
        world.loop.run_until([&again] { return again.done(); }, seconds(30));
        EXPECT_LE(world.loop.now() - asked, milliseconds(1250));
        seen.push_back(again.done() ? again.value().body : "nothing");
        world.loop.advance(minutes(10));
      },
      test::CompareBytes::no);
  EXPECT_EQ(outcome.seen, (Seen{"old", "new"}));
}

}  // namespace
}  // namespace tunnel
