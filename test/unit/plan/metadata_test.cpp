// SPDX-License-Identifier: Apache-2.0
#include "plan/metadata.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tunnel::plan {
namespace {

std::vector<std::string> texts(const Passed& passed) {
  std::vector<std::string> all;
  all.reserve(passed.values.size());
  for (const Metadata* value : passed.values) all.push_back(to_string(*value));
  return all;
}

TEST(PlanMetadata, IsPassedOnBySpaces) {
  Cluster cluster;
  cluster.endpoints = {{Internal{"in", ""}, {{"a", "k", "1"}, {"b", "k", "2"}, {"a", "l", "3"}}}};
  cluster.metadata = {{"a", "k", "4"}};
  const Endpoint& endpoint = cluster.endpoints.front();
  EXPECT_TRUE(texts(passed_metadata(cluster, endpoint)).empty());
  cluster.passthrough = {{"a", Passthrough::From::host}};
  EXPECT_EQ(texts(passed_metadata(cluster, endpoint)), (std::vector<std::string>{"a.k=1", "a.l=3"}));
  cluster.passthrough = {{"a", Passthrough::From::host}, {"b", Passthrough::From::cluster}};
  EXPECT_EQ(passed_metadata(cluster, endpoint).missing, 1U);
  cluster.passthrough = {
      {"a", Passthrough::From::host}, {"b", Passthrough::From::host}, {"a", Passthrough::From::cluster}};
  EXPECT_EQ(texts(passed_metadata(cluster, endpoint)), (std::vector<std::string>{"b.k=2", "a.k=4"}));
  EXPECT_EQ(passed_metadata(cluster, endpoint).missing, 0U);
  ASSERT_NE(passed_value(cluster, endpoint, "a", "k"), nullptr);
  EXPECT_EQ(passed_value(cluster, endpoint, "a", "k")->value, "4");
  EXPECT_EQ(passed_value(cluster, endpoint, "a", "l"), nullptr);
}

// Seen from Envoy 1.40.
TEST(PlanMetadata, NumbersArePrintedAsEnvoyDoes) {
  const std::vector<std::pair<std::string, std::string>> numbers = {
      {"100000", "1e+05"},    {"10000", "10000"},         {"65535", "65535"},           {"-20000000", "-2e+07"},
      {"1200000", "1200000"}, {"123456789", "123456789"}, {"2147483647", "2147483647"}, {"0", "0"},
      {"-7", "-7"},           {"1e999", "1e999"}};
  for (const auto& [number, text] : numbers) EXPECT_EQ(printed({"a", "k", number, Metadata::Kind::number}), text);
  EXPECT_EQ(printed({"a", "k", "100000"}), "100000");
  EXPECT_EQ(printed({"a", "k", "true", Metadata::Kind::boolean}), "true");
}

TEST(PlanMetadata, SaysWhereAConnectionWasGoingInNumbers) {
  for (const char* good : {"10.0.0.1:80", "[2001:db8::1]:443"}) EXPECT_EQ(original_fault({"s", "k", good}), "") << good;
  for (const char* bad : {"", "10.0.0.1", "db.example:80", "10.0.0.1:0", "[fe80::1%eth0]:1"})
    EXPECT_NE(original_fault({"s", "k", bad}), "") << bad;
}

}  // namespace
}  // namespace tunnel::plan
