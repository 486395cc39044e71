// SPDX-License-Identifier: Apache-2.0
#include "runtime/stats.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <set>
#include <string>

namespace tunnel {
namespace {

TEST(Stats, SumsEveryCounterAndGaugeOverWorkers) {
  Counters first;
  Counters second;
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    first.add(static_cast<Counter>(i), i + 1);
    second.add(static_cast<Counter>(i), 1000);
  }
  for (std::size_t i = 0; i < kGaugeCount; ++i) {
    first.up(static_cast<Gauge>(i));
    second.up(static_cast<Gauge>(i));
    second.up(static_cast<Gauge>(i));
  }
  second.down(Gauge::pairs);
  const boost::json::value stats = boost::json::parse(runtime::stats_json({&first, &second}, {}, {}));
  for (std::size_t i = 0; i < kCounterCount; ++i)
    EXPECT_EQ(stats.at("counters").at(name_of(static_cast<Counter>(i))).to_number<std::uint64_t>(), 1001 + i);
  for (std::size_t i = 0; i < kGaugeCount; ++i) {
    const auto gauge = static_cast<Gauge>(i);
    EXPECT_EQ(stats.at("gauges").at(name_of(gauge)).to_number<std::uint64_t>(), gauge == Gauge::pairs ? 2U : 3U);
  }
  EXPECT_EQ(stats.as_object().size(), 2U);
}

TEST(Stats, TheProcesssOwnReplaceAndAdd) {
  Counters worker;
  const boost::json::value stats = boost::json::parse(runtime::stats_json(
      {&worker}, {{name_of(Counter::access_log_lost), 7}, {name_of(Counter::log_lost), 3}}, {{"tunnel_workers", 4}}));
  EXPECT_EQ(stats.at("counters").at("tunnel_access_log_lost_total").to_number<int>(), 7);
  EXPECT_EQ(stats.at("counters").at("tunnel_log_lost_total").to_number<int>(), 3);
  EXPECT_EQ(stats.at("gauges").at("tunnel_workers").to_number<int>(), 4);
  EXPECT_EQ(stats.at("counters").as_object().size(), kCounterCount);
}

TEST(Stats, IsOneLine) {
  Counters worker;
  EXPECT_EQ(runtime::stats_json({&worker}, {}, {}).find('\n'), std::string::npos);
}

TEST(Stats, NamesAreThoseOfLimitsPage) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    const std::string_view name = name_of(static_cast<Counter>(i));
    EXPECT_TRUE(name.starts_with("tunnel_") && name.ends_with("_total")) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  for (std::size_t i = 0; i < kGaugeCount; ++i) EXPECT_TRUE(names.insert(name_of(static_cast<Gauge>(i))).second);
  for (const char* wanted : {"tunnel_connect_timeouts_total", "tunnel_idle_timeouts_total", "tunnel_hop_limit_total",
                             "tunnel_fd_exhausted_total", "tunnel_conns_refused_total", "tunnel_connections_active",
                             "tunnel_pairs_active", "tunnel_streams_active", "tunnel_leases_active"})
    EXPECT_TRUE(names.contains(wanted)) << wanted;
}

}  // namespace
}  // namespace tunnel
