// SPDX-License-Identifier: Apache-2.0
// The n-th operation on any stream of the outside world fails, for every n until none does: nothing hangs, nothing
// leaks, and whatever a client got is a prefix of the right answer.
#include <gtest/gtest.h>

#include <string>

#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::minutes;
using test::kOrigin;
using test::World;

struct Way {
  Http version;
  unsigned hops;
  bool pairs;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << (way.version == Http::h1 ? "h1, " : "h2, ") << way.hops << " hops, " << (way.pairs ? "pairs" : "records");
}

class Failure : public testing::TestWithParam<Way> {
 protected:
  plan::Plan plan() const {
    plan::Plan plan = test::tunnel_plan(GetParam().version, GetParam().hops);
    plan.process.force_pairs = GetParam().pairs;
    return plan;
  }
};

INSTANTIATE_TEST_SUITE_P(Over, Failure,
                         testing::Values(Way{Http::h1, 0, false}, Way{Http::h1, 2, false}, Way{Http::h1, 2, true},
                                         Way{Http::h2, 0, false}, Way{Http::h2, 2, false}, Way{Http::h2, 2, true}),
                         [](const auto& one) {
                           return std::string(one.param.version == Http::h1 ? "H1" : "H2") + "Hops" +
                                  std::to_string(one.param.hops) + (one.param.pairs ? "Pairs" : "Records");
                         });

TEST_P(Failure, OfAnyOperationOfATcpTunnel) {
  constexpr std::size_t kMost = 5000;
  std::size_t n = 1;
  for (; n < kMost; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    test::FailCount count(n);
    World world(plan());
    world.fail_clients = &count;
    world.network.inject(&count);
    test::join_tunnel(world);
    world.network.at(kOrigin);
    {
      auto client = world.client("tcp");
      client->send_and_fin(40'000);
      world.loop.run();
      if (!world.network.at(kOrigin).peers.empty()) {
        test::Peer& server = world.network.peer(kOrigin);
        server.send_and_fin(50'000);
        world.loop.run();
        EXPECT_TRUE(server.pattern_intact());
        if (server.ended()) {
          EXPECT_EQ(server.received().size(), 40'000U);
        }
      }
      world.loop.advance(minutes(2));
      EXPECT_TRUE(client->pattern_intact());
      if (client->ended()) {
        EXPECT_EQ(client->received().size(), 50'000U);
      }
      if (!count.struck()) {
        EXPECT_TRUE(client->ended());
        EXPECT_EQ(client->received().size(), 50'000U);
      }
    }
    world.network.drop_peers();
    world.loop.advance(minutes(2));
    EXPECT_TRUE(world.stage->environment().connections.size() <= 1);  // the pooled connection of decap
    world.end();
    EXPECT_EQ(world.open_gauges(), "");
    if (!count.struck() || HasFailure()) break;
  }
  EXPECT_LT(n, kMost);
  EXPECT_GT(n, 10U);
}

TEST_P(Failure, OfAnyOperationOfAGet) {
  constexpr std::size_t kMost = 5000;
  const std::string content = test::pattern(0, 30'000);
  std::size_t n = 1;
  for (; n < kMost; ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    test::FailCount count(n);
    World world(plan());
    world.network.inject(&count);
    test::join_tunnel(world);
    {
      test::HttpServer origin(world, kOrigin, Http::h1, [&content](http::ServerExchange& exchange) -> Task<void> {
        Task<void> replying = test::reply(exchange, 200, content);
        co_await replying;
      });
      test::HttpClient client(world, Http::h1, world.dial("http"));
      for (int i = 0; i < 2 && client.connection().usable() && client.connection().capacity() > 0; ++i) {
        auto asking = client.ask(test::get("example.com"));
        world.loop.advance(minutes(2));
        EXPECT_TRUE(asking.done()) << "request " << i << " hangs";
        if (!asking.done()) break;
        const test::Answer answer = asking.value();
        if (answer.head.status == 200) {
          EXPECT_TRUE(content.starts_with(answer.body));
          if (answer.ended) {
            EXPECT_EQ(answer.body.size(), content.size());
          }
        } else {
          EXPECT_TRUE(answer.head.status == 0 || answer.head.status >= 500) << answer.head.status;
          EXPECT_TRUE(count.struck());
        }
      }
    }
    world.end();
    EXPECT_EQ(world.open_gauges(), "");
    if (!count.struck() || HasFailure()) break;
  }
  EXPECT_LT(n, kMost);
  EXPECT_GT(n, 10U);
}

}  // namespace
}  // namespace tunnel
