// SPDX-License-Identifier: Apache-2.0
// An embedder's code on a worker: its handlers behind internal listeners, its clients of internal listeners.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "support/both_ways.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Peer;
using test::Seen;
using test::World;

constexpr const char* kOrigin = "10.0.0.9:80";

// "front" on 9000 relays to internal:mid, which relays to internal:own, which is ours.
plan::Plan plan_with_own() {
  plan::Plan plan;
  plan.listeners = {test::tcp_listener("front", 9000, plan::TcpProxy{"to-mid", {}}),
                    test::internal_listener("mid", plan::TcpProxy{"to-own", {}}),
                    test::internal_listener("own", plan::Custom{}),
                    test::internal_listener("away", plan::TcpProxy{"to-origin", {}})};
  plan.clusters = {test::to_internal("to-mid", "mid"), test::to_internal("to-own", "own"),
                   test::to_tcp("to-origin", "10.0.0.9", 80)};
  return plan;
}

// Answers "<length>" once the client has finished sending.
Task<void> count_bytes(EngineWorker& /*worker*/, StreamPtr stream, ConnectionInfo /*client*/) {
  test::Received request = co_await test::read_all(*stream);
  if (!request.ended) co_return;
  Task<Result<void>> answering = test::send(*stream, std::to_string(request.bytes.size()));
  Result<void> answered = co_await answering;
  if (!answered.ok()) co_return;
  Result<void> ended = co_await stream->shutdown_write();
  (void)ended.ok();
}

// What a client of ours gets for `text` from `address`.
Task<std::string> ask(EngineWorker& worker, std::string address, std::string text) {
  Task<Result<StreamPtr>> connecting = worker.connect(address);
  Result<StreamPtr> connected = co_await connecting;
  if (!connected.ok()) co_return std::string(to_string(connected.error().kind));
  Stream& stream = **connected;
  Task<Result<void>> sending = test::send(stream, std::move(text));
  Result<void> sent = co_await sending;
  if (sent.ok()) sent = co_await stream.shutdown_write();
  test::Received answer = co_await test::read_all(stream);
  co_return answer.bytes + (sent.ok() && answer.ended ? ", end" : ", reset");
}

TEST(Custom, AHandlerServesClientsBehindHops) {
  const test::Outcome outcome = test::both_ways(plan_with_own(), [](World& world, Seen& seen) {
    world.shared.custom["own"] = count_bytes;
    auto client = world.client("front");
    client->send_and_fin(300'000);
    world.loop.run();
    seen.push_back(client->received() + " " + std::string(client->fate()));
  });
  EXPECT_EQ(outcome.seen, Seen{"300000 end"});
  EXPECT_NE(outcome.records.at(2).find("-> custom:own"), std::string::npos) << outcome.records.at(2);
}

TEST(Custom, AHandlerIsToldWhoseConnectionItIs) {
  World world(plan_with_own());
  ConnectionInfo told;
  world.shared.custom["own"] = [&told](EngineWorker&, StreamPtr stream, ConnectionInfo client) -> Task<void> {
    told = std::move(client);
    Result<void> ended = co_await stream->shutdown_write();
    (void)ended.ok();
  };
  auto client = world.client("front");
  world.loop.run();
  EXPECT_EQ(told.downstream, "192.0.2.1:40000");
  EXPECT_EQ(told.local_name, "internal:own");
  EXPECT_EQ(told.hops, 2U);
  EXPECT_EQ(client->fate(), "end");
}

TEST(Custom, AClientOfOursReachesHandlersAndUpstreams) {
  const test::Outcome outcome = test::both_ways(plan_with_own(), [](World& world, Seen& seen) {
    world.shared.custom["own"] = count_bytes;
    EngineWorker& worker = world.stage->embedded();
    seen.push_back(world.loop.await(ask(worker, "internal:own", "12345")));
    seen.push_back(world.loop.await(ask(worker, "internal:mid/7", "123")));
    world.network.at(kOrigin);
    auto asking = test::start(ask(worker, "internal:away", "hello"));
    world.loop.run();
    seen.push_back("origin: " + world.network.peer(kOrigin).received());
    world.network.peer(kOrigin).fin();
    world.loop.run();
    seen.push_back(asking.value());
  });
  EXPECT_EQ(outcome.seen, (Seen{"5, end", "3, end", "origin: hello", ", end"}));
}

TEST(Custom, AClientOfOursIsToldWhatTheFarSideSaid) {
  const test::Outcome outcome = test::both_ways(plan_with_own(), [](World& world, Seen& seen) {
    EngineWorker& worker = world.stage->embedded();
    seen.push_back(world.loop.await(ask(worker, "internal:nobody", "")));
    seen.push_back(world.loop.await(ask(worker, "10.0.0.9:80", "")));
    seen.push_back(world.loop.await(ask(worker, "internal:", "")));
    seen.push_back(world.loop.await(ask(worker, "internal:away", "")));  // nobody listens there
  });
  EXPECT_EQ(outcome.seen, (Seen{"unknown_destination", "protocol", "protocol", "refused"}));
}

TEST(Custom, AConnectOfOursHasATimeout) {
  World world(plan_with_own());
  world.network.at(kOrigin).silent = true;
  auto connecting = test::start(world.stage->embedded().connect("internal:away", milliseconds(1500)));
  world.loop.advance(milliseconds(1400));
  EXPECT_FALSE(connecting.done());
  world.loop.advance(milliseconds(200));
  ASSERT_TRUE(connecting.done());
  EXPECT_EQ(connecting.value().error().kind, Error::Kind::timeout);
  EXPECT_EQ(world.network.at(kOrigin).abandoned, 1U);
  EXPECT_EQ(world.open_gauges(), "");
}

TEST(Custom, ALimitOfTheListenerIsTheAnswerToWhoeverConnects) {
  for (const bool force_pairs : {false, true}) {
    plan::Plan plan = plan_with_own();
    plan.process.force_pairs = force_pairs;
    plan.listeners[2].max_connections = 1;
    World world(plan);
    world.shared.custom["own"] = count_bytes;
    auto first = world.loop.await(world.stage->embedded().connect("internal:own"));
    EXPECT_TRUE(first.ok());
    auto second = world.loop.await(world.stage->embedded().connect("internal:mid"));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind, Error::Kind::limit);
    EXPECT_EQ(world.count(Counter::listener_conns_refused), 1U);
  }
}

