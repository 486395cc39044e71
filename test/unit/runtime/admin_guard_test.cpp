// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_guard.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace tunnel {
namespace {

using runtime::AdminRequest;

unsigned status(const std::optional<runtime::AdminResponse>& refusal) { return refusal ? refusal->status : 0; }

unsigned host(const char* reached, std::optional<std::string> name) {
  AdminRequest request;
  request.reached = SocketAddress::from_literal(reached, 9901);
  request.host = std::move(name);
  return status(runtime::refuse_host(request));
}

TEST(AdminGuard, LoopbackNamesAndAddressesAreOursByAnyPort) {
  for (const char* good : {"localhost", "localhost:9901", "LocalHost:80", "127.0.0.1", "127.0.0.1:8080", "127.1.2.3:1",
                           "[::1]", "[::1]:9901"}) {
    EXPECT_EQ(host("127.0.0.1", good), 0U) << good;
    EXPECT_EQ(host("192.0.2.7", good), 0U) << good;  // through a port somebody forwards
  }
}

TEST(AdminGuard, TheAddressThatWasReachedIsOurs) {
  EXPECT_EQ(host("192.0.2.7", "192.0.2.7:9901"), 0U);
  EXPECT_EQ(host("::ffff:192.0.2.7", "192.0.2.7:9901"), 0U);
  EXPECT_EQ(host("2001:db8::7", "[2001:db8:0::7]:9901"), 0U);
  EXPECT_EQ(host("192.0.2.7", "192.0.2.8:9901"), 421U);
  EXPECT_EQ(host("127.0.0.1", "192.0.2.7"), 421U);
}

TEST(AdminGuard, AnyOtherNameMayBeSomebodyElses) {
  for (const char* bad : {"evil.example", "evil.example:9901", "localhost.evil.example", "127.0.0.1.evil.example", "",
                          ":9901", "[]", "[", "::1", "localhost@evil.example", "127.0.0.1@evil.example"})
    EXPECT_EQ(host("127.0.0.1", bad), 421U) << bad;
  EXPECT_EQ(host("127.0.0.1", std::nullopt), 400U);
}

TEST(AdminGuard, OverAUnixSocketTheHostMeansNothing) {
  AdminRequest request;
  EXPECT_EQ(status(runtime::refuse_host(request)), 0U);
  request.host = "whatever";
  EXPECT_EQ(status(runtime::refuse_host(request)), 0U);
}

unsigned origin(std::optional<std::string> from, std::optional<std::string> fetch_site = std::nullopt) {
  AdminRequest request;
  request.host = "localhost:9901";
  request.origin = std::move(from);
  request.fetch_site = std::move(fetch_site);
  return status(runtime::refuse_origin(request));
}

TEST(AdminGuard, ABrowserMayChangeThingsFromOurOwnPageOnly) {
  EXPECT_EQ(origin(std::nullopt), 0U);  // no browser
  EXPECT_EQ(origin("http://localhost:9901"), 0U);
  EXPECT_EQ(origin("https://LOCALHOST:9901"), 0U);
  EXPECT_EQ(origin("http://localhost:9901", "same-origin"), 0U);
  for (const char* bad : {"null", "", "http://localhost", "http://localhost:8080", "http://evil.example",
                          "http://localhost:9901.evil.example", "http://localhost:9901/", "file://"})
    EXPECT_EQ(origin(bad), 403U) << bad;
  EXPECT_EQ(origin(std::nullopt, "none"), 0U);
  EXPECT_EQ(origin(std::nullopt, "cross-site"), 403U);
  EXPECT_EQ(origin("http://localhost:9901", "same-site"), 403U);
}

}  // namespace
}  // namespace tunnel
