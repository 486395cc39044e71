// SPDX-License-Identifier: Apache-2.0
// Tunnels by POST between our own encap and decap: what they hold for a side that does not read.
#include <gtest/gtest.h>

#include <string>

#include "base/memory.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::seconds;
using test::kOrigin;
using test::Peer;
using test::World;

constexpr std::uint64_t kMiB = 1 << 20;

class PostTunnel : public testing::TestWithParam<Http> {
 protected:
  PostTunnel() : world(plan()) { test::join_tunnel(world); }
  static plan::Plan plan() {
    plan::Plan plan = test::tunnel_plan(GetParam(), 1);
    for (plan::Listener& listener : plan.listeners) {
      if (auto* relay = std::get_if<plan::TcpProxy>(&listener.handler); relay != nullptr && relay->tunnel)
        relay->tunnel->post = true;
      if (auto* http = std::get_if<plan::HttpProxy>(&listener.handler); http != nullptr && listener.name == "decap")
        http->routes.front().action = plan::Terminate{"to-origin", true};
    }
    plan.clusters.push_back(test::to_tcp("to-origin", "10.0.0.9", 80));
    return plan;
  }
  World world;
};

INSTANTIATE_TEST_SUITE_P(Over, PostTunnel, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(PostTunnel, ALargeOneHoldsItsBuffersAndNoMoreForAStalledReader) {
  world.network.at(kOrigin).reading = false;
  auto client = world.client("tcp");
  const std::uint64_t before = memory::held();
  auto sending = client->send(64 * kMiB);
  world.loop.run();
  EXPECT_FALSE(sending.done());
  // A pair of sockets from the client, one between the proxies, one to the origin, and a window of 64 KiB.
  EXPECT_LE(memory::held() - before, 4 * 160'000U);
  // It goes on where it stood, and every byte arrives.
  Peer& origin = world.network.peer(kOrigin);
  origin.read_on();
  world.loop.advance(seconds(1));
  EXPECT_TRUE(sending.done());
  client->fin();
  world.loop.run();
  EXPECT_EQ(origin.received().size(), 64 * kMiB);
  EXPECT_TRUE(origin.pattern_intact());
  EXPECT_TRUE(origin.ended());
  origin.fin();
  world.loop.run();
  EXPECT_TRUE(client->ended());
  EXPECT_LE(memory::held(), before);
}

TEST_P(PostTunnel, AReaderThatStallsLateCostsTheWindowItHadGrownTo) {
  world.network.at(kOrigin);
  auto client = world.client("tcp", false);
  world.loop.run();
  const std::uint64_t before = memory::held();
  Peer& origin = world.network.peer(kOrigin);
  auto sending = origin.send(96 * kMiB);
  client->read_on(32 * kMiB);
  world.loop.run();
  EXPECT_EQ(client->received().size(), 32 * kMiB);
  EXPECT_FALSE(sending.done());
  const std::uint64_t window = GetParam() == Http::h2 ? world.limits.h2_stream_window : 0;
  EXPECT_LE(memory::held() - before, 4 * 160'000U + window * 5 / 4);
  client->read_on();
  world.loop.advance(seconds(1));
  EXPECT_TRUE(sending.done());
  EXPECT_EQ(client->received().size(), 96 * kMiB);
  EXPECT_TRUE(client->pattern_intact());
}

}  // namespace
}  // namespace tunnel
