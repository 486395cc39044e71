// SPDX-License-Identifier: Apache-2.0
#include "runtime/metrics.hpp"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/memory.hpp"
#include "support/admin_fixture.hpp"

namespace tunnel {
namespace {

using test::FakeSource;

std::vector<std::string> lines(const FakeSource& source, bool draining = false) {
  std::istringstream text(runtime::metrics_text(source.figures(), {1.5, 4096, 7, 1024}, draining));
  std::vector<std::string> all;
  for (std::string line; std::getline(text, line);) all.push_back(line);
  return all;
}

std::string sample(const FakeSource& source, const std::string& name, bool draining = false) {
  for (const std::string& line : lines(source, draining))
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  return "missing";
}

TEST(Metrics, EverySampleFollowsItsHelpAndTypeAndStandsOnce) {
  const FakeSource source;
  const std::regex form("([a-z_0-9]+)(\\{([a-z]+=\"[^\"\\\\]*\",?)+\\})? [0-9.]+");
  std::string family;
  std::string helped;
  std::set<std::string> families;
  std::set<std::string> samples;
  for (const std::string& line : lines(source)) {
    std::istringstream words(line);
    std::string hash;
    std::string what;
    std::string name;
    std::string type;
    if (line.starts_with("# HELP ")) {
      words >> hash >> what >> helped;
      EXPECT_TRUE(line.ends_with(".") && !line.ends_with("..")) << line;
    } else if (line.starts_with("# TYPE ")) {
      words >> hash >> what >> family >> type;
      EXPECT_EQ(family, helped);
      EXPECT_TRUE(families.insert(family).second) << family;
      EXPECT_EQ(type, family.ends_with("_total") ? "counter" : "gauge") << line;
    } else {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, form)) << line;
      EXPECT_EQ(match[1], family);
      EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << line;
    }
  }
  for (std::size_t i = 0; i < kCounterCount; ++i) EXPECT_TRUE(families.contains(std::string(name_of(Counter(i)))));
  for (std::size_t i = 0; i < kGaugeCount; ++i) EXPECT_TRUE(families.contains(std::string(name_of(Gauge(i)))));
}

TEST(Metrics, SumsTheWorkers) {
  FakeSource source;
  source.counters[0].add(Counter::denied, 2);
  source.counters[1].add(Counter::denied, 3);
  source.counters[1].up(Gauge::pairs);
  for (proxy::PlanStats& worker : source.stats) {
    proxy::ListenerStats& front = worker.listener("front");
    front.begun.add(3);
    front.ended.add(1);
    proxy::EdgeStats& edge = front.edge("c0");
    edge.begun.add(3);
    edge.end(Error(Error::Kind::timeout));
    edge.end(Error(Error::Kind::reset).on(Error::Side::downstream));
    edge.traffic.bytes[0].add(100);
    edge.traffic.bytes[1].add(7);
    worker.listener("web").edge("c0").traffic.bytes[0].add(1);
  }
  EXPECT_EQ(sample(source, "tunnel_denied_total"), "5");
  EXPECT_EQ(sample(source, "tunnel_pairs_active"), "1");
  EXPECT_EQ(sample(source, "tunnel_access_log_lost_total"), "3");
  EXPECT_EQ(sample(source, "tunnel_workers"), "2");
  EXPECT_EQ(sample(source, "tunnel_listener_connections_total{listener=\"front\"}"), "6");
  EXPECT_EQ(sample(source, "tunnel_listener_connections_active{listener=\"front\"}"), "4");
  EXPECT_EQ(sample(source, "tunnel_listener_received_bytes_total{listener=\"front\"}"), "200");
  EXPECT_EQ(sample(source, "tunnel_listener_errors_total{listener=\"front\",kind=\"timeout\"}"), "2");
  EXPECT_EQ(sample(source, "tunnel_listener_errors_total{listener=\"front\",kind=\"reset\"}"), "0");
  EXPECT_EQ(sample(source, "tunnel_listener_client_errors_total{listener=\"front\"}"), "2");
  EXPECT_EQ(sample(source, "tunnel_cluster_sent_bytes_total{cluster=\"c0\"}"), "202");
  EXPECT_EQ(sample(source, "tunnel_cluster_received_bytes_total{cluster=\"c0\"}"), "14");
  EXPECT_EQ(sample(source, "tunnel_cluster_uses_active{cluster=\"c0\"}"), "2");
  EXPECT_EQ(sample(source, "tunnel_cluster_errors_total{cluster=\"asked\",kind=\"dns\"}"), "0");
}