TEST(Custom, TheIdleTimeoutResetsTheHandlersStream) {
  plan::Plan plan = plan_with_own();
  plan.listeners[2].idle_timeout = seconds(30);
  World world(plan);
  std::string ended;
  world.shared.custom["own"] = [&ended](EngineWorker&, StreamPtr stream, ConnectionInfo) -> Task<void> {
    test::Received request = co_await test::read_all(*stream);
    ended = request.ended ? "end" : "reset";
  };
  auto client = world.client("front");
  world.loop.run();
  world.loop.advance(seconds(29));
  EXPECT_EQ(ended, "");
  world.loop.advance(seconds(2));
  EXPECT_EQ(ended, "reset");
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.open_gauges(), "");
}

TEST(Custom, HandlersThatConnectInACircleAreStopped) {
  World world(plan_with_own());
  Error last;
  unsigned calls = 0;
  world.shared.custom["own"] = [&](EngineWorker& worker, StreamPtr stream, ConnectionInfo client) -> Task<void> {
    const StreamPtr held = std::move(stream);
    ++calls;
    Task<Result<StreamPtr>> connecting = worker.connect_for(client, "internal:own");
    Result<StreamPtr> onward = co_await connecting;
    if (!onward.ok()) {
      last = onward.error();
    } else {
      test::Received nothing = co_await test::read_all(**onward);
      (void)nothing;
    }
  };
  auto client = world.client("front");
  world.loop.run();
  EXPECT_EQ(last.kind, Error::Kind::loop);
  EXPECT_EQ(calls, 15U);  // the front's two hops, then fourteen of ours: the 17th connect is refused
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.open_gauges(), "");
}

TEST(Custom, DrainWaitsForTasksAndResetsTheirStreamsAtTheDeadline) {
  plan::Plan plan = plan_with_own();
  plan.clusters[2].connect_timeout = seconds(3600);
  World world(plan);
  world.network.at(kOrigin).silent = true;
  std::vector<std::string> ends;
  world.shared.custom["own"] = [&ends](EngineWorker& worker, StreamPtr stream, ConnectionInfo) -> Task<void> {
    test::Received request = co_await test::read_all(*stream);
    ends.emplace_back(request.ended ? "handler: end" : "handler: reset");
    // Its last words take a while, and the worker waits for them.
    co_await Sleep(worker.loop(), worker.loop().now() + seconds(3));
    ends.emplace_back("handler: gone");
  };
  auto client = world.client("front");
  auto waiting = test::start(world.stage->embedded().connect("internal:away", seconds(3600)));
  world.loop.run();
  auto draining = test::start(world.stage->drain(seconds(30)));
  EXPECT_TRUE(world.stage->embedded().draining());
  world.loop.advance(seconds(29));
  EXPECT_EQ(client->fate(), "open");
  EXPECT_FALSE(waiting.done());
  world.loop.advance(seconds(2));
  EXPECT_EQ(client->fate(), "reset");
  ASSERT_TRUE(waiting.done());
  EXPECT_EQ(waiting.value().error().kind, Error::Kind::shutdown);
  EXPECT_EQ(ends, (std::vector<std::string>{"handler: reset"}));
  EXPECT_FALSE(draining.done());
  world.loop.advance(seconds(3));
  EXPECT_EQ(ends.back(), "handler: gone");
  ASSERT_TRUE(draining.done());
  EXPECT_EQ(world.open_gauges(), "");
}

TEST(Custom, NothingIsRunOnAStageThatHasDrained) {
  World world(plan_with_own());
  bool ran = false;
  const auto task = [&ran](EngineWorker&) -> Task<void> {
    ran = true;
    co_return;
  };
  world.stage->embedded().spawn(task);
  EXPECT_TRUE(std::exchange(ran, false));
  auto draining = test::start(world.stage->drain(seconds(30)));
  world.loop.run();
  ASSERT_TRUE(draining.done());
  world.stage->embedded().spawn(task);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace tunnel
