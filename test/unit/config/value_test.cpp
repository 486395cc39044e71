// SPDX-License-Identifier: Apache-2.0
// Values of options: addresses, rules, times, sizes, numbers.
#include "config/value.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/address.hpp"
#include "config/refusal.hpp"
#include "config/rule.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using namespace std::chrono_literals;

Given given(Opt id, const std::string& value) { return {&option(id), value, {"t.tun", 1, 1}}; }

template <class Parse>
std::string refusal(Parse parse, const std::string& value) {
  try {
    parse(value);
  } catch (const Refusal& refused) {
    return refused.what();
  }
  return "accepted";
}

struct Refused {
  std::string value;
  std::string text;
};

TEST(Value, Times) {
  const auto parse = [](const std::string& value) { return parse_duration(given(Opt::idle_timeout, value), 1ms); };
  EXPECT_EQ(parse("500ms"), 500ms);
  EXPECT_EQ(parse("10s"), 10s);
  EXPECT_EQ(parse("10"), 10s);
  EXPECT_EQ(parse("5m"), 5min);
  EXPECT_EQ(parse("1h"), 1h);
  EXPECT_EQ(parse("8760h"), 8760h);
  for (const char* bad :
       {"", "s", "1d", "1 s", "-1s", "+1s", "1.5s", "1S", "1s1s", "99999999999999999999", "18446744073709551615h"}) {
    EXPECT_EQ(refusal(parse, bad), "--idle-timeout '" + std::string(bad) +
                                       "': give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds");
  }
  EXPECT_EQ(refusal(parse, "0"), "--idle-timeout '0': give a time from 1ms to 8760h");
  EXPECT_EQ(refusal(parse, "8761h"), "--idle-timeout '8761h': give a time from 1ms to 8760h");
  EXPECT_EQ(parse_duration(given(Opt::drain, "0"), 0ms), 0ms);
}

TEST(Value, Sizes) {
  const auto parse = [](const std::string& value) { return parse_size(given(Opt::buffer, value), 1024, 8388608); };
  EXPECT_EQ(parse("65536"), 65536U);
  EXPECT_EQ(parse("64K"), 65536U);
  EXPECT_EQ(parse("1M"), 1048576U);
  EXPECT_EQ(parse("1K"), 1024U);
  EXPECT_EQ(parse("8M"), 8388608U);
  for (const char* bad : {"", "K", "64k", "64KB", "1G", "1.5M", "-1K", " 1K", "18446744073709551615K"}) {
    EXPECT_EQ(refusal(parse, bad), "--buffer '" + std::string(bad) + "': give a size in bytes, or such as 64K or 1M");
  }
  for (const char* bad : {"0", "1023", "9M", "8388609"}) {
    EXPECT_EQ(refusal(parse, bad), "--buffer '" + std::string(bad) + "': give a size from 1K to 8M");
  }
}

TEST(Value, Numbers) {
  const auto parse = [](const std::string& value) { return parse_number(given(Opt::workers, value), 1, 1024); };
  EXPECT_EQ(parse("1"), 1U);
  EXPECT_EQ(parse("1024"), 1024U);
  for (const char* bad : {"", "0", "1025", "-1", "+1", "1 ", "0x1", "two", "99999999999999999999"}) {
    EXPECT_EQ(refusal(parse, bad), "--workers '" + std::string(bad) + "': give a number from 1 to 1024");
  }
}

TEST(Value, Limits) {
  const auto parse = [](const std::string& value) { return parse_limit(given(Opt::limit, value)); };
  EXPECT_EQ(parse("hops=3"), (plan::Limit{"hops", 3}));
  const std::vector<Refused> refused = {
      {"hops", "--limit 'hops': write hops=N, N a number"},
      {"hops=", "--limit 'hops=': write hops=N, N a number"},
      {"head=16K", "--limit 'head=16K': write head=N, N a number of bytes"},
      {"hops=0", "--limit 'hops=0': the limit hops goes from 1 to 1000, not 0"},
      {"hop=1", "--limit 'hop=1': there is no limit called 'hop', did you mean hops?"},
      {"per-source=1", "--limit 'per-source=1': there is no limit called 'per-source'"},
      {"", "--limit '': there is no limit called ''"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), each.text);
}

TEST(Value, LogFormats) {
  const auto parse = [](const std::string& value) { return parse_log_format(given(Opt::log_format, value)); };
  EXPECT_EQ(parse("text"), plan::LogFormat::text);
  EXPECT_EQ(parse("logfmt"), plan::LogFormat::logfmt);
  EXPECT_EQ(parse("json"), plan::LogFormat::json);
  EXPECT_EQ(refusal(parse, "jsn"), "--log-format 'jsn': give text, logfmt or json, did you mean json?");
}

