// SPDX-License-Identifier: Apache-2.0
#include "plan/host_port.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tunnel::plan {
namespace {

TEST(HostPort, ReadsHostAndPort) {
  struct Case {
    std::string text;
    Tcp value;
  };
  const std::vector<Case> cases = {
      {"host.com:443", {"host.com", 443}},         {"a:1", {"a", 1}},
      {"127.0.0.1:65535", {"127.0.0.1", 65535}},   {"[::1]:80", {"::1", 80}},
      {"[2001:db8::1]:80", {"2001:db8::1", 80}},   {"[fe80::1%eth0]:80", {"fe80::1%eth0", 80}},
      {"db_1.internal.:5", {"db_1.internal.", 5}}, {"xn--bcher-kva.example:80", {"xn--bcher-kva.example", 80}},
  };
  for (const Case& each : cases) {
    Tcp parsed;
    EXPECT_EQ(parse_host_port(each.text, parsed), "") << each.text;
    EXPECT_EQ(parsed, each.value) << each.text;
  }
}

TEST(HostPort, WritesWhatItReads) {
  for (const char* text : {"a:1", "127.0.0.1:65535", "[::1]:80", "[fe80::1%eth0]:80"}) {
    Tcp parsed;
    EXPECT_EQ(parse_host_port(text, parsed), "") << text;
    EXPECT_EQ(to_string(parsed), text);
  }
  EXPECT_EQ(to_string(Address(Tcp{"::1", 80})), "[::1]:80");
  EXPECT_EQ(to_string(Address(Internal{"mid", ""})), "internal:mid");
  EXPECT_EQ(to_string(Address(Internal{"mid", "id"})), "internal:mid/id");
  EXPECT_EQ(to_string(Address(Unix{"/run/app.sock"})), "unix:/run/app.sock");
  EXPECT_EQ(to_string(Address(Inherited{3, ""})), "fd:3");
  EXPECT_EQ(to_string(Address(Inherited{-1, "web"})), "systemd:web");
  EXPECT_EQ(to_string(Address(Stdio{})), "-");
}

TEST(HostPort, RefusesEverythingElse) {
  struct Case {
    std::string text;
    std::string cause;  // a part of the clause
  };
  const std::vector<Case> cases = {
      {"", "the port is missing"},
      {"a", "the port is missing"},
      {"80", "the host is missing; write HOST:80"},
      {":80", "the host is missing"},
      {"a:", "port must be a number"},
      {"a:0", "port must be a number"},
      {"a:65536", "port must be a number"},
      {"a:99999", "port must be a number"},
      {"a:+1", "port must be a number"},
      {"a:-1", "port must be a number"},
      {"a: 1", "port must be a number"},
      {"a:080", "port must be a number"},
      {"a:080x", "port must be a number"},
      {"http://a/", "a URL is not an address"},
      {"http://a:80", "a URL is not an address"},
      {"u@a:1", "user name"},
      {"[::1", "']' after the IPv6 address is missing"},
      {"[::1]80", "the port is missing"},
      {"[::1]x:80", "after ']' comes ':'"},
      {"[a]:80", "is not an IPv6 address"},
      {"[127.0.0.1]:80", "is not an IPv6 address"},
      {"[]:80", "is not an IPv6 address"},
      {"[::1%]:80", "is not an IPv6 address"},
      {"::1:80", "put the IPv6 address in brackets"},
      {"a:1:2", "one ':' too many"},
      {"a b:1", "' ' cannot be part"},
      {"a\tb:1", "'\\x09' cannot be part"},
      {"a\r\nX-Inj: 1", "cannot be part"},
      {std::string("a\0b:1", 5), "'\\x00' cannot be part"},
      {std::string("127.0.0.1\0:1", 12), "'\\x00' cannot be part"},
      {std::string("[::1\0]:1", 8), "is not an IPv6 address"},
      {"a%0d%0a:1", "'%' cannot be part"},
      {"b\xc3\xbc"
       "cher.example:1",
       "xn-- form"},
      {"a..b:1", "empty part between dots"},
      {".a:1", "empty part between dots"},
      {"-a.b:1", "begins or ends with '-'"},
      {"a-:1", "begins or ends with '-'"},
      {"127.1:1", "four numbers"},
      {"2130706433:1", "four numbers"},
      {"0x7f.1:1", "four numbers"},
      {"0x7f000001:1", "four numbers"},
      {"0177.0.0.1:1", "four numbers"},
      {"256.0.0.1:1", "four numbers"},
      {"1.2.3.4.:1", "four numbers"},
      {std::string(64, 'a') + ":1", "longer than 63"},
      {std::string(300, 'a') + ":1", "longer than 253"},
      {"*:1", "'*' cannot be part"},
      {"a/b:1", "'/' cannot be part"},
  };
  for (const Case& each : cases) {
    Tcp parsed;
    const std::string fault = parse_host_port(each.text, parsed);
    EXPECT_NE(fault.find(each.cause), std::string::npos) << each.text << " -> " << fault;
    EXPECT_EQ(parsed, Tcp{}) << each.text;
  }
}

TEST(HostPort, WhatOnlyAResolverReadsAsAnAddressIsOdd) {
  for (const char* odd : {"127.1", "127.1.", "0", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "127.0.0.0x1",
                          "127.0.0.1.", "256.0.0.1", "1.2.3.4.5"})
    EXPECT_TRUE(is_odd_ipv4(odd)) << odd;
  for (const char* fine : {"127.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0.5", "a", "db5", "5a", "1.a", "a.b.", ""})
    EXPECT_FALSE(is_odd_ipv4(fine)) << fine;
}

TEST(HostPort, ATargetHasNoZone) {
  EXPECT_EQ(target_fault("[fe80::1]:80"), "");
  EXPECT_NE(target_fault("[fe80::1%lo]:80").find("zone"), std::string::npos);
}

TEST(HostPort, NamesAndEndpointIds) {
  EXPECT_EQ(name_fault("tun-encap_1.http"), "");
  EXPECT_EQ(name_fault(std::string(100, 'n')), "");
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("a\n"), std::string(101, 'n')}) {
    EXPECT_NE(name_fault(bad), "") << bad;
  }
  EXPECT_EQ(endpoint_id_fault("10.1.2.3:80/x"), "");
  for (const std::string& bad : {std::string("a b"), std::string("\x01"), std::string("\x80"), std::string(257, 'i')}) {
    EXPECT_NE(endpoint_id_fault(bad), "") << bad;
  }
}

