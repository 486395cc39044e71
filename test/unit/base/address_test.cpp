// SPDX-License-Identifier: Apache-2.0
#include "tunnel/address.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tunnel {
namespace {

SocketAddress literal(std::string_view ip) {
  const auto address = SocketAddress::from_literal(ip, 80);
  EXPECT_TRUE(address.has_value()) << ip;
  return address.value_or(SocketAddress());
}

TEST(SocketAddress, LiteralsAndText) {
  EXPECT_EQ(literal("127.0.0.1").to_string(), "127.0.0.1:80");
  EXPECT_EQ(literal("::1").to_string(), "[::1]:80");
  EXPECT_EQ(literal("2001:DB8::1").ip(), "2001:db8::1");
  EXPECT_EQ(SocketAddress().to_string(), "-");
  EXPECT_EQ(literal("1.2.3.4"), literal("1.2.3.4"));
  EXPECT_FALSE(literal("1.2.3.4") == literal("1.2.3.5"));
  EXPECT_FALSE(literal("::1") == literal("::2"));
  EXPECT_FALSE(literal("0.0.0.1") == literal("::1"));
}

TEST(SocketAddress, NotALiteral) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv, "localhost"sv, "1.2.3"sv, "1.2.3.4.5"sv, "0x7f.0.0.1"sv, "127.1"sv,
                                      "2130706433"sv, "[::1]"sv, "::1%lo"sv, "1.2.3.4\0x"sv, " 1.2.3.4"sv, ":::"sv})
    EXPECT_FALSE(SocketAddress::from_literal(text, 1).has_value()) << text;
}

struct Class {
  const char* ip;
  bool loopback, unspecified, link_local, private_range, multicast;
};

TEST(SocketAddress, SpecialRanges) {
  constexpr bool y = true;
  constexpr bool n = false;
  for (const Class& row : {
           // The ways to write loopback and cloud metadata that a rule must not miss.
           Class{"127.0.0.1", y, n, n, n, n},
           Class{"127.255.255.254", y, n, n, n, n},
           Class{"::1", y, n, n, n, n},
           Class{"::ffff:127.0.0.1", y, n, n, n, n},
           Class{"::ffff:7f00:1", y, n, n, n, n},
           Class{"::127.0.0.1", y, n, n, n, n},
           Class{"64:ff9b::127.0.0.1", y, n, n, n, n},
           Class{"2002:7f00:1::", y, n, n, n, n},
           Class{"0.0.0.0", n, y, n, n, n},
           Class{"0.1.2.3", n, y, n, n, n},
           Class{"::", n, y, n, n, n},
           Class{"::ffff:0.0.0.0", n, y, n, n, n},
           Class{"169.254.169.254", n, n, y, n, n},
           Class{"::ffff:169.254.169.254", n, n, y, n, n},
           Class{"64:ff9b::a9fe:a9fe", n, n, y, n, n},
           Class{"2002:a9fe:a9fe::", n, n, y, n, n},
           Class{"fe80::1", n, n, y, n, n},
           // Private and other special-purpose ranges, first and last of each.
           Class{"10.0.0.0", n, n, n, y, n},
           Class{"10.255.255.255", n, n, n, y, n},
           Class{"172.16.0.0", n, n, n, y, n},
           Class{"172.31.255.255", n, n, n, y, n},
           Class{"192.168.0.1", n, n, n, y, n},
           Class{"100.64.0.1", n, n, n, y, n},
           Class{"100.127.255.255", n, n, n, y, n},
           Class{"198.18.0.1", n, n, n, y, n},
           Class{"198.19.255.255", n, n, n, y, n},
           Class{"192.0.2.1", n, n, n, y, n},
           Class{"240.0.0.1", n, n, n, y, n},
           Class{"255.255.255.255", n, n, n, y, n},
           Class{"::ffff:10.1.2.3", n, n, n, y, n},
           Class{"fc00::1", n, n, n, y, n},
           Class{"fdff::1", n, n, n, y, n},
           Class{"2001::1", n, n, n, y, n},
           Class{"2001:db8::1", n, n, n, y, n},
           Class{"224.0.0.1", n, n, n, n, y},
           Class{"239.255.255.255", n, n, n, n, y},
           Class{"ff02::1", n, n, n, n, y},
           // Neighbours that are public.
           Class{"126.255.255.255", n, n, n, n, n},
           Class{"128.0.0.1", n, n, n, n, n},
           Class{"1.0.0.1", n, n, n, n, n},
           Class{"9.255.255.255", n, n, n, n, n},
           Class{"11.0.0.0", n, n, n, n, n},
           Class{"172.15.255.255", n, n, n, n, n},
           Class{"172.32.0.0", n, n, n, n, n},
           Class{"192.167.255.255", n, n, n, n, n},
           Class{"192.169.0.0", n, n, n, n, n},
           Class{"100.63.255.255", n, n, n, n, n},
           Class{"100.128.0.0", n, n, n, n, n},
           Class{"169.253.255.255", n, n, n, n, n},
           Class{"169.255.0.0", n, n, n, n, n},
           Class{"223.255.255.255", n, n, n, n, n},
           Class{"2606:4700::1111", n, n, n, n, n},
           Class{"64:ff9b::808:808", n, n, n, n, n},
           Class{"2002:808:808::", n, n, n, n, n},
           Class{"::ffff:8.8.8.8", n, n, n, n, n},
       }) {
    SCOPED_TRACE(row.ip);
    const SocketAddress address = literal(row.ip);
    EXPECT_EQ(address.is_loopback(), row.loopback);
    EXPECT_EQ(address.is_unspecified(), row.unspecified);
    EXPECT_EQ(address.is_link_local(), row.link_local);
    EXPECT_EQ(address.is_private(), row.private_range);
    EXPECT_EQ(address.is_multicast(), row.multicast);
  }
}

