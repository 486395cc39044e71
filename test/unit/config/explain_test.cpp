// SPDX-License-Identifier: Apache-2.0
#include "config/explain.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "config/describe.hpp"
#include "support/random_plan.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using Texts = std::vector<std::string>;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::ptrdiff_t width_of(const std::string& line) {
  return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

std::string squeezed(const std::string& line) {
  std::string out;
  for (const char c : line) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  return out;
}

// The lines of step `number`, blanks squeezed.
Texts step(const std::string& text, int number) {
  Texts found;
  bool inside = false;
  for (const std::string& line : lines_of(text)) {
    if (line.empty()) {
      inside = false;
    } else if (line.starts_with(std::to_string(number) + "  ")) {
      inside = true;
    }
    if (inside) found.push_back(squeezed(line));
  }
  return found;
}

const Texts kEdge = {"-e", "tcp-chain -l 10000 -t internal:encap --name ingress --idle-timeout 2h", "-e",
                     "tun-encap -l internal:encap -x h2c:127.0.0.1:10001 --target host.com:443 --connect-timeout 20s"};

TEST(Explain, TellsTheWayHopByHop) {
  plan::Plan plan = plan_of(Program::tun_run, kEdge);
  plan.clusters.at(1).pool.connections = 4;
  plan.clusters.at(1).pool.prewarm = 1;
  plan.process.limits = {{"pool-idle", 90'000}};
  const std::string text = explain(plan, nullptr, {false, true, 8});
  EXPECT_EQ(step(text, 1), (Texts{
                               "1 ingress -e#1:1:14",
                               "listens on 127.0.0.1:10000, [::1]:10000",
                               "handler tcp_proxy: relays bytes",
                               "--connect-attempts 1 default",
                               "--max-conns the process's default",
                               "--idle-timeout 2h given",
                               "--half-close-timeout 60s default",
                               "--max-lifetime none default",
                               "--access-log off default",
                               "leads to cluster ingress.to",
                               "--connect-timeout 10s default",
                               "connects to internal:encap, step 2",
                           }));
  EXPECT_EQ(step(text, 2), (Texts{
                               "2 encap -e#2:1:14",
                               "listens on internal:encap",
                               "joined by a record: no socket, nothing is copied",
                               "handler tcp_proxy: asks for a tunnel, then relays",
                               "bytes",
                               "--target host.com:443",
                               "asks with CONNECT",
                               "--connect-attempts 1 default",
                               "--max-conns as many as come default",
                               "--idle-timeout 1h default",
                               "--half-close-timeout 60s default",
                               "--max-lifetime none default",
                               "--access-log off default",
                               "leads to cluster encap.proxy",
                               "--connect-timeout 20s, but step 1 ends it after 10s given",
                               "connects to 127.0.0.1:10001",
                               "speaks HTTP/2 in clear",
                               "conns= 4 × 8 workers = 32 at most given",
                               "streams= 100 on one connection, 3200 in all default",
                               "prewarm= 1 × 8 workers = 8 kept up given",
                               "idle= 90s, then an unused one is closed given",
                               "ping= 15s between probes of an idle one default",
                               "--limit ping-after 1s idle: probed with its next use, for 1s default",
                               "window= 64K a stream, growing to 4M default",
                               "--limit h2-window 16M a connection default",
                           }));
  // What runs out first on the way, wherever.
  EXPECT_NE(squeezed(text).find("In short: connected within 10s or refused; ended after 1h without a byte"),
            std::string::npos)
      << text;
}

TEST(Explain, BeginsWithTheProcess) {
  plan::Plan plan = plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--drain", "5s", "--force-pairs"});
  EXPECT_TRUE(explain(plan, nullptr, {false, true, 2})
                  .starts_with("The process\n"
                               "   --workers             2, one a core allowed                          default\n"
                               "   --limit conns         10000 connections at a time                    default\n"
                               "   --drain               5s                                             given\n"
                               "   --mem-limit           none                                           default\n"
                               "   --force-pairs         on                                             given\n"));
  plan.process.memory_bytes = std::size_t{2} << 30;
  EXPECT_NE(squeezed(explain(plan, nullptr, {false, true, 2})).find("--mem-limit 2G in buffers given"),
            std::string::npos);
  plan.process.workers = 1;
  plan.process.limits = {{"conns", 7}};
  EXPECT_TRUE(explain(plan, nullptr, {false, false, 2})
                  .starts_with("The process\n"
                               "   --workers             1                                              given\n"
                               "   --limit conns         7 connections at a time                        given\n"));
}

TEST(Explain, StandardInputHasOneWorker) {
  plan::Plan plan;
  plan.listeners.emplace_back();
  plan.listeners[0].name = "n";
  plan.listeners[0].addresses = {plan::Stdio{}};
  plan.listeners[0].handler = plan::Echo{};
  const std::string text = squeezed(explain(plan, nullptr, {false, false, 8}));
  EXPECT_NE(text.find("--workers 1, for one connection"), std::string::npos) << text;
  EXPECT_NE(text.find("listens on standard input and output, once"), std::string::npos) << text;
}

TEST(Explain, HttpItsRoutesAndItsLimits) {
  const std::string text = explain(
      plan_of(Program::tun_decap, {"-l", "1", "--allow", "*:443", "--deny", "10.0.0.0/8:1-65535", "--max-conns", "3"}),
      nullptr, {false, false, 1});
  const Texts told = step(text, 1);
  for (const char* expected :
       {"handler http_proxy: reads HTTP/1.1 or HTTP/2", "route CONNECT: ends here, its bytes go to cluster",
        "--limit head-time 10s for a whole head default", "--limit head, fields 16K, 100 fields a head default",
        "--max-conns 3 connections given", "connects to what the CONNECT names, if a rule allows it",
        "rules, deny wins allow *:443", "deny 10.0.0.0/8:1-65535"}) {
    EXPECT_NE(std::find(told.begin(), told.end(), expected), told.end()) << expected << "\nin\n" << text;
  }
  // Its bytes are only relayed: there is no pool.
  EXPECT_EQ(text.find("conns="), std::string::npos);
}

TEST(Explain, MetadataAndPoolsOfClients) {
  const plan::Plan plan =
      plan_of(Program::tun_run,
              {"-e", "tun-encap -l 1 -x h2c+internal:out/7,meta.a.b=c,meta.d.e=f --target t:1 --name in", "-e",
               "tun-encap -l internal:out -x h1:a:2 --target t:2 --header 'x: %DOWNSTREAM_REMOTE_ADDRESS%'"});
  const std::string text = squeezed(explain(plan, nullptr, {false, true, 2}));
  EXPECT_NE(text.find("connects to internal:out/7 with a.b=c and d.e=f, step 2"), std::string::npos) << text;
  EXPECT_NE(text.find("pools one a client: tunnels behind it name it"), std::string::npos) << text;
  EXPECT_EQ(text.find("pools one", text.find("pools one") + 1), std::string::npos) << text;
}

TEST(Explain, WhoLooksForTheServersName) {
  const plan::Plan plan =
      plan_of(Program::tun_run, {"-e", "tcp-chain -l 1 -t internal:out --name in", "-e",
                                 "tun-encap -l internal:out -x h1:a:2 --target %REQUESTED_SERVER_NAME%:443"});
  const std::string text = squeezed(explain(plan, nullptr, {false, true, 2}));
  EXPECT_NE(text.find("reads first a TLS ClientHello, for the server it names"), std::string::npos) << text;
  EXPECT_NE(text.find("--limit hello 16K a hello"), std::string::npos) << text;
  EXPECT_EQ(text.find("reads first"), text.rfind("reads first")) << text;
  EXPECT_LT(text.find("reads first"), text.find("joined by")) << text;
}

TEST(Explain, StreamsOfAListener) {
  const auto said = [](const std::string& listen, const std::string& expected) {
    const std::string text = explain(plan_of(Program::tun_decap, {"-l", listen, "--to", "a:1"}), nullptr, {});
    const Texts told = step(text, 1);
    EXPECT_NE(std::find(told.begin(), told.end(), expected), told.end()) << text;
  };
  said("1,streams=7", "streams= 7 streams at a time on an HTTP/2 connection given");
  said("1", "--limit streams 100 streams at a time on an HTTP/2 connection default");
}

TEST(Explain, NoSecretIsShown) {
  plan::Plan plan = plan_of(Program::tun_encap, {"-l", "1", "-x", "h1:a:1", "--target", "b:1"});
  std::get<plan::TcpProxy>(plan.listeners[0].handler).tunnel->headers = {{"Proxy-Authorization", "Basic c2VjcmV0"},
                                                                         {"X-A", "b"}};
  const std::string text = explain(plan, nullptr, {});
  EXPECT_EQ(text.find("c2VjcmV0"), std::string::npos);
  EXPECT_NE(squeezed(text).find("--header Proxy-Authorization, X-A (values are not\n"), std::string::npos) << text;
}

TEST(Explain, StartsWhereItIsTold) {
  const auto explained = [&](const std::string& from) {
    Texts arguments = kEdge;
    arguments.push_back("--explain=" + from);
    return type(Program::tun_run, arguments);
  };
  for (const char* from : {"ingress", "10000", "tcp:10000"}) {
    const Typed typed = explained(from);
    EXPECT_EQ(typed.status, 0) << typed.err;
    EXPECT_NE(typed.out.find("A connection to ingress\n"), std::string::npos) << typed.out;
  }
  for (const char* from : {"encap", "internal:encap"}) {
    const Typed typed = explained(from);
    EXPECT_NE(typed.out.find("From inside: a connection to encap\n"), std::string::npos) << typed.out;
    EXPECT_EQ(typed.out.find("ingress"), std::string::npos);
  }
  const Typed typed = explained("ingres");
  EXPECT_EQ(typed.status, 64);
  EXPECT_EQ(typed.err,
            "tun-run: --explain 'ingres': no listener has that name or address, did you mean ingress? (try tun-run "
            "--help)\n");
}

TEST(Explain, AFileACommandAndALineAreExplainedAlike) {
  const TemporaryFile file("a.tun", "\ntcp-chain -l 1 -t a:2 --buffer 128K\n");
  const auto but_places = [](const Typed& typed) {
    std::string out;
    for (std::string line : lines_of(typed.out)) {
      if (line.starts_with("1  ")) line.resize(std::min(line.size(), line.find("  ", 3)));
      out += line + "\n";
    }
    return out;
  };
  const std::string alone =
      but_places(type(Program::tcp_chain, {"-l", "1", "-t", "a:2", "--buffer", "128K", "--explain"}));
  EXPECT_NE(alone.find("1  tcp-chain-1"), std::string::npos);
  EXPECT_EQ(but_places(type(Program::tun_run, {"-e", "tcp-chain -l 1 -t a:2 --buffer 128K", "--explain"})), alone);
  EXPECT_EQ(but_places(type(Program::tun_run, {"--explain", file.path()})), alone);
}

TEST(Explain, FitsATerminalAndTellsEveryListenerOnce) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const plan::Plan plan = test::random_plan(seed);
    const std::string text = explain(plan, nullptr, {false, true, 3});
    std::size_t steps = 0;
    for (const std::string& line : lines_of(text)) {
      if (line.starts_with("A connection") || line.starts_with("From inside")) continue;
      const bool heading = line[0] >= '1' && line[0] <= '9';  // a name is not broken
      if (heading) ++steps;
      EXPECT_TRUE(heading || width_of(line) <= 79) << line;
    }
    EXPECT_EQ(steps, plan.listeners.size()) << text;
    EXPECT_EQ(text.find("c2VjcmV0"), std::string::npos);
  }
}

