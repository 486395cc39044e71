// SPDX-License-Identifier: Apache-2.0
#include "plan/wording.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tunnel::plan {
namespace {

TEST(Wording, QuotesOneLineOfPlainText) {
  EXPECT_EQ(in_quotes("a:1"), "'a:1'");
  EXPECT_EQ(in_quotes(""), "''");
  EXPECT_EQ(in_quotes("a\r\nb\x1b[0m\x7f\xc3\xa9"), "'a\\x0d\\x0ab\\x1b[0m\\x7f\\xc3\\xa9'");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(Wording, FindsTheNearestName) {
  const std::vector<std::string> known = {"--listen", "--target", "--to", "--limit"};
  struct Case {
    std::string word;
    std::string nearest;
  };
  const std::vector<Case> cases = {
      {"--lisen", "--listen"},
      {"--litsen", "--listen"},
      {"--tagret", "--target"},
      {"--lim", "--limit"},
      {"--frobnicate", ""},
      {"-z", ""},
      {"", ""},
      {"--listen", ""},
      {std::string(1000, 'l'), ""},
  };
  for (const Case& each : cases) EXPECT_EQ(nearest(each.word, known), each.nearest) << each.word;
  EXPECT_EQ(did_you_mean("--lisen", known), ", did you mean --listen?");
  EXPECT_EQ(did_you_mean("--frobnicate", known), "");
}

TEST(Wording, APlaceIsFileLineColumn) {
  EXPECT_EQ(to_string({"edge.tun", 3, 14}), "edge.tun:3:14");
  EXPECT_EQ(to_string({"a\nb", 1, 2}), "a\\x0ab:1:2");
  EXPECT_EQ(to_string({"command line", 0, 2}), "");
}

}  // namespace
}  // namespace tunnel::plan