TEST(SocketAddress, CloudMetadataOverIpv6IsLinkLocal) { EXPECT_TRUE(literal("fd00:ec2::254").is_link_local()); }

TEST(Authority, Accepts) {
  struct Good {
    const char* text;
    const char* host;
    std::uint16_t port;
    bool bracketed;
  };
  for (const Good& row : {Good{"host.com:443", "host.com", 443, false}, Good{"HOST.Com:1", "host.com", 1, false},
                          Good{"127.0.0.1:65535", "127.0.0.1", 65535, false}, Good{"[::1]:80", "::1", 80, true},
                          Good{"[2001:DB8::1]:80", "2001:db8::1", 80, true}, Good{"a_b-c.d:080", "a_b-c.d", 80, false},
                          Good{"[::ffff:1.2.3.4]:5", "::ffff:1.2.3.4", 5, true}}) {
    SCOPED_TRACE(row.text);
    const auto authority = parse_authority(row.text);
    ASSERT_TRUE(authority.has_value());
    EXPECT_EQ(authority->host, row.host);
    EXPECT_EQ(authority->port, row.port);
    EXPECT_EQ(authority->bracketed, row.bracketed);
    // Accepting means that printing and parsing again gives the same.
    EXPECT_EQ(parse_authority(authority->to_string()), authority);
  }
}

TEST(Authority, RefusesBadTargets) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"a:"sv,          "a:0"sv,       "a:65536"sv,    "a:99999"sv, "a:+1"sv,        "a:080x"sv,
        "a"sv,           "http://a/"sv, "u@a:1"sv,      "[::1"sv,    "a:1:2"sv,       ""sv,
        ":1"sv,          ":"sv,         "[]:1"sv,       "[::1]"sv,   "[::1]1"sv,      "[::1]x:1"sv,
        "[1.2.3.4]:1"sv, "[a]:1"sv,     "[::1%lo]:1"sv, "::1:80"sv,  "a:-1"sv,        "a: 1"sv,
        "a :1"sv,        "a/b:1"sv,     "a?b:1"sv,      "a%41:1"sv,  "a\r\nX: 1:1"sv, "a\0b:1"sv,
        "[::1\0]:1"sv,   "a:1\0"sv,     "a:000001"sv,   "a:1\n"sv,   "\xc3\xa4:1"sv,  "a,b:1"sv,
        "[[::1]]:1"sv})
    EXPECT_FALSE(parse_authority(text).has_value()) << text;
  EXPECT_TRUE(parse_authority(std::string(255, 'a') + ":1").has_value());
  EXPECT_FALSE(parse_authority(std::string(256, 'a') + ":1").has_value());
}

}  // namespace
}  // namespace tunnel
