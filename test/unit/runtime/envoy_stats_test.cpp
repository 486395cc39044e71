// SPDX-License-Identifier: Apache-2.0
#include "runtime/envoy_stats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "runtime/envoy_stats_text.hpp"
#include "support/admin_fixture.hpp"

namespace tunnel {
namespace {

using runtime::EnvoyStat;
using runtime::EnvoyState;
using test::FakeSource;

std::vector<EnvoyStat> stats_of(const FakeSource& source, const plan::Plan& plan) {
  return runtime::envoy_stats(plan, source.figures(), EnvoyState{});
}
std::map<std::string, std::uint64_t> values_of(const FakeSource& source) {
  std::map<std::string, std::uint64_t> values;
  for (const EnvoyStat& stat : stats_of(source, source.plan()))
    EXPECT_TRUE(values.emplace(stat.name, stat.value).second);
  return values;
}

TEST(EnvoyStats, SumsWorkersAndTellsEach) {
  FakeSource source;
  source.stats[0].listener("front").begun.add(3);
  source.stats[0].listener("front").ended.add(1);
  source.stats[1].listener("front").begun.add(4);
  source.stats[1].listener("front").edge("c0").traffic.bytes[0].add(10);
  source.stats[1].listener("front").edge("c0").traffic.bytes[1].add(20);
  const auto values = values_of(source);
  EXPECT_EQ(values.at("listener.127.0.0.1_9000.downstream_cx_total"), 7U);
  EXPECT_EQ(values.at("listener.127.0.0.1_9000.downstream_cx_active"), 6U);
  EXPECT_EQ(values.at("listener.127.0.0.1_9000.downstream_cx_destroy"), 1U);
  EXPECT_EQ(values.at("listener.127.0.0.1_9000.worker_0.downstream_cx_active"), 2U);
  EXPECT_EQ(values.at("listener.127.0.0.1_9000.worker_1.downstream_cx_total"), 4U);
  EXPECT_EQ(values.at("listener.envoy_internal_hop1.downstream_cx_total"), 0U);
  EXPECT_EQ(values.at("tcp.front.downstream_cx_total"), 7U);
  EXPECT_EQ(values.at("tcp.front.downstream_cx_rx_bytes_total"), 10U);
  EXPECT_EQ(values.at("tcp.front.downstream_cx_tx_bytes_total"), 20U);
  EXPECT_EQ(values.at("server.concurrency"), 2U);
}

TEST(EnvoyStats, RequestsAreToldByVersionAndStatus) {
  FakeSource source;
  proxy::ListenerStats& web = source.stats[0].listener("web");
  web.http.h2.begun.add(2);
  web.http.h2.ended.add(1);
  web.http.h1_begun.add(5);
  web.http.tunnels.begun.add(1);
  web.http.routed.add(4);
  web.http.unrouted.add(1);
  web.http.responded.add(2);
  web.edge("").begun.add(5);
  web.edge("").answered[2].add(2);
  web.edge("asked").answered[5].add(1);
  const auto values = values_of(source);
  EXPECT_EQ(values.at("http.web.downstream_cx_http2_total"), 2U);
  EXPECT_EQ(values.at("http.web.downstream_cx_http2_active"), 1U);
  EXPECT_EQ(values.at("http.web.downstream_cx_http1_total"), 0U);
  EXPECT_EQ(values.at("http.web.downstream_rq_http1_total"), 5U);
  EXPECT_EQ(values.at("http.web.downstream_cx_upgrades_active"), 1U);
  EXPECT_EQ(values.at("http.web.rq_total"), 4U);
  EXPECT_EQ(values.at("http.web.no_route"), 1U);
  EXPECT_EQ(values.at("http.web.rq_direct_response"), 2U);
  EXPECT_EQ(values.at("http.web.downstream_rq_total"), 5U);
  EXPECT_EQ(values.at("http.web.downstream_rq_completed"), 3U);
  EXPECT_EQ(values.at("listener.127.0.0.1_9001.http.web.downstream_rq_5xx"), 1U);
  EXPECT_EQ(values.at("cluster.asked.upstream_rq_5xx"), 1U);
  EXPECT_EQ(values.at("cluster.asked.upstream_rq_completed"), 1U);
}

// "c0" carries connections of "front" and requests of "web": what would mix the two is not told.
TEST(EnvoyStats, AClusterTellsOnlyWhatItKnows) {
  FakeSource source;
  source.stats[0].cluster("c1").connects.add(3);
  source.stats[0].cluster("c1").connect_failures.add(1);
  source.stats[0].listener("hop1").edge("c1").begun.add(2);
  const auto values = values_of(source);
  EXPECT_EQ(values.at("cluster.c1.upstream_cx_total"), 3U);
  EXPECT_EQ(values.at("cluster.c1.upstream_cx_connect_fail"), 1U);
  EXPECT_EQ(values.at("cluster.c1.upstream_cx_active"), 2U);
  EXPECT_EQ(values.at("cluster.c1.upstream_rq_total"), 2U);
  EXPECT_EQ(values.at("cluster.c1.membership_total"), 2U);
  EXPECT_EQ(values.at("cluster.c0.upstream_cx_total"), 0U);
  for (const char* name : {"upstream_cx_active", "upstream_rq_total", "upstream_rq_active", "upstream_cx_http1_total",
                           "upstream_cx_rx_bytes_total", "upstream_rq_5xx"})
    EXPECT_FALSE(values.contains(std::string("cluster.c0.") + name)) << name;
  EXPECT_FALSE(values.contains("cluster.asked.membership_total"));
}

TEST(EnvoyStats, ListenersThatShareAPrefixAreAddedUp) {
  const FakeSource source;
  plan::Plan plan = source.plan();
  plan.listeners[0].stat_prefix = "both: of\nthem";
  plan.listeners[1].stat_prefix = "both: of\nthem";
  FakeSource counted;
  counted.stats[0].listener("front").begun.add(2);
  counted.stats[0].listener("hop1").begun.add(3);
  const std::vector<EnvoyStat> all = stats_of(counted, plan);
  const auto found = std::find_if(all.begin(), all.end(), [](const EnvoyStat& stat) {
    return stat.name == "tcp.both_ of_them.downstream_cx_total";
  });
  ASSERT_NE(found, all.end());
  EXPECT_EQ(found->value, 5U);
}

TEST(EnvoyStats, AListenersKeyIsItsFirstAddress) {
  plan::Listener listener;
  const auto key = [&](plan::Address address) {
    listener.addresses = {std::move(address)};
    return runtime::envoy_listener_key(listener);
  };
  EXPECT_EQ(key(plan::Tcp{"", 80}), "127.0.0.1_80");
  EXPECT_EQ(key(plan::Tcp{"*", 80}), "0.0.0.0_80");
  EXPECT_EQ(key(plan::Tcp{"::1", 80}), "[__1]_80");
  EXPECT_EQ(key(plan::Internal{"a", ""}), "envoy_internal_a");
  EXPECT_EQ(key(plan::Unix{"/run/a.sock"}), "/run/a.sock");
}

TEST(EnvoyStats, AreWrittenInThreeWays) {
  const std::vector<EnvoyStat> stats{
      {"a.x", EnvoyStat::Kind::gauge, 1, true, "envoy_x", {{"envoy_a", "q\"\\"}}},
      {"b.y", EnvoyStat::Kind::counter, 2, true, "envoy_y", {}},
      {"c.x", EnvoyStat::Kind::gauge, 3, true, "envoy_x", {{"envoy_a", "c"}, {"envoy_b", "d"}}},
  };
  EXPECT_EQ(runtime::stats_as_text(stats), "a.x: 1\nb.y: 2\nc.x: 3\n");
  EXPECT_EQ(runtime::stats_as_json(stats),
            R"({"stats":[{"name":"a.x","value":1},{"name":"b.y","value":2},{"name":"c.x","value":3}]})");
  EXPECT_EQ(runtime::stats_as_prometheus(stats),
            "# TYPE envoy_y counter\nenvoy_y{} 2\n"
            "# TYPE envoy_x gauge\nenvoy_x{envoy_a=\"q\\\"\\\\\"} 1\nenvoy_x{envoy_a=\"c\",envoy_b=\"d\"} 3\n");
}

TEST(EnvoyStats, AFamilyTakesVaryingPartsAsLabels) {
  const FakeSource source;
  std::map<std::string, EnvoyStat> all;
  for (EnvoyStat& stat : stats_of(source, source.plan())) all.emplace(stat.name, std::move(stat));
  const EnvoyStat& answer = all.at("listener.127.0.0.1_9001.http.web.downstream_rq_2xx");
  EXPECT_EQ(answer.family, "envoy_listener_http_downstream_rq_xx");
  const EnvoyStat::Labels labels{{"envoy_response_code_class", "2"},
                                 {"envoy_http_conn_manager_prefix", "web"},
                                 {"envoy_listener_address", "127.0.0.1_9001"}};
  EXPECT_EQ(answer.labels, labels);
  EXPECT_EQ(all.at("listener.127.0.0.1_9001.worker_1.downstream_cx_total").family,
            "envoy_listener_worker_downstream_cx_total");
  EXPECT_EQ(all.at("server.live").family, "envoy_server_live");
}

}  // namespace
}  // namespace tunnel
