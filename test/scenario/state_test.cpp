// SPDX-License-Identifier: Apache-2.0
// Filter state: what a listener sets, how far it goes over internal hops, what comes back, and that no pooled
// connection lends what one client brought to another.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plan/state.hpp"
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
using test::World;

constexpr const char* kProxy = "10.0.0.2:3128";

plan::Listener& listener_of(plan::Plan& plan, const std::string& name) {
  for (plan::Listener& listener : plan.listeners)
    if (listener.name == name) return listener;
  throw std::out_of_range(name);
}

void pass_everywhere(plan::Plan& plan) {
  for (plan::Cluster& cluster : plan.clusters)
    cluster.passes_state =
        !cluster.endpoints.empty() && std::holds_alternative<plan::Internal>(cluster.endpoints[0].address);
}

// tunnel_plan() whose entries set three objects, and whose tunnel tells them.
plan::Plan plan_with_state(unsigned hops) {
  plan::Plan plan = test::tunnel_plan(Http::h1, hops);
  for (const char* entry : {"tcp", "http"})
    listener_of(plan, entry).state = {
        {"own", "o", StateShare::none},
        {"next", "n", StateShare::once},
        {"all", "%FILTER_STATE(own:PLAIN)%-%DOWNSTREAM_REMOTE_PORT%", StateShare::transitive}};
  pass_everywhere(plan);
  tunnel_of(plan).target = "%FILTER_STATE(all:PLAIN)%.example:80";
  tunnel_of(plan).headers = {{"x-next", "%FILTER_STATE(next:PLAIN)%", false, true},
                             {"x-all", "%FILTER_STATE(all):4%", false, true}};
  return plan;
}

std::string value(const FilterStatePtr& state, std::string_view key, bool plain = true) {
  const std::string text = plan::state_value(state.get(), key, plain);
  return text.empty() ? "-" : text;
}

// What the proxy was asked for by a client of "tcp", then a line for each record: its listener, its own state and what
// came back to it. The proxy answers `status`.
Outcome asked(const plan::Plan& plan, std::uint16_t status = 200) {
  EXPECT_TRUE(plan::check(plan).empty());
  return both_ways(plan, [&](World& world, Seen& seen) {
    HttpServer proxy(world, kProxy, Http::h1, [&](http::ServerExchange& exchange) -> Task<void> {
      http::ResponseHead head{status, {}};
      head.fields.add("x-why", "\"so\"");
      Result<void> answered =
          co_await exchange.respond(head, status == 200 ? http::Body::tunnel() : http::Body::none());
      EXPECT_TRUE(answered.ok());
      if (status == 200) (void)co_await exchange.shutdown_write();
    });
    auto client = world.client("tcp");
    world.loop.run();
    client->fin();
    world.loop.run();
    for (const http::RequestHead& head : proxy.requests()) seen.push_back(request_text(head));
    for (const AccessRecord& record : world.records.all)
      seen.push_back(std::string(record.listener) + " own " + value(record.state, "own") + " next " +
                     value(record.state, "next") + " all " + value(record.state, "all") + " back " +
                     value(record.far_state, plan::kResponseHeadersKey, false));
    std::sort(seen.begin(), seen.end());  // records and pairs end in another order
  });
}

TEST(State, OnceReachesTheNextListener) {
  EXPECT_EQ(asked(plan_with_state(0)).seen,
            (Seen{"CONNECT o-40000.example:80 x-next=n x-all=\"o-4", "encap own - next n all o-40000 back -",
                  "tcp own o next n all o-40000 back -"}));
}

TEST(State, TransitiveReachesAll) {
  EXPECT_EQ(asked(plan_with_state(2)).seen.at(0), "CONNECT o-40000.example:80 x-all=\"o-4");
}

TEST(State, StaysWhereNothingPassesItOn) {
  plan::Plan plan = plan_with_state(1);
  cluster_of(plan, "after-hop1").passes_state = false;
  tunnel_of(plan).target = "t:1";
  const Outcome outcome = asked(plan);
  EXPECT_EQ(outcome.seen.at(0), "CONNECT t:1");
  EXPECT_EQ(outcome.seen.at(1), "encap own - next - all - back -");
}

TEST(State, AListenerMaySetAnotherOne) {
  plan::Plan plan = plan_with_state(0);
  listener_of(plan, "encap").state = {{"all", "again, not %FILTER_STATE(all:PLAIN)%", StateShare::none}};
  tunnel_of(plan).target = "t:1";
  EXPECT_EQ(asked(plan).seen.at(1), "encap own - next n all again, not o-40000 back -");
}

