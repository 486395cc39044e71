// SPDX-License-Identifier: Apache-2.0
// What a connect to an internal listener brings along: metadata of the endpoint or the cluster, where it ends, what
// tunnels make of it; and that no pooled connection lends what one client brought to another.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/pooled_inside.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using test::both_ways;
using test::cluster_of;
using test::HttpServer;
using test::Outcome;
using test::request_text;
using test::Seen;
using test::tunnel_of;
using test::tunnels_of_two_clients;
using test::World;
using From = plan::Passthrough::From;

constexpr const char* kProxy = "10.0.0.2:3128";

// tunnel_plan() whose "in" passes on what its endpoint has in a.b, and whose tunnel says the target with it.
plan::Plan plan_with_metadata(unsigned hops = 0) {
  plan::Plan plan = test::tunnel_plan(Http::h1, hops);
  plan::Cluster& in = cluster_of(plan, "in");
  in.endpoints[0].metadata = {{"a.b", "target", "db.example:5432"}, {"a.b", "n", "7", plan::Metadata::Kind::number}};
  in.passthrough = {{"a.b", From::host}};
  tunnel_of(plan) = {"%DYNAMIC_METADATA(a.b:target)%", false, "/", {}};
  tunnel_of(plan).headers = {{"x-n", "%DYNAMIC_METADATA(a.b:n)%", false, true},
                             {"x-cut", "%DYNAMIC_METADATA(a.b:target):2%", false, true},
                             {"x-none", "%DYNAMIC_METADATA(a.b:none)%", false, true},
                             {"x-who", "%DOWNSTREAM_REMOTE_ADDRESS%", false, true}};
  return plan;
}

// What the proxy was asked for by two clients of "tcp", one after the other, and who failed.
Outcome asked(const plan::Plan& plan) {
  EXPECT_TRUE(plan::check(plan).empty());
  return both_ways(plan, [](World& world, Seen& seen) {
    HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
    for (int i = 0; i < 2; ++i) {
      auto client = world.client("tcp");
      client->send(10);
      world.loop.run();
      seen.push_back(std::to_string(client->received().size()) + (client->failed() ? " failed" : ""));
      client->fin();
      world.loop.run();
    }
    for (const http::RequestHead& head : proxy.requests()) seen.push_back(request_text(head));
    for (const AccessRecord& record : world.records.all)
      if (record.error) seen.push_back(std::string(record.listener) + ": " + std::string(record.error.text()));
    seen.push_back("missing " + std::to_string(world.count(Counter::no_metadata)));
  });
}

TEST(Metadata, OfAnEndpointReachesTargetAndHeaders) {
  const Outcome outcome = asked(plan_with_metadata());
  EXPECT_EQ(outcome.seen, (Seen{"10", "10", "CONNECT db.example:5432 x-n=7 x-cut=db x-who=192.0.2.1:40000",
                                "CONNECT db.example:5432 x-n=7 x-cut=db x-who=192.0.2.1:40001", "missing 0"}));
}

TEST(Metadata, LaterSourcesTakeTheSpaceOfEarlierOnes) {
  plan::Plan plan = plan_with_metadata();
  plan::Cluster& in = cluster_of(plan, "in");
  in.metadata = {{"a.b", "target", "cluster.example:1"}};
  in.passthrough = {{"a.b", From::host}, {"a.b", From::cluster}};
  EXPECT_EQ(asked(plan).seen.at(2), "CONNECT cluster.example:1 x-cut=cl x-who=192.0.2.1:40000");
  in.passthrough = {{"a.b", From::cluster}, {"a.b", From::host}};
  EXPECT_EQ(asked(plan).seen.at(2), "CONNECT db.example:5432 x-n=7 x-cut=db x-who=192.0.2.1:40000");
}

// Traffic goes on; only who needs the value does not.
TEST(Metadata, WhatIsMissingIsCountedForEachConnection) {
  plan::Plan plan = plan_with_metadata();
  cluster_of(plan, "in").passthrough = {{"a.b", From::cluster}, {"a.b", From::host}, {"other", From::host}};
  const Outcome outcome = asked(plan);
  EXPECT_EQ(outcome.seen.at(2), "CONNECT db.example:5432 x-n=7 x-cut=db x-who=192.0.2.1:40000");
  EXPECT_EQ(outcome.seen.back(), "missing 4");
}