TEST(HostPort, UnixPathsAndNamesOfSockets) {
  for (const std::string& good : {std::string("/run/a.sock"), std::string("a"), std::string("@a b"),
                                  std::string("with space,=and more"), std::string(107, 'p')})
    EXPECT_EQ(unix_path_fault(good), "");
  EXPECT_EQ(unix_path_fault(""), "the path is missing");
  EXPECT_EQ(unix_path_fault("@"), "the name after '@' is missing");
  EXPECT_EQ(unix_path_fault("/run/"), "the path names a folder; add the name of the socket");
  EXPECT_EQ(unix_path_fault(std::string("a\0b", 3)), "a path has no zero byte");
  EXPECT_EQ(unix_path_fault(std::string(108, 'p')),
            "the path has 108 bytes, and a unix socket's at most 107; choose a shorter one, perhaps relative to the "
            "working directory");
  EXPECT_EQ(fd_name_fault("web.socket"), "");
  EXPECT_EQ(fd_name_fault(std::string(255, 'n')), "");
  for (const std::string& bad : {std::string(), std::string("a:b"), std::string("a b"), std::string("\xc3"),
                                 std::string("a\n"), std::string(256, 'n')})
    EXPECT_NE(fd_name_fault(bad), "") << bad;
}

TEST(HostPort, KnowsLoopback) {
  for (const char* host : {"", "127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"*", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::2", "127.example"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace tunnel::plan
