// SPDX-License-Identifier: Apache-2.0
#include "proxy/formatted_value.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tunnel::proxy {
namespace {

std::string value(const std::string& format, const ConnectionInfo& info) {
  return formatted_value(plan::parse_connection_format(format), info);
}

ConnectionInfo accepted() {
  ConnectionInfo info;
  info.remote = *SocketAddress::from_literal("192.0.2.1", 4711);
  info.local = *SocketAddress::from_literal("2001:db8::1", 443);
  info.local_name = "[2001:db8::1]:443";
  return info;
}

ConnectionInfo inside(const std::string& name, const std::string& id) {
  ConnectionInfo info = accepted();
  info.hops = 1;
  info.endpoint_id = id;
  info.local_name = "internal:" + name + (id.empty() ? "" : "/" + id);
  return info;
}

TEST(FormattedValue, OfTheServerAClientAsksForIfSomebodyLooked) {
  ConnectionInfo info = accepted();
  EXPECT_EQ(value("%REQUESTED_SERVER_NAME%:443", info), ":443");
  info.server_name = "db.example";
  EXPECT_EQ(value("%REQUESTED_SERVER_NAME%:443", info), "db.example:443");
  EXPECT_EQ(formatted_value(format_of("%REQUESTED_SERVER_NAME%:443", true), info), "db.example:443");
  EXPECT_EQ(formatted_value(format_of("%REQUESTED_SERVER_NAME%:443", false), info), ":443");
}

TEST(FormattedValue, OfAConnectionThatWasAccepted) {
  const ConnectionInfo info = accepted();
  EXPECT_EQ(value("a %DOWNSTREAM_LOCAL_ADDRESS% b", info), "a [2001:db8::1]:443 b");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%|%DOWNSTREAM_LOCAL_PORT%", info), "2001:db8::1|443");
  EXPECT_EQ(value("%DOWNSTREAM_REMOTE_ADDRESS%", info), "192.0.2.1:4711");
  EXPECT_EQ(value("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%DOWNSTREAM_REMOTE_PORT%", info), "192.0.2.1|4711");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%", info), "");
}

TEST(FormattedValue, ARedirectedOneWasGoingElsewhere) {
  ConnectionInfo info = accepted();
  info.original = *SocketAddress::from_literal("203.0.113.7", 80);
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS%", info), "203.0.113.7:80");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_PORT%", info), "80");
  EXPECT_EQ(value("%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%|%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT%", info),
            "[2001:db8::1]:443|2001:db8::1");
  EXPECT_EQ(value("%DOWNSTREAM_DIRECT_LOCAL_PORT%%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID%", info), "443");
}

TEST(FormattedValue, AnIdBelongsToTheAddressOfTheListener) {
  ConnectionInfo info = inside("encap", "7");
  const std::string ids = "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%|%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID%";
  EXPECT_EQ(value(ids, info), "7|7");
  info.original = *SocketAddress::from_literal("203.0.113.7", 80);
  EXPECT_EQ(value(ids, info), "|7");
  EXPECT_EQ(value("%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%%DOWNSTREAM_DIRECT_LOCAL_PORT%", info), "envoy://encap/7");
}

TEST(FormattedValue, InsideTheLocalAddressIsTheListenersAndTheRemoteOneTheClients) {
  const ConnectionInfo plain = inside("encap", "");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS%", plain), "envoy://encap/");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_PORT%", plain), "");
  EXPECT_EQ(value("%DOWNSTREAM_REMOTE_ADDRESS%", plain), "192.0.2.1:4711");
  const ConnectionInfo named = inside("encap", "10.1.2.3:80");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS%", named), "envoy://encap/10.1.2.3:80");
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%", named), "10.1.2.3:80");
}

TEST(FormattedValue, WhatAnInternalConnectionBroughtAlong) {
  ConnectionInfo info = inside("encap", "");
  EXPECT_EQ(value("%DYNAMIC_METADATA(a.b:c)%", info), "");
  info.metadata = std::make_shared<DynamicMetadata>(DynamicMetadata{{"a.b", {{"c", {"value"}}}}});
  EXPECT_EQ(value("<%DYNAMIC_METADATA(a.b:c)%>", info), "<value>");
  EXPECT_EQ(value("%DYNAMIC_METADATA(a.b:c):3%|%DYNAMIC_METADATA(a.b:c):9%|%DYNAMIC_METADATA(a.b:c):0%", info),
            "val|value|");
  EXPECT_EQ(value("%DYNAMIC_METADATA(a.b:d)%%DYNAMIC_METADATA(a:c)%", info), "");
  info.original = *SocketAddress::from_literal("203.0.113.7", 80);
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS%|%DOWNSTREAM_LOCAL_PORT%", info), "203.0.113.7:80|80");
}

TEST(FormattedValue, WhatIsNotKnownIsEmpty) {
  const ConnectionInfo nothing;
  EXPECT_EQ(value("%DOWNSTREAM_LOCAL_ADDRESS%%DOWNSTREAM_LOCAL_PORT%%DOWNSTREAM_REMOTE_ADDRESS%", nothing), "");
}

}  // namespace
}  // namespace tunnel::proxy
