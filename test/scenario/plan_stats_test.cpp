// SPDX-License-Identifier: Apache-2.0
// What can be seen of connections while they live: the figures a listener and an edge, and the listing. As records and
// as pairs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using std::chrono::seconds;
using test::both_ways;
using test::kOrigin;
using test::Peer;
using test::Seen;
using test::World;

// "front->c0 1/1 100/200 failed 0 left 0": active of begun, bytes received and sent, errors.
Seen edges(World& world) {
  Seen lines;
  for (const proxy::ListenerStats& listener : world.stats.listeners()) {
    for (const proxy::EdgeStats& edge : listener.edges) {
      std::uint64_t failed = 0;
      for (const Cell& errors : edge.errors) failed += errors.value();
      if (edge.begun.value() > 0)
        lines.push_back(fmt::format("{}->{} {}/{} {}/{} failed {} left {}", listener.name, edge.cluster, edge.active(),
                                    edge.begun.value(), edge.traffic.of(Direction::up),
                                    edge.traffic.of(Direction::down), failed, edge.client_errors.value()));
    }
  }
  return lines;
}

// "front c0 192.0.2.1:40000 -> 10.0.0.9:80 10/20 2 s", sorted.
Seen listing(World& world, std::size_t most = 100) {
  proxy::Listing listing(world.loop.now(), most);
  world.stage->connections().describe(listing);
  Seen lines;
  for (const proxy::LiveRecord& row : listing.records())
    lines.push_back(fmt::format("{} {} {} {} -> {} {}/{} {} s{}{}", row.listener, row.cluster, row.protocol, row.peer,
                                row.target + " " + row.upstream, row.bytes_received, row.bytes_sent,
                                std::chrono::duration_cast<seconds>(row.age).count(), row.up_blocked ? " up" : "",
                                row.down_blocked ? " down" : ""));
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::uint64_t total(World& world, Direction direction) {
  return world.count(direction == Direction::up ? Counter::bytes_received : Counter::bytes_sent);
}

TEST(PlanStats, BytesOfAnOpenChainShowOnEveryEdge) {
  const test::Outcome outcome = both_ways(test::chain(2), [](World& world, Seen& seen) {
    world.network.at(kOrigin);
    auto client = world.client("front");
    world.loop.run();
    client->send(100);
    world.network.peer(kOrigin).send(300);
    world.loop.run();
    world.loop.advance(seconds(2));
    seen = edges(world);
    for (const std::string& line : listing(world)) seen.push_back(line);
    EXPECT_EQ(total(world, Direction::up), 300U);  // 100 on each of three listeners
    EXPECT_EQ(total(world, Direction::down), 900U);
    client->fin();
    world.network.peer(kOrigin).fin();
    world.loop.run();
    for (const std::string& line : edges(world)) seen.push_back(line);
    EXPECT_EQ(listing(world), Seen{});
  });
  EXPECT_EQ(outcome.seen, (Seen{"front->c0 1/1 100/300 failed 0 left 0", "hop1->c1 1/1 100/300 failed 0 left 0",
                                "hop2->c2 1/1 100/300 failed 0 left 0",  //
                                "front c0 TCP 192.0.2.1:40000 ->  internal:hop1 100/300 2 s",
                                "hop1 c1 TCP 192.0.2.1:40000 ->  internal:hop2 100/300 2 s",
                                "hop2 c2 TCP 192.0.2.1:40000 ->  10.0.0.9:80 100/300 2 s",  //
                                "front->c0 0/1 100/300 failed 0 left 0", "hop1->c1 0/1 100/300 failed 0 left 0",
                                "hop2->c2 0/1 100/300 failed 0 left 0"}));
}

TEST(PlanStats, AFailureCountsByKindOnEveryEdgeAndAClientsResetApart) {
  const test::Outcome outcome = both_ways(test::chain(1), [](World& world, Seen& seen) {
    world.network.at(kOrigin).refusal = Error(Error::Kind::refused, "no").on(Error::Side::upstream);
    auto refused = world.client("front");
    world.loop.run();
    world.network.at(kOrigin).refusal = Error();
    auto resetting = world.client("front");
    world.loop.run();
    resetting->reset();
    world.loop.run();
    seen = edges(world);
    const proxy::EdgeStats& edge = world.stats.listener("front").edge("c0");
    EXPECT_EQ(edge.errors[static_cast<std::size_t>(Error::Kind::refused)].value(), 1U);
    EXPECT_EQ(world.stats.listener("front").begun.value(), 2U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"front->c0 0/2 0/0 failed 1 left 1", "hop1->c1 0/2 0/0 failed 1 left 1"}));
}

TEST(PlanStats, ATunnelThatStallsSaysWhichSide) {
  const auto stall = [](World& world, Seen& seen) {
    world.network.at(kOrigin).reading = false;
    auto client = world.client("front");
    client->send(8 << 20);
    world.loop.run();
    for (const std::string& line : listing(world)) seen.push_back(line.substr(line.rfind(' ')));
  };
  const test::Outcome outcome = both_ways(test::chain(1), stall, test::CompareBytes::no);
  EXPECT_EQ(outcome.seen, (Seen{" up", " up"}));
}

TEST(PlanStats, AConnectThatIsUnderWayIsListed) {
  const test::Outcome outcome = both_ways(test::chain(1), [](World& world, Seen& seen) {
    world.network.at(kOrigin).silent = true;
    auto client = world.client("front");
    world.loop.run();
    world.loop.advance(seconds(3));
    seen = listing(world);
  });
  EXPECT_EQ(outcome.seen,
            (Seen{"front c0 TCP 192.0.2.1:40000 ->   0/0 3 s", "hop1 c1 TCP 192.0.2.1:40000 ->   0/0 3 s"}));
}

TEST(PlanStats, EveryTunnelOnAnHttpConnectionIsListedWithWhatWasAskedFor) {
  for (const plan::Http version : {plan::Http::h1, plan::Http::h2}) {
    World world(test::tunnel_plan(version));
    test::join_tunnel(world);
    world.network.at(kOrigin);
    auto first = world.client("tcp");
    auto second = world.client("tcp");
    world.loop.run();
    first->send(1000);
    world.network.peer(kOrigin, 0).send(50);
    world.loop.run();
    Seen rows;
    for (const std::string& line : listing(world))
      if (line.starts_with("decap")) rows.push_back(line.substr(line.find(" ->")));
    std::sort(rows.begin(), rows.end());
    EXPECT_EQ(rows, (Seen{" -> example.com:80 10.0.0.9:80 0/0 0 s", " -> example.com:80 10.0.0.9:80 1000/50 0 s"}));
    EXPECT_EQ(world.stats.listener("decap").edge("out").active(), 2U);
    EXPECT_EQ(world.stats.listener("decap").active(), version == plan::Http::h1 ? 2U : 1U);
    EXPECT_EQ(listing(world, 3).size(), 3U);
  }
}

TEST(PlanStats, ForwardedBodiesAndAnswersOfOurOwnCountTheirBytes) {
  plan::Plan plan;
  plan::HttpProxy front;
  front.routes.push_back({plan::Match{false, "/own"}, plan::Respond{200, "twelve bytes"}, {}});
  front.routes.push_back({plan::Match{false, "/"}, plan::Forward{"out"}, {}});
  plan.listeners.push_back(test::tcp_listener("front", 9000, std::move(front)));
  plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80));
  World world(std::move(plan));
  test::HttpServer origin(world, kOrigin, plan::Http::h1,
                          [](http::ServerExchange& exchange) { return test::reply(exchange, 200, "0123456789"); });
  test::HttpClient client(world, plan::Http::h1, world.dial("front"));
  auto forwarded = client.ask(test::get("a.example"), "abc");
  world.loop.run();
  EXPECT_EQ(forwarded.value().body, "0123456789");
  auto own = client.ask(test::get("a.example", "/own"));
  world.loop.run();
  EXPECT_EQ(own.value().body, "twelve bytes");
  EXPECT_EQ(edges(world), (Seen{"front-> 0/1 0/12 failed 0 left 0", "front->out 0/1 3/10 failed 0 left 0"}));
  EXPECT_EQ(total(world, Direction::up), 3U);
  EXPECT_EQ(total(world, Direction::down), 22U);
}

TEST(PlanStats, AQueryIsNobodysBusiness) {
  AccessRecord record;
  record.authority = "a.example";
  record.path = "/search?q=secret";
  proxy::Listing listing(TimePoint{}, 1);
  listing.add(record, nullptr);
  EXPECT_EQ(listing.records().front().target, "a.example/search");
}

}  // namespace
}  // namespace tunnel
