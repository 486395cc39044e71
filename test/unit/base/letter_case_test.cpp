// SPDX-License-Identifier: Apache-2.0
#include "base/letter_case.hpp"

#include <gtest/gtest.h>

namespace tunnel {
namespace {

TEST(LetterCase, IsThatOfAsciiLettersAlone) {
  EXPECT_EQ(to_lower("AZaz09@[`{-_"), "azaz09@[`{-_");
  EXPECT_EQ(to_lower("\xc3\x84"), "\xc3\x84");
  EXPECT_TRUE(equal_ignoring_case("CoNNect", "connecT"));
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_FALSE(equal_ignoring_case("connect", "connect "));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace tunnel
