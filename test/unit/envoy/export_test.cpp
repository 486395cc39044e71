// SPDX-License-Identifier: Apache-2.0
// What Envoy's file says for a plan, row by row of the table. test/e2e/test_envoy_export.py shows such files to Envoy.
#include "envoy/export.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "envoy/export_table.hpp"
#include "unit/envoy/export_cases.hpp"

namespace tunnel::envoy {
namespace {

// What is told for each, at its place; of `path` there is nothing, unless it names what is written where losses are
// wanted.
std::vector<Case> losing() {
  const Plan tunnel_of = tunnel_plan();
  const auto process = [&](const std::function<void(plan::Process&)>& change) {
    return with(tunnel_of, [&](Plan& plan) { change(plan.process); });
  };
  const Plan two = with(tunnel_of, [](Plan& plan) {
    plan.clusters[0].endpoints.push_back({plan::Tcp{"10.0.0.2", 3}});
    plan.clusters[0].lb = plan::Lb::first;
  });
  const Plan sizes = with(inside_plan(), [](Plan& plan) { plan.listeners[1].buffer_bytes = 1025; });
  return {
      {"process.workers", "", process([](plan::Process& one) { one.workers = 2; }), "", "--workers 2"},
      {"process.drain", "", process([](plan::Process& one) { one.drain = plan::Milliseconds(5); }), "", "--drain 5ms"},
      {"process.log_format", "", process([](plan::Process& one) { one.log_format = plan::LogFormat::json; }), "",
       "--log-format"},
      {"process.verbosity", "", process([](plan::Process& one) { one.verbosity = 1; }), "", "-v"},
      {"process.verbosity", "", process([](plan::Process& one) { one.verbosity = -1; }), "", "-q"},
      {"process.limits", "", process([](plan::Process& one) { one.limits = {{"hops", 3}}; }), "", "--limit hops=3"},
      {"process.memory_bytes", "", process([](plan::Process& one) { one.memory_bytes = 1U << 20U; }), "",
       "--mem-limit 1048576"},
      {"process.admin", "a bare port", process([](plan::Process& one) { one.admin = plan::Tcp{"", 9}; }),
       "admin.address.socket_address.address=127.0.0.1", "--admin 9"},
      {"process.stats", "", process([](plan::Process& one) { one.stats = true; }), "", "--stats"},
      {"process.force_pairs", "", process([](plan::Process& one) { one.force_pairs = true; }), "", "--force-pairs"},
      {"listener.half_close_timeout", "",
       with(tunnel_of, [](Plan& plan) { plan.listeners[0].half_close_timeout = plan::Milliseconds(5); }), "",
       "t.tun:1:1: listener in, half-close timeout 5 ms"},
      {"listener.idle_timeout", "echo",
       with(handler_plan(plan::Echo{}), [](Plan& plan) { plan.listeners[0].idle_timeout = plan::Milliseconds(5); }), "",
       "t.tun:1:1: listener in, idle timeout 5 ms"},
      {"listener.max_lifetime", "echo",
       with(handler_plan(plan::Echo{}), [](Plan& plan) { plan.listeners[0].max_lifetime = plan::Milliseconds(5); }), "",
       "t.tun:1:1: listener in, max lifetime 5 ms"},
      {"listener.access_log", "echo",
       with(handler_plan(plan::Echo{}), [](Plan& plan) { plan.listeners[0].access_log = "-"; }), "",
       "t.tun:1:1: listener in, access log"},
      {"listener.buffer_bytes", "several sizes, or a part of a KiB", sizes,
       "bootstrap_extensions.0.typed_config.buffer_size_kb=2", "t.tun:3:1: listener mid, buffer 1025 bytes"},
      {"cluster.lb", "first", two, "static_resources.clusters.0.load_assignment.endpoints.1.priority=1",
       "t.tun:2:1: cluster up, --lb first"},
      {"pool.connections", "a number", with(tunnel_of, [](Plan& plan) { pool(plan).connections = 4; }),
       "static_resources.clusters.0.circuit_breakers.thresholds.0.max_connections=4", "t.tun:2:1: cluster up, conns=4"},
      {"pool.prewarm", "", with(tunnel_of, [](Plan& plan) { pool(plan).prewarm = 1; }), "",
       "t.tun:2:1: cluster up, prewarm=1"},
  };
}

std::vector<Case> failing() {
  const Plan tunnel_of = tunnel_plan();
  const Plan taken = with(inside_plan(), [](Plan& plan) {
    plan.listeners[0].handler = plan::with_route({{true, "/"}, plan::Terminate{"up", false}, {}});
    plan.clusters[0].endpoints = {{plan::Internal{"mid", "@authority"}}};
  });
  const Plan asked = with(http_plan({{true, "/"}, plan::Terminate{"up", false}, {}}), [](Plan& plan) {
    plan.clusters[0].find = plan::Cluster::Find::request;
    plan.clusters[0].endpoints.clear();
    plan.clusters[0].rules = {{true, "*", 1, 2}};
  });
  const Plan mixed = with(tunnel_of, [](Plan& plan) {
    plan.clusters[0].endpoints = {{plan::Tcp{"a.example", 2}}, {plan::Unix{"/x", 0600}}};
  });
  const Plan matching = with(respond_plan(200, "x"), [](Plan& plan) {
    std::get<plan::HttpProxy>(plan.listeners[0].handler).routes[0].match.fields = {{"a", "\xf7"}};
  });
  const Plan secret = with(tunnel_of, [](Plan& plan) { tunnel(plan).headers = {{"a", "the secret", true}}; });
  return {
      {"inherited", "", listening_on(plan::Inherited{3, ""}), "", "t.tun:1:1: listener in, an inherited socket"},
      {"stdio", "", listening_on(plan::Stdio{}), "", "t.tun:1:1: listener in, -l -"},
      {"discard", "", handler_plan(plan::Discard{}), "", "t.tun:1:1: listener in, discard:"},
      {"custom", "", handler_plan(plan::Custom{}), "", "t.tun:1:1: listener in, a handler of its own"},
      {"internal.endpoint_id", "@authority, @endpoint, @orig-dst", taken, "",
       "t.tun:2:1: cluster up, internal:mid/@authority"},
      {"header.secret", "", secret, "", "t.tun:1:1: listener in, header a"},
      {"cluster.find", "request", asked, "", "t.tun:2:1: cluster up, rules"},
      {"cluster.endpoints", "a host name beside internal: or unix:", mixed, "", "t.tun:2:1: cluster up, endpoints"},
      {"any text", "not UTF-8", leading_to(plan::Unix{"/\xff", 0600}), "", "t.tun:2:1: cluster up, socket '/\\xff'"},
      {"any text", "not UTF-8", with(tunnel_of, [](Plan& plan) { plan.listeners[0].access_log = "\xc3"; }), "",
       "t.tun:1:1: listener in, access log '\\xc3'"},
      {"any text", "not UTF-8", with(tunnel_of, [](Plan& plan) { tunnel(plan).headers = {{"a", "\xed\xa0\x80"}}; }), "",
       "t.tun:1:1: listener in, header a '\\xed\\xa0\\x80'"},
      {"any text", "not UTF-8", matching, "", "t.tun:1:1: listener in, route, header a '\\xf7'"},
  };
}

const ExportRow& row_of(const Case& one) {
  for (const ExportRow& row : kExportTable)
    if (row.field == one.field && row.when == one.when) return row;
  ADD_FAILURE() << one.field << " " << one.when << " has no row";
  return kExportTable.front();
}

TEST(Export, WritesWhatTheTableSays) {
  for (const Case& one : exporting()) {
    SCOPED_TRACE(one.field + " " + one.when);
    EXPECT_EQ(row_of(one).fate, Fate::exports);
    EXPECT_EQ(text_at(exported(one.plan), one.path), one.expected);
  }
}

TEST(Export, RefusesALossUnlessItIsWanted) {
  for (const Case& one : losing()) {
    SCOPED_TRACE(one.field + " " + one.when);
    const ExportRow& row = row_of(one);
    EXPECT_EQ(row.fate, Fate::lossy);
    EXPECT_EQ(plan::all(plan::check(one.plan)), "");
    const std::string told = one.expected + ": " + std::string(row.how);
    const std::string where = told.starts_with("t.tun") ? "" : ": ";
    EXPECT_EQ(refused(one.plan), where + told + "; --export=envoy,lossy goes on without\n");
    const Exported lossy = export_plan(one.plan, true);
    EXPECT_EQ(plan::all(lossy.problems), "");
    EXPECT_NE(lossy.text.find("\n# Lost:\n# - " + told + "\n"), std::string::npos) << lossy.text;
    if (one.path.empty()) continue;
    const std::size_t equals = one.path.find('=');
    EXPECT_EQ(text_at(YAML::Load(lossy.text), one.path.substr(0, equals)), one.path.substr(equals + 1));
  }
}

TEST(Export, RefusesWhatEnvoyHasNothingFor) {
  for (const Case& one : failing()) {
    SCOPED_TRACE(one.field + " " + one.when);
    const ExportRow& row = row_of(one);
    EXPECT_EQ(row.fate, Fate::fails);
    const std::string told = one.expected + ": " + std::string(row.how) + "\n";
    EXPECT_EQ(refused(one.plan), told);
    EXPECT_EQ(refused(one.plan, true), told);
    EXPECT_EQ(export_plan(one.plan, true).text, "");
  }
}

TEST(Export, EveryRowIsTested) {
  std::set<std::pair<std::string, std::string>> tested;
  for (const auto& cases : {exporting(), losing(), failing()})
    for (const Case& one : cases) tested.emplace(one.field, one.when);
  // Rules never stand alone: they are told of as cluster.find.
  tested.emplace("cluster.rules", "");
  for (const ExportRow& row : kExportTable)
    EXPECT_TRUE(tested.contains({std::string(row.field), std::string(row.when)})) << row.field << " " << row.when;
}

TEST(Export, TellsAllAtOnce) {
  const Plan changed = with(tunnel_plan(), [](Plan& plan) {
    plan.process.workers = 3;
    plan.listeners[0].addresses = {plan::Stdio{}};
    plan.listeners[0].half_close_timeout = plan::Milliseconds(1);
    pool(plan).prewarm = 1;
  });
  const std::string told = refused(changed);
  for (const std::string part : {"--workers 3", "-l -", "half-close", "prewarm"})
    EXPECT_NE(told.find(part), std::string::npos) << told;
}

TEST(Export, NeverPrintsASecret) {
  const Plan changed = with(tunnel_plan(), [](Plan& plan) { tunnel(plan).headers = {{"a", "the secret", true}}; });
  EXPECT_EQ(refused(changed, true).find("the secret"), std::string::npos);
}

// Whatever stands in a text comes out again, and nothing of it is taken for a number or a word of YAML.
TEST(Export, TextsAreQuoted) {
  for (const std::string text : {"true", "null", "~", "1e3", "0x10", "- a", "a: b", "#x", "%TAG", "*x", "&x", "!x", "'",
                                 "\"", "\xe2\x80\xa8", "\xc2\x85"}) {
    const Plan changed = with(tunnel_plan(), [&](Plan& plan) { plan.listeners[0].access_log = text; });
    const YAML::Node node = at(exported(changed), kConfig + "access_log.0.typed_config.path");
    EXPECT_EQ(node.Scalar(), text);
    EXPECT_EQ(node.Tag(), "!") << text;
  }
}

}  // namespace
}  // namespace tunnel::envoy