TEST(Address, Listen) {
  const auto parse = [](const std::string& value) { return parse_listen(given(Opt::listen, value)); };
  const std::vector<std::pair<std::string, plan::Address>> good = {
      {"9999", plan::Tcp{"", 9999}},
      {"tcp:9999", plan::Tcp{"", 9999}},
      {"localhost:9999", plan::Tcp{"", 9999}},
      {"*:9999", plan::Tcp{"*", 9999}},
      {"tcp:*:9999", plan::Tcp{"*", 9999}},
      {"127.0.0.2:1", plan::Tcp{"127.0.0.2", 1}},
      {"tcp:10.0.0.1:1", plan::Tcp{"10.0.0.1", 1}},
      {"[::1]:65535", plan::Tcp{"::1", 65535}},
      {"internal:mid", plan::Internal{"mid", ""}},
  };
  for (const auto& [value, address] : good) EXPECT_EQ(parse(value), address) << value;
  const std::string absent = " is not supported by this version; use [HOST:]PORT or internal:NAME";
  const std::vector<Refused> refused = {
      {"0", "a port is a number from 1 to 65535"},
      {"65536", "a port is a number from 1 to 65535"},
      {"", "a port is a number from 1 to 65535"},
      {"*:0", "the port must be a number from 1 to 65535"},
      {"-", "standard input" + absent},
      {"unix:/run/a", "unix:" + absent},
      {"fd:3", "fd:" + absent},
      {"systemd:a", "systemd:" + absent},
      {"tls:1", "tls:" + absent},
      {"echo:", "echo: gives an answer, nobody can listen on it; use [HOST:]PORT or internal:NAME"},
      {"respond:200:x", "respond: gives an answer, nobody can listen on it; use [HOST:]PORT or internal:NAME"},
      {"internal:", "a name is missing"},
      {"internal:a b", "' ' cannot be part of a name; use letters, digits, '-', '_' and '.'"},
      {"internal:a/1", "a listener has no endpoint id; write internal:a"},
      {"interal:mid", "the port must be a number from 1 to 65535, not 'mid', did you mean internal:?"},
      {"a.example:80", "listen on an address of this machine, on PORT for loopback or on *:PORT for every interface"},
      {"9999,mode=660", "address options such as ',mode=660' are not supported by this version; leave them out"},
      {"::1:80", "put the IPv6 address in brackets; write [ADDRESS]:PORT"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), "-l '" + each.value + "': " + each.text);
}