TEST(State, SaysWhereAConnectionWasGoing) {
  plan::Plan plan = plan_with_state(0);
  listener_of(plan, "tcp").state = {{std::string(plan::kOriginalStateKey), "203.0.113.7:443", StateShare::once}};
  tunnel_of(plan).target = "@orig-dst";
  tunnel_of(plan).headers.clear();
  EXPECT_EQ(asked(plan).seen.at(0), "CONNECT 203.0.113.7:443");
}

constexpr const char* kOpened =
    R"({"headers":[{"key":":status","value":"200"},{"key":"x-why","value":"\"so\""},{"key":"date")";
constexpr const char* kRefused = R"({"headers":[{"key":":status","value":"403"},{"key":"x-why","value":"\"so\""})";

// Beyond Envoy (envoyproxy/envoy#43977): the answer of a proxy behind internal hops is known at the entry.
TEST(State, TheAnswerToATunnelComesBackOverEveryHop) {
  plan::Plan plan = plan_with_state(2);
  tunnel_of(plan).keeps_response_headers = true;
  for (const auto& [status, begin] : {std::pair<std::uint16_t, std::string>(200, kOpened), {403, kRefused}}) {
    const Outcome outcome = asked(plan, status);
    unsigned told = 0;
    for (const std::string& line : outcome.seen) {
      if (line.starts_with("CONNECT") || line.starts_with("encap ")) continue;
      EXPECT_NE(line.find("back " + begin), std::string::npos) << line;
      ++told;
    }
    EXPECT_EQ(told, 3U);
  }
}

TEST(State, NothingComesBackToWhoPassesNothingOn) {
  plan::Plan plan = plan_with_state(0);
  cluster_of(plan, "in").passes_state = false;
  tunnel_of(plan).keeps_response_headers = true;
  tunnel_of(plan).target = "t:1";
  EXPECT_TRUE(asked(plan, 403).seen.back().ends_with("back -"));
}

TEST(State, TrailersEndATunnelByPostInOrder) {
  plan::Plan plan = plan_with_state(0);
  tunnel_of(plan).post = true;
  tunnel_of(plan).target = "t:1";
  tunnel_of(plan).keeps_response_trailers = true;
  const Outcome outcome = both_ways(plan, [&](World& world, Seen& seen) {
    HttpServer proxy(world, kProxy, Http::h1, [&](http::ServerExchange& exchange) -> Task<void> {
      Result<void> opened = co_await exchange.respond(http::ResponseHead{200, {}}, http::Body::unknown());
      EXPECT_TRUE(opened.ok());
      http::Fields trailers;
      trailers.add("x-sum", "42");
      Result<void> finished = co_await exchange.finish(trailers);
      EXPECT_TRUE(finished.ok());
    });
    auto client = world.client("tcp");
    world.loop.run();
    client->fin();
    world.loop.run();
    for (const AccessRecord& record : world.records.all)
      if (record.listener == "encap")
        seen.push_back(value(record.state, plan::kResponseTrailersKey, false) + (record.error ? " failed" : ""));
  });
  EXPECT_EQ(outcome.seen, (Seen{R"({"headers":[{"key":"x-sum","value":"42"}]})"}));
}

class StatePooled : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(As, StatePooled, testing::Bool(),
                         [](const auto& one) { return one.param ? "Pairs" : "Records"; });

TEST_P(StatePooled, IsLentToNobody) {
  EXPECT_EQ(test::tunnels_of_two_clients(plan_with_state(0), GetParam(), 2),
            (std::vector<std::string>{"CONNECT o-40000.example:80 x-next=n x-all=\"o-4",
                                      "CONNECT o-40001.example:80 x-next=n x-all=\"o-4"}));
}

TEST_P(StatePooled, ThatIsTheSameSharesAConnection) {
  plan::Plan plan = plan_with_state(0);
  listener_of(plan, "http").state.back().value = "same";
  EXPECT_EQ(test::tunnels_of_two_clients(plan, GetParam(), 2),
            (std::vector<std::string>{"CONNECT same.example:80 x-next=n x-all=\"sam"}));
}

TEST_P(StatePooled, ThatIsNotSharedKeepsNobodyApart) {
  plan::Plan plan = plan_with_state(0);
  plan::Listener& entry = listener_of(plan, "http");
  entry.state.front().value = "%DOWNSTREAM_REMOTE_PORT%";
  entry.state.back().value = "same";
  EXPECT_EQ(test::tunnels_of_two_clients(plan, GetParam(), 2).size(), 1U);
}

}  // namespace
}  // namespace tunnel