TEST(Explain, ColoursOnlyWhereTheyAreWanted) {
  const plan::Plan plan = plan_of(Program::tun_run, kEdge);
  const std::string plain = explain(plan, nullptr, {false, true, 2});
  std::string coloured = explain(plan, nullptr, {true, true, 2});
  EXPECT_EQ(plain.find('\033'), std::string::npos);
  EXPECT_NE(coloured.find("\033[1mThe process\033[0m\n"), std::string::npos);
  for (const char* code : {"\033[0m", "\033[1m", "\033[2m"}) {
    for (std::size_t at = coloured.find(code); at != std::string::npos; at = coloured.find(code)) coloured.erase(at, 4);
  }
  EXPECT_EQ(coloured, plain);
}

TEST(Describe, ValuesAsOneWouldTypeThem) {
  EXPECT_EQ(duration_text(std::chrono::milliseconds(0)), "0s");
  EXPECT_EQ(duration_text(std::chrono::milliseconds(1500)), "1500ms");
  EXPECT_EQ(duration_text(std::chrono::seconds(60)), "60s");
  EXPECT_EQ(duration_text(std::chrono::seconds(90)), "90s");
  EXPECT_EQ(duration_text(std::chrono::minutes(5)), "5m");
  EXPECT_EQ(duration_text(std::chrono::hours(2)), "2h");
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(1000), "1000");
  EXPECT_EQ(size_text(65536), "64K");
  EXPECT_EQ(size_text(1048576), "1M");
  EXPECT_EQ(address_text(plan::Tcp{"", 80}), "80");
  EXPECT_EQ(address_text(plan::Tcp{"::1", 80}), "[::1]:80");
  EXPECT_EQ(address_text(plan::Internal{"a", "b"}), "internal:a/b");
  EXPECT_EQ(address_text(plan::Unix{"/a\nb", 0600}), "unix:/a\\x0ab");
  EXPECT_EQ(address_text(plan::Inherited{3, ""}), "fd:3");
  EXPECT_EQ(address_text(plan::Inherited{-1, "web"}), "systemd:web");
  EXPECT_EQ(address_text(plan::Stdio{}), "-");
  EXPECT_EQ(rule_text({true, "2001:db8::/32", 443, 443}), "[2001:db8::]/32:443");
  EXPECT_EQ(rule_text({true, "*.a", 1, 9}), "*.a:1-9");
  EXPECT_EQ(rule_text({true, "10.0.0.0/8", 0, 65535, true}), "10.0.0.0/8:0-65535, no names");
}

TEST(Describe, WhatIsNoTextIsShownByItsBytes) {
  EXPECT_EQ(printable("a\tb\x7f\x1b[0m"), "a\\x09b\\x7f\\x1b[0m");
  EXPECT_EQ(printable("\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x9a\x87"), "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x9a\x87");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc2\x9b!"), "\\xc2\\x9b!");                           // a control character of its own
  EXPECT_EQ(printable("\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80");  // overlong; a surrogate
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
}

}  // namespace
}  // namespace tunnel::config
