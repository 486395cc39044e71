// SPDX-License-Identifier: Apache-2.0
#include "net/internal_registry.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "stream/user_space_pair.hpp"
#include "support/pattern.hpp"
#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using net::InternalListener;
using test::start;
using OpenedResult = Result<InternalListener::Opened>;

// Opens with a pair whose far end it keeps, after `gate` was set (or at once), or fails with `answer`.
struct FakeListener final : InternalListener {
  explicit FakeListener(test::SimWorld& in) : world(in), gate(in.loop) {}
  Task<OpenedResult> open(ConnectRequest& request) override {
    seen.push_back(request.info);
    if (wait) {
      const Cancel::Hook hook(request.cancel, [](void* on) noexcept { static_cast<Notify*>(on)->set(); }, &gate);
      co_await gate.wait();
      if (request.cancel.cancelled() && !stubborn) co_return request.cancel.reason();
    }
    if (answer) co_return answer;
    auto [near, far] = make_user_space_pair(world.context, 4096);
    peers.push_back(std::move(far));
    co_return Opened{std::move(near), "10.0.0.1:80"};
  }
  test::SimWorld& world;
  Notify gate;
  bool wait = false;
  bool stubborn = false;  // answers although nobody wants it any more
  Error answer;
  std::vector<ConnectionInfo> seen;
  std::vector<StreamPtr> peers;
};

struct RegistryTest : testing::Test {
  test::SimWorld world;
  net::InternalRegistry registry{world.context};
  FakeListener listener{world};
  Cancel client{world.loop};
  ConnectRequest request{ConnectionInfo{}, client};

  auto connect(plan::Internal address) {
    wanted.push_back(std::make_unique<plan::Internal>(std::move(address)));
    return start(registry.connect(*wanted.back(), request));
  }
  std::vector<std::unique_ptr<plan::Internal>> wanted;
};

TEST_F(RegistryTest, AnUnknownNameHasNoDestination) {
  auto connecting = connect({"nobody", ""});
  world.loop.run();
  OpenedResult opened = connecting.value();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::unknown_destination);
  EXPECT_EQ(http_status(opened.error()), 503);
  EXPECT_EQ(proxy_status_token(opened.error()), "destination_not_found");
  EXPECT_NE(opened.error().text().find("internal:nobody"), std::string::npos);
  EXPECT_EQ(world.counters.value(Counter::internal_connects), 0U);
}

TEST_F(RegistryTest, ANameIsTakenOnce) {
  FakeListener other(world);
  EXPECT_TRUE(registry.add("encap", listener));
  EXPECT_FALSE(registry.add("encap", other));
  EXPECT_TRUE(registry.contains("encap"));
  EXPECT_FALSE(registry.contains("Encap"));
  auto connecting = connect({"encap", ""});
  world.loop.run();
  EXPECT_TRUE(connecting.value().ok());
  EXPECT_EQ(listener.seen.size(), 1U);
  EXPECT_TRUE(other.seen.empty());
}

TEST_F(RegistryTest, TheListenerSeesTheHopItsNameAndTheEndpointId) {
  registry.add("encap", listener);
  request.info.hops = 3;
  request.info.downstream = "127.0.0.1:4711";
  request.info.remote = *SocketAddress::from_literal("127.0.0.1", 4711);
  auto connecting = connect({"encap", "blue"});
  auto plain = connect({"encap", ""});
  world.loop.run();
  OpenedResult opened = connecting.value();
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->upstream, "10.0.0.1:80");
  ASSERT_EQ(listener.seen.size(), 2U);
  EXPECT_EQ(listener.seen[0].hops, 4U);
  EXPECT_EQ(listener.seen[0].endpoint_id, "blue");
  EXPECT_EQ(listener.seen[0].local_name, "internal:encap/blue");
  EXPECT_EQ(listener.seen[0].remote.port(), 4711);
  EXPECT_EQ(listener.seen[1].local_name, "internal:encap");
  EXPECT_EQ(listener.seen[1].endpoint_id, "");
  EXPECT_EQ(request.info.hops, 3U);  // the caller's own is untouched
  EXPECT_EQ(world.counters.value(Counter::internal_connects), 2U);
}

