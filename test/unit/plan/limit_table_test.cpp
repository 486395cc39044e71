// SPDX-License-Identifier: Apache-2.0
#include "plan/limit_table.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>

namespace tunnel::plan {
namespace {

TEST(LimitTable, KeysAreUniqueAndDescribed) {
  std::set<std::string_view> keys;
  for (const LimitKey& row : limit_table()) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    EXPECT_FALSE(row.help.empty()) << row.key;
    EXPECT_LT(row.min, row.max) << row.key;
    EXPECT_EQ(find_limit(row.key), &row);
  }
  EXPECT_EQ(keys.size(), limit_keys().size());
}

TEST(LimitTable, DefaultsLieWithinTheirRange) {
  const Limits defaults;
  for (const LimitKey& row : limit_table()) EXPECT_EQ(limit_fault(row.key, row.get(defaults)), "") << row.key;
}

TEST(LimitTable, EveryKeySetsItsOwnFieldAndNoOther) {
  const Limits defaults;
  for (const LimitKey& row : limit_table()) {
    for (const std::uint64_t value : {row.min, row.max}) {
      Process process;
      process.limits.push_back({std::string(row.key), value});
      const Limits limits = limits_of(process);
      for (const LimitKey& other : limit_table()) {
        EXPECT_EQ(other.get(limits), &other == &row ? value : other.get(defaults))
            << row.key << " changed " << other.key;
      }
    }
  }
}

TEST(LimitTable, SetsTheFieldsTheKeysAreNamedFor) {
  Process process;
  process.limits = {{"conns", 7},         {"head", 2048},   {"head-time", 1234},
                    {"h2-window", 70000}, {"keepalive", 9}, {"linger", 5}};
  const Limits limits = limits_of(process);
  EXPECT_EQ(limits.connections, 7U);
  EXPECT_EQ(limits.head_bytes, 2048U);
  EXPECT_EQ(limits.head_time, Limits::Milliseconds(1234));
  EXPECT_EQ(limits.h2_connection_window, 70000U);
  EXPECT_EQ(limits.keepalive_idle_s, 9U);
  EXPECT_EQ(limits.linger_bytes, 5U);
}

TEST(LimitTable, SaysWhyAValueCannotBe) {
  EXPECT_EQ(limit_fault("head", 1), "the limit head goes from 1024 to 1048576 bytes, not 1");
  EXPECT_EQ(limit_fault("hops", 0), "the limit hops goes from 1 to 1000, not 0");
  EXPECT_EQ(limit_fault("heda", 1), "there is no limit called 'heda', did you mean head?");
  EXPECT_EQ(limit_fault("tls-time", 1).substr(0, 36), "there is no limit called 'tls-time'");
  Process process;
  process.limits.push_back({"hops", 0});
  EXPECT_THROW(limits_of(process), std::invalid_argument);
}

}  // namespace
}  // namespace tunnel::plan