TEST(Metrics, TheProcessItself) {
  const FakeSource source;
  EXPECT_EQ(sample(source, "tunnel_draining"), "0");
  EXPECT_EQ(sample(source, "tunnel_draining", true), "1");
  EXPECT_EQ(sample(source, std::string("tunnel_build_info{version=\"") + TUNNEL_VERSION + "\"}"), "1");
  EXPECT_EQ(sample(source, "process_start_time_seconds"), "1000.000");
  EXPECT_EQ(sample(source, "process_cpu_seconds_total"), "1.500");
  EXPECT_EQ(sample(source, "process_open_fds"), "7");
  const runtime::ProcessFacts real = runtime::process_facts();
  EXPECT_GT(real.resident_bytes, 100'000U);
  EXPECT_GE(real.open_descriptors, 3U);
  EXPECT_GE(real.most_descriptors, real.open_descriptors);
}

TEST(Metrics, PoolsAndEndpointsOfTheClustersThatHaveThem) {
  FakeSource source;
  for (proxy::PlanStats& worker : source.stats) {
    worker.cluster("c0").pool.connections.add(2);
    worker.cluster("c0").pool.exchanges.add(5);
    worker.cluster("c1").endpoints[1].tries.add(4);
    worker.cluster("c1").endpoints[1].failures.add(3);
  }
  source.stats[0].cluster("c1").endpoints[1].aside.set(1);
  EXPECT_EQ(sample(source, "tunnel_cluster_pool_connections{cluster=\"c0\"}"), "4");
  EXPECT_EQ(sample(source, "tunnel_cluster_pool_exchanges{cluster=\"c0\"}"), "10");
  EXPECT_EQ(sample(source, "tunnel_cluster_pool_connections{cluster=\"c1\"}"), "missing");  // bytes are only relayed
  const std::string second = "{cluster=\"c1\",endpoint=\"10.0.0.10:80\"}";
  EXPECT_EQ(sample(source, "tunnel_cluster_endpoint_tries_total" + second), "8");
  EXPECT_EQ(sample(source, "tunnel_cluster_endpoint_failures_total" + second), "6");
  EXPECT_EQ(sample(source, "tunnel_cluster_endpoint_aside" + second), "1");
  EXPECT_EQ(sample(source, "tunnel_cluster_endpoint_aside{cluster=\"c1\",endpoint=\"10.0.0.9:80\"}"), "0");
  EXPECT_EQ(sample(source, "tunnel_cluster_endpoint_aside{cluster=\"c0\",endpoint=\"internal:hop1\"}"), "missing");
}

TEST(Metrics, BuffersOfTheProcess) {
  const FakeSource source;
  const Buffer held(std::string(1 << 20, 'x'));
  EXPECT_EQ(sample(source, "tunnel_buffer_bytes"), std::to_string(memory::held()));
  EXPECT_GE(memory::held(), std::uint64_t{1} << 20);
}

// However many peers come, and whatever they say, there are as many samples as before.
TEST(Metrics, NothingAPeerDoesMakesASample) {
  FakeSource source;
  const std::size_t before = lines(source).size();
  AccessRecord record;
  record.downstream_remote = "192.0.2.1:4711";
  record.authority = "peer.example:443";
  source.records.assign(100, record);
  proxy::EdgeStats& edge = source.stats[0].listener("web").edge("somewhere.else");
  EXPECT_EQ(edge.cluster, "");
  for (std::size_t kind = 1; kind < proxy::kErrorKinds; ++kind) {
    edge.begun.add(1);
    edge.end(Error(static_cast<Error::Kind>(kind)));
  }
  EXPECT_EQ(lines(source).size(), before);
}

}  // namespace
}  // namespace tunnel
