// SPDX-License-Identifier: Apache-2.0
#include "plan/formatter.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace tunnel::plan {
namespace {

TEST(Formatter, TextAndOperators) {
  EXPECT_TRUE(parse_format("").empty());
  EXPECT_EQ(parse_format("a b"), (std::vector<FormatPart>{{"a b"}}));
  EXPECT_EQ(parse_format("50%%"), (std::vector<FormatPart>{{"50%"}}));
  EXPECT_EQ(parse_format("%%%PORT%%%"), (std::vector<FormatPart>{{"%"}, {"", "PORT"}, {"%"}}));
  EXPECT_EQ(parse_format("a%ONE_2%b%TWO%"), (std::vector<FormatPart>{{"a"}, {"", "ONE_2"}, {"b"}, {"", "TWO"}}));
}

TEST(Formatter, ArgumentsAndLengths) {
  EXPECT_EQ(parse_format("%REQ(:PATH?X-A)%"), (std::vector<FormatPart>{{"", "REQ", ":PATH?X-A"}}));
  EXPECT_EQ(parse_format("%REQ(A):12%-"), (std::vector<FormatPart>{{"", "REQ", "A", 12}, {"-"}}));
  EXPECT_EQ(parse_format("%PORT:0%"), (std::vector<FormatPart>{{"", "PORT", "", 0}}));
  EXPECT_EQ(parse_format("%PORT()%"), (std::vector<FormatPart>{{"", "PORT"}}));
  // A ')' ends the arguments only where an operator may end.
  EXPECT_EQ(parse_format("[%START_TIME(%Y(x)-%m):4%]"),
            (std::vector<FormatPart>{{"["}, {"", "START_TIME", "%Y(x)-%m", 4}, {"]"}}));
  EXPECT_EQ(parse_format("%A(b)%c)%%"), (std::vector<FormatPart>{{"", "A", "b"}, {"c)%"}}));
}

TEST(Formatter, AreWrittenAsTheyWereRead) {
  for (const char* text : {"%PORT%", "%REQ(:PATH?X-A)%", "%REQ(A):12%", "%PORT:3%", "text"})
    EXPECT_EQ(to_string(parse_format(text).front()), text);
}

TEST(Formatter, WhatIsNoFormat) {
  EXPECT_EQ(format_fault("%ANY_NAME%"), "");
  EXPECT_EQ(format_fault("100%"), "a % begins an operator that has no end; write %% for a percent sign");
  for (const char* text : {"%lower%", "% %", "%A(b):%", "%A(b):x%", "%A(b):-1%", "%A (b)%", "%(b)%"}) {
    EXPECT_EQ(format_fault(text), "'" + std::string(text) +
                                      "' is no operator, which is %NAME%, %NAME(ARGUMENTS)% or "
                                      "%NAME(ARGUMENTS):LENGTH% with a name in capitals; write %% for a percent sign");
  }
  EXPECT_THROW(parse_format("%"), std::invalid_argument);
}

TEST(Formatter, WhatAPlaceSaysOfAnOperator) {
  const FormatPart part = parse_format("%POTR(x)%").front();
  EXPECT_EQ(unknown_operator(part, {"PORT", "HOST"}),
            "'%POTR(x)%' is not supported by this version, did you mean PORT?");
  EXPECT_EQ(unknown_operator(part, {}), "'%POTR(x)%' is not supported by this version");
  EXPECT_EQ(bare_operator_fault(part), "'%POTR(x)%': POTR takes no arguments and no length");
  EXPECT_EQ(bare_operator_fault(parse_format("%PORT:3%").front()), "'%PORT:3%': PORT takes no arguments and no length");
  EXPECT_EQ(bare_operator_fault(parse_format("%PORT%").front()), "");
}

}  // namespace
}  // namespace tunnel::plan
