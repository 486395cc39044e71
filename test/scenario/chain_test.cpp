// SPDX-License-Identifier: Apache-2.0
// TCP chained through internal listeners, as records and as pairs.
#include <gtest/gtest.h>

#include <string>

#include "support/both_ways.hpp"
#include "support/endings.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::both_ways;
using test::chain;
using test::CompareBytes;
using test::Outcome;
using test::Peer;
using test::saw;
using test::Seen;
using test::World;

constexpr const char* kServer = test::kOrigin;
constexpr std::uint64_t kMiB = 1 << 20;

// The way is inside this process.
void nothing_else(World& /*world*/) {}

class Chain : public testing::TestWithParam<unsigned> {
 protected:
  plan::Plan plan() const { return chain(GetParam()); }
  unsigned listeners() const { return GetParam() + 1; }
};

INSTANTIATE_TEST_SUITE_P(Hops, Chain, testing::Values(0U, 1U, 3U, 8U),
                         [](const auto& one) { return "Hops" + std::to_string(one.param); });

// What needs an internal listener.
class HopChain : public Chain {};

INSTANTIATE_TEST_SUITE_P(Hops, HopChain, testing::Values(1U, 3U, 8U),
                         [](const auto& one) { return "Hops" + std::to_string(one.param); });

TEST_P(Chain, CarriesBytesBothWaysAndEndsInOrder) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto client = world.client("front");
    world.loop.run();
    Peer& server = world.network.peer(kServer);
    client->send(100'000);
    server.send(300'000);
    world.loop.run();
    client->fin();
    world.loop.run();
    EXPECT_TRUE(server.ended());
    EXPECT_FALSE(client->ended());
    server.send_and_fin(5000);
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
    EXPECT_TRUE(world.stage->environment().connections.empty());
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 305000 end", "server 100000 end"}));
  ASSERT_EQ(outcome.records.size(), listeners());
  for (const std::string& line : outcome.records)
    EXPECT_NE(line.find(" ok/0 100000/305000 "), std::string::npos) << line;
}

TEST_P(Chain, TheRecordsNameTheWay) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen&) {
    world.network.at(kServer);
    auto client = world.client("front");
    world.loop.run();
    client->fin();
    world.network.peer(kServer).fin();
    world.loop.run();
  });
  ASSERT_EQ(outcome.records.size(), listeners());
  EXPECT_EQ(outcome.records.front(), "front TCP 192.0.2.1:40000 -> " +
                                         std::string(GetParam() == 0 ? kServer : "internal:hop1") +
                                         " [c0]   0 ok/0 0/0 0 ms");
}

TEST_P(Chain, HalfCloseByTheClientThenMegabytesBack) {
  EXPECT_EQ(both_ways(plan(), test::client_ends_first("front", &nothing_else)).seen, test::kClientEndedFirst);
}

TEST_P(Chain, HalfCloseByTheServerThenMegabytesForth) {
  EXPECT_EQ(both_ways(plan(), test::server_ends_first("front", &nothing_else)).seen, test::kServerEndedFirst);
}

TEST_P(Chain, TheClientMayEndBeforeItsUpstreamIsThere) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer).delay = seconds(2);
    auto client = world.client("front");
    client->send_and_fin(1000);
    world.loop.advance(seconds(2));
    Peer& server = world.network.peer(kServer);
    server.send_and_fin(2000);
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 2000 end", "server 1000 end"}));
}

TEST_P(Chain, AClientThatResetsWhileConnectingIsGivenUp) {
  const Outcome outcome = both_ways(
      plan(),
      [](World& world, Seen& seen) {
        world.network.at(kServer).silent = true;
        auto client = world.client("front");
        client->send(100);
        world.loop.advance(seconds(1));
        client->reset();
        world.loop.run();
        EXPECT_EQ(world.network.at(kServer).abandoned, 1U);
        EXPECT_TRUE(world.stage->environment().connections.empty());
        seen = {saw("client", *client)};
      },
      CompareBytes::no);
  ASSERT_EQ(outcome.records.size(), listeners());
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" reset/1 1000 ms"), std::string::npos) << line;
}

TEST_P(Chain, ARefusalReachesTheClientAsAReset) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    auto client = world.client("front");  // nobody listens at kServer
    world.loop.run();
    seen = {saw("client", *client)};
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 0 reset"}));
  ASSERT_EQ(outcome.records.size(), listeners());
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" refused/"), std::string::npos) << line;
}

TEST_P(Chain, AnUnknownNameReachesTheClientAsAReset) {
  both_ways(chain(GetParam(), "nobody.example"), [](World& world, Seen& seen) {
    auto client = world.client("front");
    world.loop.run();
    EXPECT_TRUE(client->failed());
    seen = {saw("client", *client)};
    EXPECT_EQ(world.records.all.front().error.kind, Error::Kind::dns);
  });
}

