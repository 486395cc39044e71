// SPDX-License-Identifier: Apache-2.0
// test/RULES.md 1.3, rows 5 and 11: however an HTTP/2 client's tunnel is lost, by its stream or by its connection, the
// upstream meets a reset and never an end; and bytes the client had sent before arrive.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/both_ways.hpp"
#include "support/h2_bytes.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using test::both_ways;
using test::frame;
using test::Outcome;
using test::Peer;
using test::Seen;
using test::World;

enum class Loss : std::uint8_t { rst_stream, goaway_and_fin, goaway_with_an_error, fin, reset, garbage };

struct Way {
  const char* name;
  Loss loss;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class LostTunnel : public testing::TestWithParam<Way> {};

std::string goaway(std::uint32_t code) { return frame(test::kGoaway, 0, 0, test::be(0, 4) + test::be(code, 4)); }

void lose(Peer& client, Loss loss) {
  switch (loss) {
    case Loss::rst_stream:
      client.send_text(frame(test::kRst, 0, 1, test::be(8, 4)));
      break;
    case Loss::goaway_and_fin:
      client.send_text(goaway(0));
      client.fin();
      break;
    case Loss::goaway_with_an_error:
      client.send_text(goaway(2));
      client.fin();
      break;
    case Loss::fin:
      client.fin();
      break;
    case Loss::reset:
      client.reset();
      break;
    case Loss::garbage:
      client.send_text(frame(test::kSettings, 0, 0, "odd"));
      break;
  }
}

TEST_P(LostTunnel, ReachesTheUpstreamAsAReset) {
  const Outcome outcome = both_ways(
      test::tunnel_plan(plan::Http::h2),
      [](World& world, Seen& seen) {
        world.network.at("10.0.0.7:80");
        auto client = world.client("decap");
        client->send_text(
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(test::kSettings, 0, 0) +
            frame(test::kHeaders, test::kEndHeaders, 1, test::hpack(test::connect_fields("10.0.0.7:80"))) +
            frame(test::kData, 0, 1, "sent before"));
        world.loop.run();
        ASSERT_EQ(world.network.at("10.0.0.7:80").peers.size(), 1U);
        Peer& upstream = world.network.peer("10.0.0.7:80");
        EXPECT_EQ(upstream.received(), "sent before");
        EXPECT_EQ(upstream.fate(), "open");
        lose(*client, GetParam().loss);
        world.loop.run();
        seen = {upstream.received(), std::string(upstream.fate())};
        world.loop.advance(std::chrono::seconds(3));
      },
      test::CompareBytes::no);
  EXPECT_EQ(outcome.seen, (Seen{"sent before", "reset"}));
}

const Way kWays[] = {
    {"RstStream", Loss::rst_stream},
    {"GoawayThenFin", Loss::goaway_and_fin},
    {"GoawayWithAnError", Loss::goaway_with_an_error},
    {"FinWithoutAWord", Loss::fin},
    {"ResetOfTheConnection", Loss::reset},
    {"ABrokenFrame", Loss::garbage},
};

// test/RULES.md 1.3, row 10: what a proxy that goes away did not act upon is asked again, and all of it over one
// connection.
TEST(LostProxy, ManyTunnelsShareTheNextConnection) {
  const Outcome outcome = both_ways(
      test::tunnel_plan(plan::Http::h2),
      [](World& world, Seen& seen) {
        auto& proxy = world.network.at("10.0.0.2:3128");
        std::vector<std::unique_ptr<Peer>> clients;
        for (int i = 0; i < 20; ++i) clients.push_back(world.client("tcp"));
        world.loop.run();
        seen.push_back(std::to_string(proxy.attempts));
        proxy.peers.front()->send_text(frame(test::kSettings, 0, 0) + goaway(0));
        world.loop.run();
        seen.push_back(std::to_string(proxy.attempts));
        seen.push_back(std::to_string(world.count(Counter::retries)));
      },
      test::CompareBytes::no);
  EXPECT_EQ(outcome.seen, (Seen{"1", "2", "20"}));
}

INSTANTIATE_TEST_SUITE_P(By, LostTunnel, testing::ValuesIn(kWays),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace tunnel
