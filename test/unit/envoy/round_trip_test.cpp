// SPDX-License-Identifier: Apache-2.0
// What is exported loads again as the same plan.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "envoy/export.hpp"
#include "envoy/load.hpp"
#include "envoy/spelt_out.hpp"
#include "support/random_plan.hpp"
#include "unit/envoy/export_cases.hpp"

namespace tunnel::envoy {
namespace {

// Everything that does not export as its default, or as something else that does.
plan::Plan exportable(plan::Plan plan) {
  plan::Process process;
  process.admin = std::move(plan.process.admin);
  for (const plan::Limit& limit : plan.process.limits)
    if (limit.key == "pool-idle" || limit.key == "pool-streams") process.limits.push_back(limit);
  plan.process = std::move(process);
  const std::size_t buffer = plan.listeners.front().buffer_bytes;
  for (plan::Listener& listener : plan.listeners) {
    listener.half_close_timeout = plan::Listener{}.half_close_timeout;
    listener.buffer_bytes = buffer;
    if (std::holds_alternative<plan::Discard>(listener.handler)) listener.handler = plan::Echo{};
    if (std::holds_alternative<plan::Echo>(listener.handler)) {
      listener.idle_timeout = plan::Listener{}.idle_timeout;
      listener.max_lifetime = plan::Listener{}.max_lifetime;
      listener.access_log.clear();
    }
    auto* const relay = std::get_if<plan::TcpProxy>(&listener.handler);
    if (relay == nullptr || !relay->tunnel) continue;
    const auto is_tcp = [](const plan::Address& address) { return std::holds_alternative<plan::Tcp>(address); };
    if (!std::all_of(listener.addresses.begin(), listener.addresses.end(), is_tcp)) relay->tunnel->target = "o:1";
    for (plan::Header& header : relay->tunnel->headers) header = {"x-a", header.value};
  }
  for (plan::Cluster& cluster : plan.clusters) {
    if (cluster.find == plan::Cluster::Find::request) cluster.rules = all_literals();
    if (cluster.lb == plan::Lb::first) cluster.lb = plan::Lb::least;
    if (cluster.protocol == plan::Http::h1) cluster.pool.streams = 0;
    if (cluster.protocol == plan::Http::h1) cluster.pool.window_bytes = 0;
    cluster.pool.connections = 0;
    cluster.pool.prewarm = 0;
    const auto not_tcp = [](const plan::Endpoint& one) { return !std::holds_alternative<plan::Tcp>(one.address); };
    if (!has_names(cluster) || std::none_of(cluster.endpoints.begin(), cluster.endpoints.end(), not_tcp)) continue;
    for (plan::Endpoint& endpoint : cluster.endpoints)
      if (auto* const tcp = std::get_if<plan::Tcp>(&endpoint.address)) tcp->host = "10.9.8.7";
  }
  return plan;
}

// With what lines cannot say and Envoy's files can: matches, formats, families of addresses.
plan::Plan varied(plan::Plan plan, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
  const std::vector<std::vector<std::string>> domains = {
      {}, {"*"}, {"a.example"}, {"a.example", "*.b:80"}, {"*.b:80", "a.example"}, {"c.*", "a.example"}};
  for (plan::Listener& listener : plan.listeners) {
    if (chance(20)) listener.read_ahead_bytes = 32768;
    if (chance(20)) listener.state = {{"a.b", "%DOWNSTREAM_REMOTE_ADDRESS%"}, {"c", "d", StateShare::once}};
    if (chance(20)) listener.state.push_back({"c", "%FILTER_STATE(c:PLAIN)% 2", StateShare::transitive});
    if (chance(30)) listener.stat_prefix = chance(50) ? "shared prefix: %" : listener.name;
    if (auto* const http = std::get_if<plan::HttpProxy>(&listener.handler)) {
      for (plan::Route& route : http->routes) {
        if (chance(50)) route.match.domains = domains[random() % domains.size()];
        if (chance(30)) route.match.fields = {{"foo", "bar"}, {"x-y", ""}};
        if (route.match.connect) continue;
        route.match.whole = chance(30);
        if (chance(30)) route.match.method = chance(50) ? "POST" : "GET";
      }
    }
    auto* const relay = std::get_if<plan::TcpProxy>(&listener.handler);
    if (relay == nullptr || !relay->tunnel || !chance(30)) continue;
    relay->tunnel->keeps_response_headers = chance(30);
    relay->tunnel->keeps_response_trailers = chance(30);
    relay->tunnel->headers = {{"a", "%DOWNSTREAM_LOCAL_PORT% of 100%%", false, true}, {"b", "100%"}, {"c", ""}};
  }
  for (plan::Cluster& cluster : plan.clusters) {
    if (chance(20)) cluster.read_ahead_bytes = 4194304;
    if (chance(30)) cluster.family = chance(50) ? plan::Family::v4 : plan::Family::v6;
    const auto inside = [](const plan::Endpoint& one) { return std::holds_alternative<plan::Internal>(one.address); };
    if (chance(50) || std::none_of(cluster.endpoints.begin(), cluster.endpoints.end(), inside)) continue;
    cluster.passes_state = true;
    if (chance(20)) continue;
    cluster.passthrough = {{"a.b", plan::Passthrough::From::cluster}, {"x", plan::Passthrough::From::host}};
    if (chance(50)) cluster.metadata = {{"a.b", "k", "v"}, {"x", "no", "1", plan::Metadata::Kind::number}};
    cluster.endpoints.front().metadata = {{"x", "1.5", "1.5"}, {"a.b", "k y", "true", plan::Metadata::Kind::boolean}};
  }
  return plan;
}

// Empty if `plan` comes back as it went.
std::string difference(const plan::Plan& plan) {
  const Exported exported = export_plan(plan, false);
  if (!exported.problems.empty()) return plan::all(exported.problems);
  Loaded loaded = load(exported.text, "exported.yaml");
  if (!loaded.problems.empty()) return plan::all(loaded.problems) + exported.text;
  plan::Plan again;
  again.process.admin = std::move(loaded.admin);
  again.listeners = std::move(loaded.listeners);
  again.clusters = std::move(loaded.clusters);
  if (spelt_out(again) == spelt_out(plan)) return "";
  return "another plan:\n" + export_plan(again, true).text + "\nof this one:\n" + exported.text;
}

TEST(RoundTrip, OfEveryRowThatExports) {
  for (const Case& one : exporting()) {
    SCOPED_TRACE(one.field + " " + one.when);
    EXPECT_EQ(difference(one.plan), "");
  }
}

TEST(RoundTrip, OfAThousandPlans) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    test::PlanTaste taste;
    taste.handed_over = false;
    const plan::Plan plan = varied(exportable(test::random_plan(seed, taste)), seed);
    ASSERT_EQ(plan::all(plan::check(plan)), "") << "seed " << seed;
    ASSERT_EQ(difference(plan), "") << "seed " << seed;
  }
}

// What it makes of a plan does not change when it is done again.
TEST(RoundTrip, SpeltOutIsANormalForm) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const plan::Plan once = spelt_out(varied(test::random_plan(seed), seed));
    EXPECT_TRUE(spelt_out(once) == once) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tunnel::envoy