TEST_P(Chain, ConnectTimeout) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer).silent = true;
    auto client = world.client("front");
    world.loop.advance(milliseconds(9999));
    EXPECT_FALSE(client->failed());
    world.loop.advance(milliseconds(1));
    EXPECT_TRUE(client->failed());
    EXPECT_EQ(world.network.at(kServer).abandoned, 1U);
    seen = {saw("client", *client)};
    EXPECT_EQ(world.count(Counter::connect_timeouts), 1U);
  });
  ASSERT_EQ(outcome.records.size(), listeners());
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" timeout/"), std::string::npos) << line;
}

TEST_P(Chain, IdleTimeoutRestartedByBytes) {
  plan::Plan short_idle = plan();
  for (plan::Listener& listener : short_idle.listeners) listener.idle_timeout = milliseconds(60'000);
  const Outcome outcome = both_ways(short_idle, [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto client = world.client("front");
    world.loop.run();
    Peer& server = world.network.peer(kServer);
    for (int i = 0; i < 5; ++i) {
      world.loop.advance(seconds(50));
      (i % 2 == 0 ? *client : server).send(10);
      world.loop.run();
    }
    world.loop.advance(milliseconds(59'999));
    EXPECT_EQ(client->fate(), "open");
    world.loop.advance(milliseconds(1));
    seen = {saw("client", *client), saw("server", server)};
    EXPECT_GE(world.count(Counter::idle_timeouts), 1U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 20 reset", "server 30 reset"}));
  for (const std::string& line : outcome.records)
    EXPECT_NE(line.find(" timeout/0 30/20 310000 ms"), std::string::npos) << line;
}

TEST_P(Chain, HalfCloseTimeoutRestartedByBytes) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto client = world.client("front");
    world.loop.run();
    Peer& server = world.network.peer(kServer);
    client->fin();
    world.loop.advance(seconds(50));
    server.send(10);
    world.loop.advance(milliseconds(59'999));
    EXPECT_EQ(client->fate(), "open");
    world.loop.advance(milliseconds(1));
    seen = {saw("client", *client), saw("server", server)};
    EXPECT_GE(world.count(Counter::half_close_timeouts), 1U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 10 reset", "server 0 end"}));
}

TEST_P(Chain, AReceiverThatTakesNothingIsCut) {
  const Outcome outcome = both_ways(
      plan(),
      [](World& world, Seen& seen) {
        world.network.at(kServer).reading = false;
        auto client = world.client("front");
        auto sending = client->send(8 * kMiB);
        world.loop.run();
        EXPECT_FALSE(sending.done());  // back-pressure all the way
        world.loop.advance(milliseconds(59'999));
        EXPECT_EQ(client->fate(), "open");
        world.loop.advance(seconds(11));
        seen = {std::string(client->fate()), sending.done() ? "stopped" : "stuck"};
        EXPECT_GE(world.count(Counter::write_timeouts), 1U);
        EXPECT_TRUE(world.stage->environment().connections.empty());
      },
      CompareBytes::no);
  EXPECT_EQ(outcome.seen, (Seen{"reset", "stopped"}));
}

TEST_P(Chain, BackPressureBoundsWhatIsHeld) {
  both_ways(
      plan(),
      [](World& world, Seen&) {
        world.network.at(kServer).reading = false;
        auto client = world.client("front");
        client->send(64 * kMiB);
        world.loop.run();
        Peer& server = world.network.peer(kServer);
        // What left the client and did not arrive is between them: two sockets of 64 KiB, a pair and a buffer a hop.
        client->reset();
        server.read_on();
        world.loop.run();
        EXPECT_LE(server.received().size(), (2 + 2 * GetParam()) * 160'000U);
      },
      CompareBytes::no);
}

TEST_P(Chain, TheListenersOwnLimitRefusesByReset) {
  plan::Plan limited = plan();
  limited.listeners.front().max_connections = 2;
  const Outcome outcome = both_ways(
      limited,
      [](World& world, Seen& seen) {
        world.network.at(kServer);
        auto first = world.client("front");
        auto second = world.client("front");
        auto third = world.client("front");
        world.loop.run();
        seen = {std::string(first->fate()), std::string(second->fate()), std::string(third->fate())};
        EXPECT_EQ(world.count(Counter::listener_conns_refused), 1U);
        first.reset();
        world.loop.run();
        auto fourth = world.client("front");
        world.loop.run();
        seen.emplace_back(fourth->fate());
      },
      CompareBytes::no);
  EXPECT_EQ(outcome.seen, (Seen{"open", "open", "reset", "open"}));
}

TEST_P(HopChain, AHopsLimitRefusesByReset) {
  plan::Plan limited = plan();
  limited.listeners.back().max_connections = 1;
  const Outcome outcome = both_ways(limited, [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto first = world.client("front");
    auto second = world.client("front");
    world.loop.run();
    seen = {std::string(first->fate()), std::string(second->fate())};
    EXPECT_EQ(world.network.at(kServer).peers.size(), 1U);
    EXPECT_EQ(world.count(Counter::listener_conns_refused), 1U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"open", "reset"}));
}

TEST_P(Chain, TheProcesssLimitCountsWhatEntersAndNotItsHops) {
  plan::Plan limited = plan();
  limited.process.limits.push_back({"conns", 1});
  const Outcome outcome = both_ways(limited, [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto first = world.client("front");
    world.loop.run();
    auto second = world.client("front");
    world.loop.run();
    seen = {std::string(first->fate()), std::string(second->fate())};
    EXPECT_EQ(world.count(Counter::conns_refused), 1U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"open", "reset"}));
}

TEST_P(Chain, DrainWaitsForWhatEndsInTime) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto client = world.client("front");
    world.loop.run();
    Peer& server = world.network.peer(kServer);
    auto draining = test::start(world.stage->drain(seconds(30)));
    world.loop.advance(seconds(10));
    EXPECT_FALSE(draining.done());
    client->send_and_fin(1000);
    server.send_and_fin(2000);
    world.loop.run();
    ASSERT_TRUE(draining.done());
    seen = {saw("client", *client), saw("server", server), std::to_string(draining.value())};
    EXPECT_EQ(world.open_gauges(), "");
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 2000 end", "server 1000 end", "0"}));
}

TEST_P(Chain, DrainResetsWhatDoesNotEnd) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto first = world.client("front");
    auto second = world.client("front");
    world.loop.run();
    auto draining = test::start(world.stage->drain(seconds(30)));
    world.loop.advance(milliseconds(29'999));
    EXPECT_EQ(first->fate(), "open");
    world.loop.advance(milliseconds(1));
    ASSERT_TRUE(draining.done());
    seen = {saw("client", *first), saw("client", *second), saw("server", world.network.peer(kServer, 0)),
            std::to_string(draining.value())};
    EXPECT_EQ(world.open_gauges(), "");
  });
  EXPECT_EQ(outcome.seen,
            (Seen{"client 0 reset", "client 0 reset", "server 0 reset", std::to_string(2 * listeners())}));
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" shutdown/"), std::string::npos) << line;
}

TEST_P(Chain, DrainGivesUpConnectsAtItsDeadline) {
  both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer).silent = true;
    auto client = world.client("front");
    world.loop.run();
    auto draining = test::start(world.stage->drain(seconds(5)));
    world.loop.advance(seconds(5));
    EXPECT_TRUE(draining.done());
    seen = {saw("client", *client)};
    EXPECT_TRUE(client->failed());
    EXPECT_EQ(world.network.at(kServer).abandoned, 1U);
  });
}

TEST_P(HopChain, AnInternalListenerTakenAwayLeavesLiveConnectionsAlone) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    world.network.at(kServer);
    auto first = world.client("front");
    world.loop.run();
    world.network.at(kServer).delay = seconds(1);
    auto pending = world.client("front");
    world.loop.run();
    world.stage->registry().remove("hop1");
    world.loop.advance(seconds(2));
    auto late = world.client("front");
    world.loop.run();
    first->send(1000);
    world.loop.run();
    seen = {std::string(first->fate()), std::string(pending->fate()), std::string(late->fate()),
            saw("server", world.network.peer(kServer, 0))};
  });
  EXPECT_EQ(outcome.seen, (Seen{"open", "reset", "reset", "server 1000 open"}));
}

TEST(ChainLimits, SixteenHopsAreFineTheSeventeenthIsRefused) {
  for (const unsigned hops : {16U, 17U}) {
    const Outcome outcome = both_ways(chain(hops), [hops](World& world, Seen& seen) {
      world.network.at(kServer);
      auto client = world.client("front");
      client->send(100);
      world.loop.run();
      seen = {std::string(client->fate()), std::to_string(world.network.at(kServer).peers.size())};
      EXPECT_EQ(world.count(Counter::hop_limit), hops == 17 ? 1U : 0U);
    });
    EXPECT_EQ(outcome.seen, hops == 16 ? (Seen{"open", "1"}) : (Seen{"reset", "0"}));
  }
}

TEST(ChainEnds, EchoBehindHops) {
  plan::Plan plan = chain(2);
  plan.clusters.back() = test::to_internal("c2", "echo");
  plan.listeners.push_back(test::internal_listener("echo", plan::Echo{}));
  const Outcome outcome = both_ways(plan, [](World& world, Seen& seen) {
    auto client = world.client("front");
    client->send_and_fin(kMiB);
    world.loop.run();
    seen = {saw("client", *client)};
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 1048576 end"}));
  ASSERT_EQ(outcome.records.size(), 4U);
  for (const std::string& line : outcome.records)
    EXPECT_NE(line.find(" ok/0 1048576/1048576 "), std::string::npos) << line;
}

TEST(ChainEnds, DiscardBehindHops) {
  plan::Plan plan = chain(2);
  plan.clusters.back() = test::to_internal("c2", "discard");
  plan.listeners.push_back(test::internal_listener("discard", plan::Discard{}));
  const Outcome outcome = both_ways(plan, [](World& world, Seen& seen) {
    auto client = world.client("front");
    client->send_and_fin(kMiB);
    world.loop.run();
    seen = {saw("client", *client)};
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 0 end"}));
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" ok/0 1048576/0 "), std::string::npos) << line;
}

}  // namespace
}  // namespace tunnel