TEST(Metadata, GoesNoFurtherThanOneHop) {
  const Outcome outcome = asked(plan_with_metadata(1));
  const std::string why = "of a connection to internal:encap the target %DYNAMIC_METADATA(a.b:target)% is empty";
  EXPECT_EQ(outcome.seen.at(0), "0 failed");
  EXPECT_EQ(outcome.seen.at(2), "encap: " + why);
  plan::Plan plan = plan_with_metadata(1);
  plan::Cluster& after = cluster_of(plan, "after-hop1");
  after.endpoints[0].metadata = {{"a.b", "target", "second.example:2"}};
  after.passthrough = {{"a.b", From::host}};
  EXPECT_EQ(asked(plan).seen.at(2), "CONNECT second.example:2 x-cut=se x-who=192.0.2.1:40000");
}

TEST(Metadata, WithoutPassthroughItStays) {
  plan::Plan plan = plan_with_metadata();
  cluster_of(plan, "in").passthrough.clear();
  const Outcome outcome = asked(plan);
  EXPECT_EQ(outcome.seen.at(0), "0 failed");
  EXPECT_EQ(outcome.seen.back(), "missing 0");
}

TEST(Metadata, ATargetThatIsNoneIsRefusedWithWhatItWas) {
  plan::Plan plan = plan_with_metadata();
  tunnel_of(plan).target = "%DYNAMIC_METADATA(a.b:n)%";
  const Outcome outcome = asked(plan);
  EXPECT_EQ(
      outcome.seen.at(2),
      "encap: of a connection to internal:encap the target %DYNAMIC_METADATA(a.b:n)% is '7', which is no host:port");
  tunnel_of(plan).target = "%DYNAMIC_METADATA(a.b:n)%.example:80";
  EXPECT_EQ(asked(plan).seen.at(2), "CONNECT 7.example:80 x-n=7 x-cut=db x-who=192.0.2.1:40000");
}

// As Envoy's original_dst does on an internal listener.
TEST(Metadata, SaysWhereAConnectionWasGoing) {
  plan::Plan plan = plan_with_metadata();
  plan::Cluster& in = cluster_of(plan, "in");
  in.endpoints[0].metadata = {{"envoy.filters.listener.original_dst", "local", "203.0.113.7:443"}};
  in.passthrough = {{"envoy.filters.listener.original_dst", From::host}};
  tunnel_of(plan).target = "@orig-dst";
  tunnel_of(plan).headers = {{"x-local", "%DOWNSTREAM_LOCAL_ADDRESS%", false, true}};
  EXPECT_EQ(asked(plan).seen.at(2), "CONNECT 203.0.113.7:443 x-local=203.0.113.7:443");
}

// An HTTP entry keeps connections to the internal listener behind it: with one of them nobody may get the target, or
// pass for the client, of another (envoyproxy/envoy#35711).
class PooledInside : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(As, PooledInside, testing::Bool(),
                         [](const auto& one) { return one.param ? "Pairs" : "Records"; });

TEST_P(PooledInside, AClientsAddressIsLentToNobody) {
  const plan::Plan plan = plan_with_metadata();
  EXPECT_EQ(tunnels_of_two_clients(plan, GetParam(), 2),
            (std::vector<std::string>{"CONNECT db.example:5432 x-n=7 x-cut=db x-who=192.0.2.1:40000",
                                      "CONNECT db.example:5432 x-n=7 x-cut=db x-who=192.0.2.1:40001"}));
}

TEST_P(PooledInside, WhatBelongsToTheEndpointIsShared) {
  plan::Plan plan = plan_with_metadata();
  tunnel_of(plan).headers.pop_back();
  EXPECT_EQ(tunnels_of_two_clients(plan, GetParam(), 2),
            (std::vector<std::string>{"CONNECT db.example:5432 x-n=7 x-cut=db"}));
}

// The log names the client on both sides of a hop.
TEST(Metadata, TheLogKnowsTheClientOnBothSides) {
  plan::Plan plan = plan_with_metadata(2);
  const Outcome outcome = both_ways(plan, [](World& world, Seen& seen) {
    HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
    auto client = world.client("tcp");
    world.loop.run();
    client->reset();
    world.loop.run();
    for (const AccessRecord& record : world.records.all)
      seen.push_back(std::string(record.listener) + " " + record.downstream_remote);
  });
  EXPECT_FALSE(outcome.seen.empty());
  for (const std::string& line : outcome.seen) EXPECT_TRUE(line.ends_with(" 192.0.2.1:40000")) << line;
}

}  // namespace
}  // namespace tunnel
