// SPDX-License-Identifier: Apache-2.0
#include "plan/connection_format.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace tunnel::plan {
namespace {

TEST(ConnectionFormat, WhatATunnelTakesFromItsConnection) {
  const auto asks = [](const Tunnel& tunnel) { return has_operator(tunnel, Operator::server_name); };
  EXPECT_TRUE(asks({"%REQUESTED_SERVER_NAME%:443"}));
  EXPECT_TRUE(asks({"a:1", false, "/", {{"x", "a %REQUESTED_SERVER_NAME%", false, true}}}));
  EXPECT_FALSE(asks({"a:1", false, "/", {{"x", "a %REQUESTED_SERVER_NAME%", false, false}}}));
  EXPECT_FALSE(asks({"%REQUESTED_SERVER_NAM%:443"}));
  EXPECT_FALSE(asks({"[fe80::1%25eth0]:443"}));
}

TEST(ConnectionFormat, Operators) {
  EXPECT_EQ(parse_connection_format("a%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%b%DOWNSTREAM_DIRECT_REMOTE_PORT%"),
            (ConnectionFormat{{"a"}, {"", Operator::remote_host}, {"b"}, {"", Operator::remote_port}}));
  EXPECT_EQ(parse_connection_format("%DOWNSTREAM_LOCAL_PORT()%"), (ConnectionFormat{{"", Operator::local_port}}));
  EXPECT_EQ(
      parse_connection_format("%DYNAMIC_METADATA(a.b:c)%%DYNAMIC_METADATA(d:e):3%"),
      (ConnectionFormat{{"", Operator::metadata, "a.b", "c", std::nullopt}, {"", Operator::metadata, "d", "e", 3}}));
}

TEST(ConnectionFormat, IsSeenInATextOrNot) {
  for (const char* text : {"%DOWNSTREAM_LOCAL_PORT%", "a%DYNAMIC_METADATA(a:b)%", "%NO_SUCH_THING%", "%%%ABC%"})
    EXPECT_TRUE(holds_operators(text)) << text;
  for (const char* text : {"", "100%", "50%%", "%2Fa%20b%2F", "%AB%CD%EF", "%20%20%", "%lower%", "[fe80::1%eth0]:1"})
    EXPECT_FALSE(holds_operators(text)) << text;
}

TEST(ConnectionFormat, WhatIsNone) {
  EXPECT_EQ(connection_format_fault("%DOWNSTREAM_LOCAL_PORT%"), "");
  EXPECT_EQ(connection_format_fault("100%"), "a % begins an operator that has no end; write %% for a percent sign");
  EXPECT_EQ(connection_format_fault("%DOWNSTREAM_LOCAL_PRT%"),
            "'%DOWNSTREAM_LOCAL_PRT%' is not supported by this version, did you mean DOWNSTREAM_LOCAL_PORT?");
  EXPECT_EQ(connection_format_fault("%PROTOCOL%"), "'%PROTOCOL%' is not supported by this version");
  EXPECT_EQ(connection_format_fault("%DOWNSTREAM_LOCAL_PORT:3%"),
            "'%DOWNSTREAM_LOCAL_PORT:3%': DOWNSTREAM_LOCAL_PORT takes no arguments and no length");
  EXPECT_EQ(connection_format_fault("%DYNAMIC_METADATA%"),
            "'%DYNAMIC_METADATA%' names no value; write %DYNAMIC_METADATA(SPACE:KEY)%");
  EXPECT_EQ(connection_format_fault("%DYNAMIC_METADATA(a:b:c)%"),
            "'%DYNAMIC_METADATA(a:b:c)%' goes into a value, and no value here has keys; write SPACE:KEY");
  EXPECT_THROW(parse_connection_format("%"), std::invalid_argument);
}

}  // namespace
}  // namespace tunnel::plan
