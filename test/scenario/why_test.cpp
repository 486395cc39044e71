// SPDX-License-Identifier: Apache-2.0
// Slow and silent tunnels are told apart from broken ones: who reads slowly, and which proxy took a tunnel and gave
// nothing back. The words are tested end to end; here, when they are said, with records and with pairs.
#include <gtest/gtest.h>

#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kOrigin;
using test::World;

struct Way {
  Http version;
  bool pairs;
};

class Why : public testing::TestWithParam<Way> {
 protected:
  Why() : world(plan()) {
    test::join_tunnel(world);
    world.network.at(kOrigin);
  }
  static plan::Plan plan() {
    plan::Plan plan = test::tunnel_plan(GetParam().version, 1);
    plan.process.force_pairs = GetParam().pairs;
    return plan;
  }
  World world;
};

INSTANTIATE_TEST_SUITE_P(
    Over, Why, testing::Values(Way{Http::h1, false}, Way{Http::h1, true}, Way{Http::h2, false}, Way{Http::h2, true}),
    [](const auto& one) {
      return std::string(one.param.version == Http::h1 ? "H1" : "H2") + (one.param.pairs ? "Pairs" : "Records");
    });

TEST_P(Why, ATunnelThatBringsNothingBackIsToldOnce) {
  auto client = world.client("tcp");
  client->send(10);
  world.loop.run();
  world.loop.advance(world.limits.silence - milliseconds(1));
  EXPECT_EQ(world.count(Counter::silent_tunnels), 0U);
  world.loop.advance(seconds(60));
  EXPECT_EQ(world.count(Counter::silent_tunnels), 1U);
  EXPECT_EQ(client->fate(), "open");
  client->reset();
  world.loop.run();
}

TEST_P(Why, ATunnelThatAnswersOrWaitsForTheOtherSideIsNotSilent) {
  auto talking = world.client("tcp");
  auto waiting = world.client("tcp");
  talking->send(10);
  world.loop.run();
  world.network.peer(kOrigin).send(1);
  world.loop.run();
  world.loop.advance(seconds(60));
  EXPECT_EQ(world.count(Counter::silent_tunnels), 0U);
  talking->reset();
  waiting->reset();
  world.loop.run();
}

TEST_P(Why, ASlowReaderIsToldAtTheEndByWhoeverEntered) {
  auto client = world.client("tcp", false);
  world.loop.run();
  test::Peer& server = world.network.peer(kOrigin);
  auto sending = server.send_and_fin(20'000'000);
  client->fin();
  world.loop.run();
  world.loop.advance(seconds(3));
  client->read_on();
  world.loop.run();
  EXPECT_EQ(client->received().size(), 20'000'000U);
  EXPECT_EQ(client->fate(), "end");
  // tun-encap's listener, and tun-decap's: two processes in one here.
  EXPECT_EQ(world.count(Counter::stalled_tunnels), 2U);
}

TEST_P(Why, AQuickReaderIsNot) {
  auto client = world.client("tcp");
  world.loop.run();
  test::Peer& server = world.network.peer(kOrigin);
  auto sending = server.send_and_fin(20'000'000);
  client->fin();
  world.loop.run();
  EXPECT_EQ(client->received().size(), 20'000'000U);
  EXPECT_EQ(world.count(Counter::stalled_tunnels), 0U);
}

}  // namespace
}  // namespace tunnel