TEST(Address, Dial) {
  const auto parse = [](const std::string& value) { return parse_dial(given(Opt::to, value)); };
  const std::vector<std::pair<std::string, Dial>> good = {
      {"127.0.0.1:10000", plan::Tcp{"127.0.0.1", 10000}},
      {"a.example:1", plan::Tcp{"a.example", 1}},
      {"tcp:a:1", plan::Tcp{"a", 1}},
      {"tcp:echo:7", plan::Tcp{"echo", 7}},
      {"[::1]:80", plan::Tcp{"::1", 80}},
      {"internal:mid", plan::Internal{"mid", ""}},
      {"internal:mid/10.1.2.3:80", plan::Internal{"mid", "10.1.2.3:80"}},
      {"internal:mid/a,,b", plan::Internal{"mid", "a,b"}},
      {"echo:", plan::Echo{}},
      {"discard:", plan::Discard{}},
      {"respond:200:Hello, world!", plan::Respond{200, "Hello, world!\n"}},
      {"respond:404:a:b,,c", plan::Respond{404, "a:b,,c\n"}},
      {"respond:200:", plan::Respond{200, "\n"}},
      {"respond:204:", plan::Respond{204, ""}},
      {"respond:599:\xc3\xa9\n", plan::Respond{599, "\xc3\xa9\n\n"}},
  };
  for (const auto& [value, dial] : good) EXPECT_EQ(parse(value), dial) << value;
  const std::vector<Refused> refused = {
      {"10000", "the host is missing; write 127.0.0.1:10000"},
      {"tcp:10000", "the host is missing; write 127.0.0.1:10000"},
      {"", "the port is missing; write HOST:PORT"},
      {"a:0", "the port must be a number from 1 to 65535, not '0'"},
      {"http://a:1", "a URL is not an address; write HOST:PORT"},
      {"tls:a:1", "tls: is not supported by this version; use [HOST:]PORT or internal:NAME"},
      {"unix:/x", "unix: is not supported by this version; use [HOST:]PORT or internal:NAME"},
      {"a:1,conns=4", "address options such as ',conns=4' are not supported by this version; leave them out"},
      {"a:1,", "address options such as ',' are not supported by this version; leave them out"},
      {"internal:m,meta.a.b=c",
       "address options such as ',meta.a.b=c' are not supported by this version; leave them out"},
      {"internal:m/", "the endpoint id after '/' is missing; write it or leave out the '/'"},
      {"internal:m/a b", "an endpoint id is visible ASCII without spaces"},
      {"echo:7", "echo: takes nothing after it; a host called echo is tcp:echo:PORT"},
      {"discard:x", "discard: takes nothing after it; a host called discard is tcp:discard:PORT"},
      {"respond:", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:20:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:100:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:600:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:+20:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:200", "the text is missing; write respond:200:TEXT"},
      {"respond:204:x", "an answer 204 has no body; write respond:204:"},
      {"respnd:200:x", "there is one ':' too many; write HOST:PORT, did you mean respond:?"},
      {"ecko:", "the port must be a number from 1 to 65535, not '', did you mean echo:?"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), "-t '" + each.value + "': " + each.text);
}

TEST(Address, RespondReadsAFileToItsLastByte) {
  const std::string bytes = std::string("a\0b\r\n", 5) + std::string(200000, 'x');
  const TemporaryFile file("body", bytes);
  EXPECT_EQ(parse_dial(given(Opt::to, "respond:200:@" + file.path())), Dial(plan::Respond{200, bytes}));
  const TemporaryFile empty("body", "");
  EXPECT_EQ(parse_dial(given(Opt::to, "respond:200:@" + empty.path())), Dial(plan::Respond{200, ""}));
}

TEST(Address, RespondRefusesAFileItCannotRead) {
  for (const char* file : {"/nonexistent/body", "/", "/dev/zero"}) {
    try {
      parse_dial(given(Opt::to, "respond:200:@" + std::string(file)));
      ADD_FAILURE() << file;
    } catch (const Refusal& refused) {
      EXPECT_EQ(refused.status_or(0), kNoInput);
      EXPECT_NE(std::string(refused.what()).find("'" + std::string(file) + "'"), std::string::npos) << refused.what();
    }
  }
}

TEST(Address, Proxy) {
  const auto parse = [](const std::string& value) { return parse_proxy(given(Opt::proxy, value)); };
  struct Good {
    std::string value;
    plan::Http protocol;
    plan::Address address;
  };
  const std::vector<Good> good = {
      {"h1:px:3128", plan::Http::h1, plan::Tcp{"px", 3128}},
      {"h2c:127.0.0.1:10001", plan::Http::h2, plan::Tcp{"127.0.0.1", 10001}},
      {"h2c:[::1]:1", plan::Http::h2, plan::Tcp{"::1", 1}},
      {"h1+internal:up", plan::Http::h1, plan::Internal{"up", ""}},
      {"h2c+internal:up/7", plan::Http::h2, plan::Internal{"up", "7"}},
      {"h1+tcp:px:1", plan::Http::h1, plan::Tcp{"px", 1}},
      {"h2c+px:1", plan::Http::h2, plan::Tcp{"px", 1}},
      {"h1:tcp:1", plan::Http::h1, plan::Tcp{"tcp", 1}},
  };
  for (const Good& each : good) {
    const Proxy proxy = parse(each.value);
    EXPECT_EQ(proxy.protocol, each.protocol) << each.value;
    EXPECT_EQ(proxy.address, each.address) << each.value;
  }
  const std::string which = "say which HTTP the proxy speaks, h1:HOST:PORT or h2c:HOST:PORT";
  const std::vector<Refused> refused = {
      {"127.0.0.1:3128", which},
      {"h1", which},
      {"", which},
      {"h3:a:1", which + ", did you mean h1?"},
      {"https:a:1", "TLS to a proxy (https) is not supported by this version; use h1 or h2c"},
      {"h2:a:1", "TLS to a proxy (h2) is not supported by this version; use h1 or h2c"},
      {"h1s+a:1", "TLS to a proxy (h1s) is not supported by this version; use h1 or h2c"},
      {"h1:a", "the port is missing; write HOST:PORT"},
      {"h1+respond:200:x", "a proxy is reached at HOST:PORT or internal:NAME"},
      {"h2c+echo:", "a proxy is reached at HOST:PORT or internal:NAME"},
      {"h1+unix:/run/px", "unix: is not supported by this version; use [HOST:]PORT or internal:NAME"},
      {"h2c:a:1,conns=2", "address options such as ',conns=2' are not supported by this version; leave them out"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), "-x '" + each.value + "': " + each.text);
}

TEST(Address, Target) {
  const auto parse = [](const std::string& value) { return parse_target(given(Opt::target, value)); };
  EXPECT_EQ(parse("host.com:443"), "host.com:443");
  EXPECT_EQ(parse("[2001:db8::1]:443"), "[2001:db8::1]:443");
  for (const char* bad :
       {"host.com", "a:0", "a:99999", "u@a:1", "[::1", "a:1:2", "a:1\r\nX: y", "a b:1", "a\t:1", "tcp:a:1"}) {
    EXPECT_NE(refusal(parse, bad), "accepted") << bad;
  }
  for (const char* later : {"@authority", "@endpoint", "@sni", "@orig-dst"}) {
    EXPECT_EQ(refusal(parse, later),
              "--target '" + std::string(later) +
                  "': a target taken from the connection is not supported by this version; write HOST:PORT");
  }
}

TEST(Rule, ReadsHostsNetworksAndPorts) {
  const auto parse = [](const std::string& value) { return parse_rule(given(Opt::allow, value), true); };
  const std::vector<std::pair<std::string, plan::Rule>> good = {
      {"db.internal:5432", {true, "db.internal", 5432, 5432}},
      {"tcp:db:1", {true, "db", 1, 1}},
      {"*:443", {true, "*", 443, 443}},
      {"*.example.com:80-90", {true, "*.example.com", 80, 90}},
      {"db-*.example:1", {true, "db-*.example", 1, 1}},
      {"localhost:1-65535", {true, "localhost", 1, 65535}},
      {"10.2.0.0/16:443", {true, "10.2.0.0/16", 443, 443}},
      {"0.0.0.0/0:1", {true, "0.0.0.0/0", 1, 1}},
      {"127.0.0.1:8080", {true, "127.0.0.1", 8080, 8080}},
      {"127.0.0.1/32:8080", {true, "127.0.0.1/32", 8080, 8080}},
      {"[2001:db8::]/32:443", {true, "2001:db8::/32", 443, 443}},
      {"[::1]:1", {true, "::1", 1, 1}},
      {"[::]/0:1-2", {true, "::/0", 1, 2}},
  };
  for (const auto& [value, rule] : good) EXPECT_EQ(parse(value), rule) << value;
  EXPECT_FALSE(parse_rule(given(Opt::deny, "a:1"), false).allow);
  const std::string port = "a port is a number from 1 to 65535; every port is 1-65535";
  const std::string missing = "the port is missing; write HOST:PORT or HOST:PORT-PORT, every port is 1-65535";
  const std::vector<Refused> refused = {
      {"a", missing},
      {"10.0.0.0/8", missing},
      {"[::1]", missing},
      {"", missing},
      {"a:", port},
      {"a:0", port},
      {"a:65536", port},
      {"a:*", port},
      {"a:1-", port},
      {"a:-1", port},
      {"a:1-2-3", port},
      {"a:2-1", "the ports run backwards; write the lower one first"},
      {":1", "the host is missing; write HOST:PORT or HOST:PORT-PORT"},
      {"2001:db8::/32:443", "there is one ':' too many; put an IPv6 address in brackets, as in [2001:db8::]/32:443"},
      {"[::1:443", "the ']' after the IPv6 address is missing"},
      {"[a]:443", "'a' is not an IPv6 address"},
      {"[fe80::1%lo]:443", "'fe80::1%lo' is not an IPv6 address"},
      {"[::1]x:443", "after ']' comes /BITS or ':' and the port"},
      {"a.example/8:1", "only an address can have a prefix length after '/'"},
      {"10.0.0.0/33:1", "the prefix length goes from 0 to 32"},
      {"10.0.0.0/:1", "the prefix length goes from 0 to 32"},
      {"10.0.0.0/-1:1", "the prefix length goes from 0 to 32"},
      {"[::]/129:1", "the prefix length goes from 0 to 128"},
      {"10.2.3.4/16:1-2", "the address has bits beyond its prefix; write 10.2.0.0/16:1-2"},
      {"[2001:db8::1]/32:1", "the address has bits beyond its prefix; write [2001:db8::]/32:1"},
      {"10.*:1", "a '*' does not go with an address; write a network as 10.0.0.0/8"},
      {"*.*:1", "a '*' does not go with an address; write a network as 10.0.0.0/8"},
      {"a?.example:1", "'?' cannot be part of it"},
      {"*.1.2.3.4:1", "a '*' does not go with an address; write a network as 10.0.0.0/8"},
      {"a b:1", "' ' cannot be part of it"},
      {"127.1:1", "an IPv4 address is four numbers from 0 to 255"},
  };
  for (const Refused& each : refused)
    EXPECT_EQ(refusal(parse, each.value), "--allow '" + each.value + "': " + each.text);
}

}  // namespace
}  // namespace tunnel::config
