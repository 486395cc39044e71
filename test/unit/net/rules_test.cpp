// SPDX-License-Identifier: Apache-2.0
#include "net/rules.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tunnel {
namespace {

plan::Rule allow(std::string host, std::uint16_t first = 0, std::uint16_t last = 65535) {
  return {true, std::move(host), first, last};
}
plan::Rule deny(std::string host, std::uint16_t first = 0, std::uint16_t last = 65535) {
  return {false, std::move(host), first, last};
}
plan::Rule literal(std::string host) { return {true, std::move(host), 0, 65535, true}; }

SocketAddress at(const std::string& ip, std::uint16_t port = 443) { return *SocketAddress::from_literal(ip, port); }

Authority asked(const std::string& host, std::uint16_t port = 443) {
  const bool v6 = host.find(':') != std::string::npos;
  const auto authority = parse_authority((v6 ? "[" + host + "]" : host) + ":" + std::to_string(port));
  if (!authority) throw std::invalid_argument(host);
  return *authority;
}

struct Case {
  const char* name;
  std::vector<plan::Rule> rules;
  std::string host;
  std::uint16_t port;
  std::string resolves_to;
  bool may;      // before resolving
  bool allowed;  // after
};

class RulesTable : public testing::TestWithParam<Case> {};

TEST_P(RulesTable, JudgesNameThenAddress) {
  const Case& c = GetParam();
  const net::Rules rules(c.rules);
  EXPECT_EQ(rules.may_allow(asked(c.host, c.port)), c.may);
  // What may not be asked for never gets as far as an address, so only together they say yes.
  EXPECT_EQ(c.may && rules.allows(asked(c.host, c.port), at(c.resolves_to, c.port)), c.allowed);
}

const Case kCases[] = {
    {"NothingIsAllowedByDefault", {}, "example.com", 443, "93.184.216.34", false, false},
    {"ExactName", {allow("example.com")}, "example.com", 443, "93.184.216.34", true, true},
    {"ExactNameOfAnotherHost", {allow("example.com")}, "example.org", 443, "93.184.216.34", false, false},
    {"ExactNameIsNoSuffix", {allow("example.com")}, "evil-example.com", 443, "93.184.216.34", false, false},
    {"ExactNameIsNoPrefix", {allow("example.com")}, "example.com.evil.org", 443, "93.184.216.34", false, false},
    {"CaseOfTheName", {allow("Example.COM")}, "eXAMPLE.com", 443, "93.184.216.34", true, true},
    {"TrailingDotAsked", {allow("example.com")}, "example.com.", 443, "93.184.216.34", true, true},
    {"TrailingDotInTheRule", {allow("example.com.")}, "example.com", 443, "93.184.216.34", true, true},
    {"TrailingDotDoesNotEvadeDeny", {allow("*"), deny("evil.com")}, "EVIL.com.", 443, "93.184.216.34", false, false},
    {"ExactNameCoversPrivate", {allow("db.corp")}, "db.corp", 443, "10.1.2.3", true, true},
    {"ExactNameNeverLoopback", {allow("db.corp")}, "db.corp", 443, "127.0.0.1", true, false},
    {"ExactNameNeverLinkLocal", {allow("db.corp")}, "db.corp", 443, "169.254.169.254", true, false},
    {"ExactNameNeverMulticast", {allow("db.corp")}, "db.corp", 443, "224.0.0.1", true, false},
    {"ExactNameNeverUnspecified", {allow("db.corp")}, "db.corp", 443, "0.0.0.0", true, false},
    {"ExactNameNeverUnspecifiedV6", {allow("db.corp")}, "db.corp", 443, "::", true, false},
    {"Localhost", {allow("localhost")}, "localhost", 443, "127.0.0.1", true, true},
    {"LocalhostV6", {allow("localhost")}, "LOCALHOST.", 443, "::1", true, true},
    {"LocalhostIsLoopbackOnly", {allow("localhost")}, "localhost", 443, "169.254.169.254", true, false},
    {"LocalhostByGlob", {allow("*")}, "localhost", 443, "127.0.0.1", true, false},
    {"LocalhostByNarrowGlob", {allow("localhos?")}, "localhost", 443, "127.0.0.1", true, false},
    {"Glob", {allow("*.example.com")}, "www.example.com", 443, "93.184.216.34", true, true},
    {"GlobNotTheApex", {allow("*.example.com")}, "example.com", 443, "93.184.216.34", false, false},
    {"GlobNotAnotherSuffix", {allow("*.example.com")}, "www.example.com.evil.org", 443, "1.2.3.4", false, false},
    {"GlobNeverPrivate", {allow("*.corp")}, "db.corp", 443, "10.1.2.3", true, false},
    {"GlobNeverSharedSpace", {allow("*.corp")}, "db.corp", 443, "100.64.0.1", true, false},
    {"GlobNeverUniqueLocal", {allow("*.corp")}, "db.corp", 443, "fd12::1", true, false},
    {"GlobOfDigitsIsNoNetwork", {allow("10.*")}, "10.1.2.3", 443, "10.1.2.3", true, false},
    {"NetworkV4", {allow("10.0.0.0/8")}, "10.255.255.255", 443, "10.255.255.255", true, true},
    {"NetworkV4Outside", {allow("10.0.0.0/8")}, "11.0.0.0", 443, "11.0.0.0", false, false},
    {"NetworkOfOddBits", {allow("192.168.4.0/22")}, "192.168.7.255", 443, "192.168.7.255", true, true},
    {"NetworkOfOddBitsOutside", {allow("192.168.4.0/22")}, "192.168.8.0", 443, "192.168.8.0", false, false},
    {"NetworkOfOneAddress", {allow("192.0.2.7")}, "192.0.2.7", 443, "192.0.2.7", true, true},
    {"NetworkOfOneAddressNeighbour", {allow("192.0.2.7")}, "192.0.2.6", 443, "192.0.2.6", false, false},
    {"NetworkOfAll", {allow("0.0.0.0/0")}, "8.8.8.8", 443, "8.8.8.8", true, true},
    {"NetworkOfAllV4IsNotV6", {allow("0.0.0.0/0")}, "2606:4700::1", 443, "2606:4700::1", false, false},
    {"NetworkV6", {allow("2001:db8::/32")}, "2001:db8:ffff::1", 443, "2001:db8:ffff::1", true, true},
    {"NetworkV6Outside", {allow("2001:db8::/32")}, "2001:db9::1", 443, "2001:db9::1", false, false},
    {"NetworkOpensLoopback", {allow("127.0.0.0/8")}, "127.0.0.1", 443, "127.0.0.1", true, true},
    {"NetworkCoversWhatANameResolvesTo", {allow("10.0.0.0/8")}, "db.corp", 443, "10.1.2.3", true, true},
    {"NetworkDoesNotCoverANameElsewhere", {allow("10.0.0.0/8")}, "db.corp", 443, "11.1.2.3", true, false},
    {"NetworkV4CoversMapped", {allow("10.0.0.0/8")}, "::ffff:10.1.2.3", 443, "::ffff:10.1.2.3", true, true},
    {"DenyWins", {allow("*"), deny("www.example.com")}, "www.example.com", 443, "93.184.216.34", false, false},
    {"DenyWinsInAnyOrder", {deny("www.example.com"), allow("*")}, "www.example.com", 443, "1.2.3.4", false, false},
    {"DenyByAddress", {allow("*"), deny("93.184.0.0/16")}, "www.example.com", 443, "93.184.216.34", true, false},
    {"DenyV4CoversMapped",
     {allow("::/0"), deny("10.0.0.0/8")},
     "::ffff:10.1.2.3",
     443,
     "::ffff:10.1.2.3",
     false,
     false},
    {"DenyV4CoversNat64",
     {allow("::/0"), deny("10.0.0.0/8")},
     "64:ff9b::a01:203",
     443,
     "64:ff9b::a01:203",
     false,
     false},
    {"DenyV4Covers6to4", {allow("::/0"), deny("10.0.0.0/8")}, "2002:a01:203::", 443, "2002:a01:203::", false, false},
    {"DenyOfAnotherPort", {allow("*"), deny("*", 25, 25)}, "www.example.com", 443, "93.184.216.34", true, true},
    {"DenyOfThisPort", {allow("*"), deny("*", 25, 25)}, "www.example.com", 25, "93.184.216.34", false, false},
    {"PortBelowRange", {allow("example.com", 8000, 8999)}, "example.com", 7999, "1.2.3.4", false, false},
    {"FirstPortOfRange", {allow("example.com", 8000, 8999)}, "example.com", 8000, "1.2.3.4", true, true},
    {"LastPortOfRange", {allow("example.com", 8000, 8999)}, "example.com", 8999, "1.2.3.4", true, true},
    {"PortAboveRange", {allow("example.com", 8000, 8999)}, "example.com", 9000, "1.2.3.4", false, false},
    {"LiteralNetwork", {literal("0.0.0.0/0")}, "10.1.2.3", 443, "10.1.2.3", true, true},
    {"LiteralNetworkV6", {literal("::/0")}, "2001:db8::1", 443, "2001:db8::1", true, true},
    {"LiteralNetworkCoversNoName", {literal("0.0.0.0/0"), literal("::/0")}, "db.corp", 443, "10.1.2.3", false, false},
    {"LiteralNetworkBesideAName", {literal("10.0.0.0/8"), allow("db.corp")}, "db.corp", 443, "127.0.0.1", true, false},
    {"OddHexIsNoName", {allow("*"), allow("0.0.0.0/0")}, "0x7f000001", 443, "127.0.0.1", false, false},
    {"OddDecimalIsNoName", {allow("*"), allow("0.0.0.0/0")}, "2130706433", 443, "127.0.0.1", false, false},
    {"OddOctalIsNoName", {allow("*"), allow("0.0.0.0/0")}, "0177.0.0.1", 443, "127.0.0.1", false, false},
    {"OddZeroIsNoName", {allow("*"), allow("0.0.0.0/0")}, "0", 443, "0.0.0.0", false, false},
    {"OddDotIsNoName", {allow("*"), allow("0.0.0.0/0")}, "127.0.0.1.", 443, "127.0.0.1", false, false},
    {"NetworkWithAPort", {allow("10.0.0.0/8", 22, 22)}, "10.1.2.3", 23, "10.1.2.3", false, false},
};

INSTANTIATE_TEST_SUITE_P(Rules, RulesTable, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

// test/RULES.md, SSRF: every way to write what must not be reached by a name, with what a resolver makes of it.
struct Spelling {
  const char* name;
  std::string host;
  std::string resolves_to;
};

class NeverByName : public testing::TestWithParam<Spelling> {};

TEST_P(NeverByName, NeitherGlobNorItsOwnNameOpensIt) {
  const Spelling& s = GetParam();
  const Authority authority = asked(s.host);
  const net::Rules by_glob({allow("*")});
  EXPECT_FALSE(by_glob.allows(authority, at(s.resolves_to)));
  const net::Rules by_name({allow("*"), allow("example.com"), allow(authority.host + ".example.com")});
  EXPECT_FALSE(by_name.allows(authority, at(s.resolves_to)));
  // The name an attacker controls resolves to it: rebinding.
  const net::Rules rebinding({allow("rebind.example.com"), allow("*.example.com")});
  EXPECT_FALSE(rebinding.allows(asked("rebind.example.com"), at(s.resolves_to)));
  // The address rule does open it.
  const net::Rules by_address({allow("0.0.0.0/0"), allow("::/0")});
  EXPECT_TRUE(by_address.allows(authority, at(s.resolves_to)));
}

const Spelling kSpellings[] = {
    {"MetadataV4", "169.254.169.254", "169.254.169.254"},
    {"MetadataV6", "fd00:ec2::254", "fd00:ec2::254"},
    {"ShortLoopback", "127.1", "127.0.0.1"},
    {"DecimalLoopback", "2130706433", "127.0.0.1"},
    {"HexLoopback", "0x7f.1", "127.0.0.1"},
    {"OctalLoopback", "0177.0.0.1", "127.0.0.1"},
    {"LoopbackV6", "::1", "::1"},
    {"Mapped", "::ffff:127.0.0.1", "::ffff:127.0.0.1"},
    {"Nat64", "64:ff9b::7f00:1", "64:ff9b::7f00:1"},
    {"SixToFour", "2002:7f00:1::", "2002:7f00:1::"},
    {"Compatible", "::127.0.0.1", "::127.0.0.1"},
    {"Unspecified", "0.0.0.0", "0.0.0.0"},
    {"LinkLocalV6", "fe80::1", "fe80::1"},
    {"MappedMetadata", "::ffff:169.254.169.254", "::ffff:169.254.169.254"},
    {"LoudLocalhost", "LOCALHOST.", "127.0.0.1"},
};

INSTANTIATE_TEST_SUITE_P(Rules, NeverByName, testing::ValuesIn(kSpellings),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Rules, AScopedLinkLocalAddressIsNoAuthorityAtAll) {
  EXPECT_FALSE(parse_authority("[fe80::1%lo]:80"));
  EXPECT_FALSE(parse_authority("[fe80::1%25lo]:80"));
}

TEST(Rules, ParsesNetworks) {
  SocketAddress network;
  unsigned bits = 0;
  EXPECT_TRUE(net::parse_network("10.0.0.0/8", network, bits));
  EXPECT_EQ(bits, 8U);
  EXPECT_TRUE(net::parse_network("2001:db8::/32", network, bits));
  EXPECT_EQ(bits, 32U);
  EXPECT_TRUE(net::parse_network("::1", network, bits));
  EXPECT_EQ(bits, 128U);
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8x", "2001:db8::/129", "example.com",
                          "10.0.0/8", "10.0.0.0/-1", ""})
    EXPECT_FALSE(net::parse_network(bad, network, bits)) << bad;
}

}  // namespace
}  // namespace tunnel