TEST_F(RegistryTest, TheFarSidesOutcomeIsTheAnswer) {
  registry.add("encap", listener);
  listener.answer = Error(Kind::timeout, "upstream is slow").with(504, "connection_timeout").on(Error::Side::upstream);
  listener.answer.received_status = 504;
  auto connecting = connect({"encap", ""});
  world.loop.run();
  OpenedResult opened = connecting.value();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::timeout);
  EXPECT_EQ(opened.error().received_status, 504);
  EXPECT_EQ(opened.error().side, Error::Side::upstream);
}

TEST_F(RegistryTest, TheSeventeenthHopIsRefused) {
  registry.add("encap", listener);
  request.info.hops = 15;
  auto sixteenth = connect({"encap", ""});
  world.loop.run();
  EXPECT_TRUE(sixteenth.value().ok());
  EXPECT_EQ(listener.seen.front().hops, 16U);
  request.info.hops = 16;
  auto seventeenth = connect({"encap", ""});
  world.loop.run();
  OpenedResult opened = seventeenth.value();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::loop);
  EXPECT_EQ(http_status(opened.error()), 502);
  EXPECT_EQ(proxy_status_token(opened.error()), "proxy_loop_detected");
  EXPECT_EQ(world.counters.value(Counter::hop_limit), 1U);
  EXPECT_EQ(listener.seen.size(), 1U);
}

TEST_F(RegistryTest, RemovalFailsWhatWaitsAndLeavesWhatLives) {
  registry.add("encap", listener);
  auto living = connect({"encap", ""});
  world.loop.run();
  OpenedResult live = living.value();
  ASSERT_TRUE(live.ok());
  listener.wait = true;
  auto waiting = connect({"encap", ""});
  world.loop.run();
  ASSERT_FALSE(waiting.done());
  registry.remove("encap");
  EXPECT_FALSE(registry.contains("encap"));
  world.loop.run();
  ASSERT_TRUE(waiting.done());
  EXPECT_EQ(waiting.value().error().kind, Kind::unknown_destination);
  auto later = connect({"encap", ""});
  world.loop.run();
  EXPECT_EQ(later.value().error().kind, Kind::unknown_destination);
  // The live one still carries bytes both ways.
  Result<void> sent = world.await(test::send(*live->stream, "still here"));
  EXPECT_TRUE(sent.ok());
  EXPECT_EQ(world.await(test::read_exactly(*listener.peers.front(), 10)).bytes, "still here");
  EXPECT_FALSE(client.cancelled());
}

TEST_F(RegistryTest, RemovalWinsOverAnAnswerThatComesAllTheSame) {
  registry.add("encap", listener);
  listener.wait = true;
  listener.stubborn = true;
  auto waiting = connect({"encap", ""});
  world.loop.run();
  registry.remove("encap");
  world.loop.run();
  EXPECT_EQ(waiting.value().error().kind, Kind::unknown_destination);
  listener.peers.clear();
  EXPECT_TRUE(world.gauges_are_zero());
}

TEST_F(RegistryTest, ANameMayBeTakenAgainAfterRemoval) {
  FakeListener other(world);
  registry.add("encap", listener);
  registry.remove("encap");
  registry.remove("encap");  // no more than once
  EXPECT_TRUE(registry.add("encap", other));
  auto connecting = connect({"encap", ""});
  world.loop.run();
  EXPECT_TRUE(connecting.value().ok());
  EXPECT_EQ(other.seen.size(), 1U);
}

TEST_F(RegistryTest, CancelReachesTheListener) {
  registry.add("encap", listener);
  listener.wait = true;
  auto waiting = connect({"encap", ""});
  world.loop.run();
  client.cancel(Error(Kind::reset, "client left").on(Error::Side::downstream));
  world.loop.run();
  ASSERT_TRUE(waiting.done());
  OpenedResult opened = waiting.value();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::reset);
  EXPECT_EQ(opened.error().side, Error::Side::downstream);
  EXPECT_FALSE(world.loop.has_timers());
}

}  // namespace
}  // namespace tunnel
