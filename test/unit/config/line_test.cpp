// SPDX-License-Identifier: Apache-2.0
// What each line becomes, compared as a Plan.
#include "config/line.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/temporary_folder.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using namespace std::chrono_literals;
using plan::Cluster;
using plan::Http;
using plan::Internal;
using plan::Listener;
using plan::Tcp;

Listener listener(const std::string& name, std::vector<plan::Address> addresses, plan::Handler handler) {
  Listener made;
  made.name = name;
  made.addresses = std::move(addresses);
  made.handler = std::move(handler);
  return made;
}

Cluster cluster(const std::string& name, plan::Address address, Http protocol = Http::h1) {
  Cluster made;
  made.name = name;
  made.endpoints.push_back({std::move(address)});
  made.protocol = protocol;
  return made;
}

plan::HttpProxy routed(plan::Route route) {
  plan::HttpProxy proxy;
  proxy.routes.push_back(std::move(route));
  return proxy;
}

plan::HttpProxy answering(int status, const std::string& body) { return routed({{}, plan::Respond{status, body}, {}}); }
plan::HttpProxy ending(const std::string& cluster) { return routed({{true, "/"}, plan::Terminate{cluster}, {}}); }

void expect_plan(Program program, const std::vector<std::string>& arguments, const std::vector<Listener>& listeners,
                 const std::vector<Cluster>& clusters) {
  const plan::Plan plan = plan_of(program, arguments);
  const std::string what = testing::PrintToString(arguments);
  ASSERT_EQ(plan.listeners.size(), listeners.size()) << what;
  ASSERT_EQ(plan.clusters.size(), clusters.size()) << what;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    EXPECT_EQ(plan.listeners[i].name, listeners[i].name) << what;
    EXPECT_TRUE(plan.listeners[i] == listeners[i]) << what << ", listener " << listeners[i].name;
  }
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    EXPECT_EQ(plan.clusters[i].name, clusters[i].name) << what;
    EXPECT_TRUE(plan.clusters[i] == clusters[i]) << what << ", cluster " << clusters[i].name;
  }
}

TEST(Line, TcpChainRelays) {
  expect_plan(Program::tcp_chain, {"-l", "9999", "-t", "127.0.0.1:10000"},
              {listener("tcp-chain-9999", {Tcp{"", 9999}}, plan::TcpProxy{"tcp-chain-9999.to", {}})},
              {cluster("tcp-chain-9999.to", Tcp{"127.0.0.1", 10000})});
  expect_plan(Program::tcp_chain, {"-l", "9999", "-l", "*:80", "-t", "a:1", "--name", "in"},
              {listener("in", {Tcp{"", 9999}, Tcp{"*", 80}}, plan::TcpProxy{"in.to", {}})},
              {cluster("in.to", Tcp{"a", 1})});
}

TEST(Line, MetadataOfAnAddressIsPassedOn) {
  const std::string out = "tcp-chain -l internal:out -t a:1";
  Cluster to = cluster("in.to", Internal{"out", "7"});
  to.endpoints.front().metadata = {{"a.b", "c", "d"}, {"e", "f", "g"}};
  to.endpoints.push_back({Internal{"out", "8"}, {{"a.b", "c", "h"}}});
  to.passthrough = {{"a.b", plan::Passthrough::From::host}, {"e", plan::Passthrough::From::host}};
  to.passes_state = true;
  const std::string chain =
      "tcp-chain -l 9 -t internal:out/7,meta.a.b.c=d,meta.e.f=g -t internal:out/8,meta.a.b.c=h --name in";
  EXPECT_TRUE(plan_of(Program::tun_run, {"-e", chain, "-e", out}).clusters.at(0) == to);
  Cluster proxy = cluster("in.proxy", Internal{"out", ""}, Http::h2);
  proxy.endpoints.front().metadata = {{"a", "b", "c"}};
  proxy.passthrough = {{"a", plan::Passthrough::From::host}};
  proxy.passes_state = true;
  proxy.pool.streams = 5;
  const std::string encap = "tun-encap -l 9 -x h2c+internal:out,streams=5,meta.a.b=c --target t:1 --name in";
  EXPECT_TRUE(plan_of(Program::tun_run, {"-e", encap, "-e", out}).clusters.at(0) == proxy);
}

TEST(Line, WhatIsReadAheadIsOfAllListenersOfTheLine) {
  const plan::Plan plan =
      plan_of(Program::tun_encap, {"-l", "9", "-x", "h1:a:1", "--target", "b:1", "--http", "--read-ahead", "8K"});
  ASSERT_EQ(plan.listeners.size(), 2U);
  for (const plan::Listener& listener : plan.listeners) EXPECT_EQ(listener.read_ahead_bytes, 8192U);
  EXPECT_NE(type(Program::tcp_chain, {"-l", "9", "-t", "a:1", "--read-ahead", "257K"}).err, "");
}

TEST(Line, FilterStateIsSetAndPassedOn) {
  const std::string out = "tcp-chain -l internal:out --pass-state -t internal:last --name out";
  const std::string last =
      "tun-encap -l internal:last -x h1:p:1 --target t:1 --header 'x: %FILTER_STATE(who:PLAIN)%' --state none:own=1";
  const std::string in =
      "tcp-chain -l 9 -t internal:out -t a:1 --name in --state who=%DOWNSTREAM_REMOTE_ADDRESS% --state once:b=c=d:e";
  const plan::Plan plan = plan_of(Program::tun_run, {"-e", in, "-e", out, "-e", last});
  EXPECT_EQ(plan.listeners.at(0).state,
            (std::vector<plan::State>{{"who", "%DOWNSTREAM_REMOTE_ADDRESS%", StateShare::transitive},
                                      {"b", "c=d:e", StateShare::once}}));
  EXPECT_TRUE(plan.clusters.at(0).passes_state);
  EXPECT_TRUE(plan.listeners.at(1).state.empty());
  EXPECT_TRUE(plan.clusters.at(1).passes_state);
  EXPECT_EQ(plan.listeners.at(2).state, (std::vector<plan::State>{{"own", "1", StateShare::none}}));
  EXPECT_FALSE(plan.clusters.at(2).passes_state);
}

TEST(Line, FilterStateThatIsNoneIsRefused) {
  const auto said = [](const std::string& state) {
    return type(Program::tcp_chain, {"-l", "9", "-t", "a:1", "--state", state}).err;
  };
  const auto refused = [](const std::string& clause) { return usage_error(Program::tcp_chain, "--state " + clause); };
  EXPECT_EQ(said("who"), refused("'who': the value is missing; write KEY=VALUE"));
  EXPECT_EQ(said("on:who=x"), refused("'on:who=x': 'on' is no way to share it; write KEY=VALUE for every internal hop, "
                                      "once:KEY=VALUE for the next one, none:KEY=VALUE for none"));
  EXPECT_EQ(said("=x"), refused("'=x': an object of filter state has a key"));
  EXPECT_EQ(said("a b=x"),
            refused("'a b=x': a key of filter state has no blank, no control character and none of : = %"));
  EXPECT_EQ(said("a="), refused("'a=': an object without a value would never be there; give it one"));
  EXPECT_EQ(said("a=%NO%"), refused("'a=%NO%': '%NO%' is not supported by this version"));
  EXPECT_EQ(said("envoy.tcp_proxy.cluster=x"),
            refused("'envoy.tcp_proxy.cluster=x': 'envoy.tcp_proxy.cluster' is an object of Envoy's own, which is not "
                    "supported by this version; choose another key"));
}

TEST(Line, WhatRequestsLoseIsNoPartOfTheirTunnel) {
  const auto said = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"-l", "9", "-x", "h1:a:1"});
    return type(Program::tun_encap, more).err;
  };
  EXPECT_EQ(said({"--http", "--target", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:80"}),
            usage_error(Program::tun_encap,
                        "--http: a target with operators is for connections that are not parsed; use @endpoint"));
  const std::string lost = usage_error(
      Program::tun_encap, "--header: metadata comes with connections, and here requests are parsed; leave it out");
  EXPECT_EQ(said({"--http", "--target", "b:1", "--header", "x: %DYNAMIC_METADATA(a:b)%"}), lost);
  EXPECT_EQ(said({"--target", "@authority", "--header", "x: %DYNAMIC_METADATA(a:b)%"}), lost);
  EXPECT_EQ(said({"--http", "--target", "b:1", "--header", "x: %REQUESTED_SERVER_NAME%"}),
            usage_error(Program::tun_encap,
                        "--header: a server's name comes with TLS, and here requests are parsed; leave it out"));
}

TEST(Line, WhoAsksForTheServersNameLooksForIt) {
  const auto looks = [](const std::vector<std::string>& more) {
    std::vector<std::string> words{"-l", "9", "-x", "h1:a:1"};
    words.insert(words.end(), more.begin(), more.end());
    return std::get<plan::TcpProxy>(plan_of(Program::tun_encap, words).listeners.at(0).handler).tls_inspector;
  };
  EXPECT_TRUE(looks({"--target", "%REQUESTED_SERVER_NAME%:443"}));
  EXPECT_TRUE(looks({"--target", "b:1", "--header", "x: for %REQUESTED_SERVER_NAME%"}));
  EXPECT_FALSE(looks({"--target", "b:1", "--header", "x: %DOWNSTREAM_REMOTE_ADDRESS%"}));
}

TEST(Line, SeveralDestinationsAreEndpointsOfOneCluster) {
  Cluster to = cluster("tcp-chain-9.to", Tcp{"a", 1});
  to.endpoints.push_back({Tcp{"b", 2}});
  to.endpoints.push_back({Tcp{"a", 2}});
  const Listener relay = listener("tcp-chain-9", {Tcp{"", 9}}, plan::TcpProxy{"tcp-chain-9.to", {}});
  const std::vector<std::string> line = {"-l", "9", "-t", "a:1", "-t", "b:2", "--to", "a:2"};
  expect_plan(Program::tcp_chain, line, {relay}, {to});
  const std::vector<std::pair<std::string, plan::Lb>> words = {
      {"round-robin", plan::Lb::round_robin}, {"least", plan::Lb::least}, {"first", plan::Lb::first}};
  for (const auto& [word, lb] : words) {
    std::vector<std::string> chosen = line;
    chosen.insert(chosen.end(), {"--lb", word});
    to.lb = lb;
    expect_plan(Program::tcp_chain, chosen, {relay}, {to});
  }
  Cluster decap = cluster("d.to", Tcp{"a", 1});
  decap.endpoints.push_back({Internal{"e", ""}});
  decap.lb = plan::Lb::first;
  expect_plan(
      Program::tun_run,
      {"-e", "tun-decap -l 1 --name d --to a:1 --to internal:e --lb first", "-e", "tcp-chain -l internal:e -t echo:"},
      {listener("d", {Tcp{"", 1}}, ending("d.to")), listener("e", {Internal{"e", ""}}, plan::Echo{})}, {decap});
}

TEST(Line, StandardInputAndOutputStandAlone) {
  expect_plan(Program::tcp_chain, {"-l", "-", "-t", "a:1"},
              {listener("tcp-chain-stdio", {plan::Stdio{}}, plan::TcpProxy{"tcp-chain-stdio.to", {}})},
              {cluster("tcp-chain-stdio.to", Tcp{"a", 1})});
  expect_plan(Program::tun_decap, {"-l", "-", "--to", "a:1", "--name", "inetd"},
              {listener("inetd", {plan::Stdio{}}, ending("inetd.to"))}, {cluster("inetd.to", Tcp{"a", 1})});
}

TEST(Line, TcpChainAnswersByItself) {
  expect_plan(Program::tcp_chain, {"-l", "1", "-t", "respond:404:no"},
              {listener("tcp-chain-1", {Tcp{"", 1}}, answering(404, "no\n"))}, {});
  expect_plan(Program::tcp_chain, {"-l", "1", "-t", "echo:"}, {listener("tcp-chain-1", {Tcp{"", 1}}, plan::Echo{})},
              {});
  expect_plan(Program::tcp_chain, {"-l", "1", "-t", "discard:"},
              {listener("tcp-chain-1", {Tcp{"", 1}}, plan::Discard{})}, {});
}

TEST(Line, AnInternalListenerIsOfItsOwnAndSharesTheClusters) {
  const plan::TcpProxy relay{"mid.to", {}};
  expect_plan(Program::tcp_chain, {"-l", "internal:mid", "-t", "a:1"}, {listener("mid", {Internal{"mid", ""}}, relay)},
              {cluster("mid.to", Tcp{"a", 1})});
  expect_plan(Program::tcp_chain, {"-l", "internal:mid", "--name", "mid", "-t", "a:1"},
              {listener("mid", {Internal{"mid", ""}}, relay)}, {cluster("mid.to", Tcp{"a", 1})});
  expect_plan(Program::tcp_chain, {"-l", "internal:mid", "-l", "internal:two", "-t", "a:1"},
              {listener("mid", {Internal{"mid", ""}}, relay), listener("two", {Internal{"two", ""}}, relay)},
              {cluster("mid.to", Tcp{"a", 1})});
  const plan::TcpProxy mixed{"tcp-chain-8.to", {}};
  expect_plan(Program::tcp_chain, {"-l", "internal:mid", "-l", "8", "-l", "127.0.0.2:9", "-t", "a:1"},
              {listener("tcp-chain-8", {Tcp{"", 8}, Tcp{"127.0.0.2", 9}}, mixed),
               listener("mid", {Internal{"mid", ""}}, mixed)},
              {cluster("tcp-chain-8.to", Tcp{"a", 1})});
}

TEST(Line, TunEncapAsksAProxyForATunnel) {
  expect_plan(Program::tun_encap, {"-l", "5432", "-x", "h1:px:3128", "--target", "db.internal:5432"},
              {listener("tun-encap-5432", {Tcp{"", 5432}},
                        plan::TcpProxy{"tun-encap-5432.proxy", plan::Tunnel{"db.internal:5432"}})},
              {cluster("tun-encap-5432.proxy", Tcp{"px", 3128})});
  expect_plan(Program::tun_encap, {"-l", "1", "-x", "h2c:px:2", "--target", "[::1]:3", "--name", "e"},
              {listener("e", {Tcp{"", 1}}, plan::TcpProxy{"e.proxy", plan::Tunnel{"[::1]:3"}})},
              {cluster("e.proxy", Tcp{"px", 2}, Http::h2)});
}

TEST(Line, TunEncapHttpIsAnInternalListenerWrittenShort) {
  expect_plan(Program::tun_encap, {"-l", "10000", "-x", "h2c:127.0.0.1:10001", "--target", "host.com:443", "--http"},
              {listener("tun-encap-10000", {Tcp{"", 10000}}, routed({{}, plan::Forward{"tun-encap-10000.http"}, {}})),
               listener("tun-encap-10000.http", {Internal{"tun-encap-10000.http", ""}},
                        plan::TcpProxy{"tun-encap-10000.proxy", plan::Tunnel{"host.com:443"}})},
              {cluster("tun-encap-10000.http", Internal{"tun-encap-10000.http", ""}),
               cluster("tun-encap-10000.proxy", Tcp{"127.0.0.1", 10001}, Http::h2)});
}

TEST(Line, TunEncapTakesTargetsFromRequests) {
  expect_plan(
      Program::tun_encap, {"-l", "1", "-x", "h2c:px:2", "--target", "@authority", "--name", "e"},
      {listener("e", {Tcp{"", 1}},
                plan::HttpProxy{Http::automatic,
                                {{{true, "/"}, plan::Terminate{"e.http"}, {}}, {{}, plan::Forward{"e.http"}, {}}}}),
       listener("e.http", {Internal{"e.http", ""}}, plan::TcpProxy{"e.proxy", plan::Tunnel{"@endpoint"}})},
      {cluster("e.http", Internal{"e.http", "@authority"}), cluster("e.proxy", Tcp{"px", 2}, Http::h2)});
}

TEST(Line, TunEncapTakesTargetsFromConnections) {
  expect_plan(Program::tun_encap, {"-l", "1", "-x", "h1:px:2", "--target", "@orig-dst", "--name", "e"},
              {listener("e", {Tcp{"", 1}}, plan::TcpProxy{"e.proxy", plan::Tunnel{"@orig-dst"}})},
              {cluster("e.proxy", Tcp{"px", 2})});
  expect_plan(Program::tun_encap, {"-l", "internal:e", "-x", "h1:px:2", "--target", "@endpoint"},
              {listener("e", {Internal{"e", ""}}, plan::TcpProxy{"e.proxy", plan::Tunnel{"@endpoint"}})},
              {cluster("e.proxy", Tcp{"px", 2})});
  expect_plan(Program::tun_encap, {"-l", "internal:e", "-x", "h1:px:2", "--target", "@endpoint", "--http"},
              {listener("e", {Internal{"e", ""}}, routed({{}, plan::Forward{"e.http"}, {}})),
               listener("e.http", {Internal{"e.http", ""}}, plan::TcpProxy{"e.proxy", plan::Tunnel{"@endpoint"}})},
              {cluster("e.http", Internal{"e.http", "@endpoint"}), cluster("e.proxy", Tcp{"px", 2})});
}

TEST(Line, TunnelsByPostAndWithFields) {
  expect_plan(
      Program::tun_encap,
      {"-l", "1", "-x", "h1:px:2", "--target", "a:3", "--name", "e", "--post", "--header", "X-A: b"},
      {listener("e", {Tcp{"", 1}}, plan::TcpProxy{"e.proxy", plan::Tunnel{"a:3", true, "/", {{"x-a", "b", false}}}})},
      {cluster("e.proxy", Tcp{"px", 2})});
  expect_plan(Program::tun_decap, {"-l", "1", "--to", "a:2", "--name", "d", "--post"},
              {listener("d", {Tcp{"", 1}}, routed({{true, "/"}, plan::Terminate{"d.to", true}, {}}))},
              {cluster("d.to", Tcp{"a", 2})});
}

TEST(Line, AnEntryForTargetsOfClientsIsClosedByDefault) {
  const std::vector<std::string> wide = {"-l", "*:1", "-x", "h1:px:2", "--target", "@authority"};
  EXPECT_NE(type(Program::tun_encap, wide).err.find("add --insecure-open"), std::string::npos);
  std::vector<std::string> open = wide;
  open.emplace_back("--insecure-open");
  EXPECT_EQ(type(Program::tun_encap, open).status, 0);
  open.at(5) = "a:3";
  EXPECT_NE(type(Program::tun_encap, open).err.find("--insecure-open is for --target @authority"), std::string::npos);
}

TEST(Line, TunEncapGoesThroughOneProxyToTheNext) {
  expect_plan(
      Program::tun_encap,
      {"-l", "8443", "-x", "h1:squid.corp:3128", "-x", "h2c:[2001:db8::1]:8080", "--target", "app:443"},
      {listener("tun-encap-8443", {Tcp{"", 8443}}, plan::TcpProxy{"tun-encap-8443.proxy", plan::Tunnel{"app:443"}}),
       listener("tun-encap-8443.hop1", {Internal{"tun-encap-8443.hop1", ""}},
                plan::TcpProxy{"tun-encap-8443.hop1.proxy", plan::Tunnel{"[2001:db8::1]:8080"}})},
      {cluster("tun-encap-8443.hop1.proxy", Tcp{"squid.corp", 3128}),
       cluster("tun-encap-8443.proxy", Internal{"tun-encap-8443.hop1", ""}, Http::h2)});
  // The first may be reached inside the process; --http stays the entry; a third proxy is one hop more.
  expect_plan(Program::tun_run,
              {"-e", "tun-encap -l 1 -x h2c+internal:e -x h1:b:2 -x h2c+tcp:c:3 --target t:4 --http", "-e",
               "tun-decap -l internal:e --to d:5"},
              {listener("tun-encap-1", {Tcp{"", 1}}, routed({{}, plan::Forward{"tun-encap-1.http"}, {}})),
               listener("tun-encap-1.http", {Internal{"tun-encap-1.http", ""}},
                        plan::TcpProxy{"tun-encap-1.proxy", plan::Tunnel{"t:4"}}),
               listener("tun-encap-1.hop1", {Internal{"tun-encap-1.hop1", ""}},
                        plan::TcpProxy{"tun-encap-1.hop1.proxy", plan::Tunnel{"b:2"}}),
               listener("tun-encap-1.hop2", {Internal{"tun-encap-1.hop2", ""}},
                        plan::TcpProxy{"tun-encap-1.hop2.proxy", plan::Tunnel{"c:3"}}),
               listener("e", {Internal{"e", ""}}, ending("e.to"))},
              {cluster("tun-encap-1.http", Internal{"tun-encap-1.http", ""}),
               cluster("tun-encap-1.hop1.proxy", Internal{"e", ""}, Http::h2),
               cluster("tun-encap-1.hop2.proxy", Internal{"tun-encap-1.hop1", ""}, Http::h1),
               cluster("tun-encap-1.proxy", Internal{"tun-encap-1.hop2", ""}, Http::h2), cluster("e.to", Tcp{"d", 5})});
}

TEST(Line, TunDecapEndsTunnelsAtOnePlace) {
  expect_plan(Program::tun_decap, {"-l", "10001", "--to", "127.0.0.1:80"},
              {listener("tun-decap-10001", {Tcp{"", 10001}}, ending("tun-decap-10001.to"))},
              {cluster("tun-decap-10001.to", Tcp{"127.0.0.1", 80})});
}

TEST(Line, TunDecapAnswersBehindAnInternalListener) {
  const std::vector<std::pair<std::string, plan::Handler>> cases = {
      {"respond:200:Hello, world!", answering(200, "Hello, world!\n")},
      {"echo:", plan::Echo{}},
      {"discard:", plan::Discard{}}};
  for (const auto& [to, handler] : cases) {
    expect_plan(Program::tun_decap, {"-l", "10001", "--to", to},
                {listener("tun-decap-10001", {Tcp{"", 10001}}, ending("tun-decap-10001.to")),
                 listener("tun-decap-10001.to", {Internal{"tun-decap-10001.to", ""}}, handler)},
                {cluster("tun-decap-10001.to", Internal{"tun-decap-10001.to", ""})});
  }
}

TEST(Line, TunDecapGoesWhereRulesAllow) {
  Cluster allowed;
  allowed.name = "d.allow";
  allowed.find = Cluster::Find::request;
  allowed.rules = {{true, "*", 443, 443}, {false, "10.0.0.0/8", 1, 65535}, {true, "db", 5432, 5432}};
  expect_plan(Program::tun_decap,
              {"-l", "3128", "--name", "d", "--allow", "*:443", "--deny", "10.0.0.0/8:1-65535", "--allow", "db:5432"},
              {listener("d", {Tcp{"", 3128}}, ending("d.allow"))}, {allowed});
}

TEST(Line, SettingsReachEveryListenerAndClusterOfTheLine) {
  std::vector<std::string> settings = {"--connect-timeout",
                                       "2s",
                                       "--idle-timeout",
                                       "3s",
                                       "--half-close-timeout",
                                       "4s",
                                       "--max-conns",
                                       "5",
                                       "--buffer",
                                       "6K",
                                       "--access-log",
                                       "-",
                                       "--max-lifetime",
                                       "168h",
                                       "--access-log-format",
                                       "%BYTES_SENT%"};
  const std::vector<std::pair<Program, std::vector<std::string>>> lines = {
      {Program::tcp_chain, {"-l", "1", "-t", "a:1"}},
      {Program::tun_encap, {"-l", "1", "-x", "h1:a:1", "-x", "h1:c:1", "--target", "b:1", "--http"}},
      {Program::tun_decap, {"-l", "1", "--to", "echo:"}},
      {Program::tun_decap, {"-l", "1", "--allow", "a:1"}},
  };
  for (const auto& [program, line] : lines) {
    std::vector<std::string> arguments = line;
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const plan::Plan plan = plan_of(program, arguments);
    ASSERT_FALSE(plan.listeners.empty());
    for (const Listener& made : plan.listeners) {
      EXPECT_EQ(made.idle_timeout, 3s);
      EXPECT_EQ(made.half_close_timeout, 4s);
      EXPECT_EQ(made.buffer_bytes, 6144U);
      EXPECT_EQ(made.access_log, "-");
      EXPECT_EQ(made.access_format, (plan::AccessFormat{"%BYTES_SENT%\n", {}}));
      // A derived listener serves the connections that its line has already counted.
      const bool entry = &made == &plan.listeners.front();
      EXPECT_EQ(made.max_connections, entry ? 5U : 0U) << made.name;
      EXPECT_EQ(made.max_lifetime, entry ? 168h : 0h) << made.name;
    }
    for (const Cluster& made : plan.clusters) EXPECT_EQ(made.connect_timeout, 2s);
  }
}

TEST(Line, TheFormOfAccessLinesIsTextOrAJsonObject) {
  const auto form = [](const std::string& format) {
    return plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--access-log", "-", "--access-log-format", format})
        .listeners.front()
        .access_format;
  };
  EXPECT_EQ(form("100%% %DURATION%"), (plan::AccessFormat{"100%% %DURATION%\n", {}}));
  EXPECT_EQ(form("%DURATION%\n"), (plan::AccessFormat{"%DURATION%\n", {}}));
  const plan::AccessFormat object{"", {{"b", "%DURATION% ms"}, {"a", "", {{"c", "x"}}}}};
  EXPECT_EQ(form(R"({"b": "%DURATION% ms", "a": {"c": "x"}})"), object);
  const test::TemporaryFolder folder;
  const auto file = [&](const std::string& text) {
    std::ofstream(folder / "form") << text;
    return "@" + (folder / "form");
  };
  EXPECT_EQ(form(file("%DURATION%\n")), (plan::AccessFormat{"%DURATION%\n", {}}));
  EXPECT_EQ(form(file("{\"b\": \"%DURATION% ms\",\n \"a\": {\"c\": \"x\"}}\n")), object);
}

// Once for a client: what a line puts in between asks once each time it is asked.
TEST(Line, AttemptsToConnectAreTheRelays) {
  const auto attempts = [](Program program, const std::vector<std::string>& line) {
    std::vector<unsigned> all;
    for (const Listener& made : plan_of(program, line).listeners)
      if (const auto* relay = std::get_if<plan::TcpProxy>(&made.handler)) all.push_back(relay->connect_attempts);
    return all;
  };
  using Counts = std::vector<unsigned>;
  EXPECT_EQ(attempts(Program::tcp_chain, {"-l", "1", "-t", "a:1"}), Counts{1});
  EXPECT_EQ(attempts(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--connect-attempts", "3"}), Counts{3});
  const std::vector<std::string> encap = {
      "-l", "1", "-x", "h1:a:1", "-x", "h1:c:1", "--target", "b:1", "--connect-attempts", "3"};
  EXPECT_EQ(attempts(Program::tun_encap, encap), (Counts{3, 1}));
  std::vector<std::string> parsed = encap;
  parsed.emplace_back("--http");
  EXPECT_EQ(attempts(Program::tun_encap, parsed), (Counts{3, 1}));
}

TEST(Line, StreamsOfAListenerThatSpeaksHttp) {
  const auto streams = [](Program program, const std::vector<std::string>& typed) {
    std::vector<unsigned> found;
    for (const Listener& made : plan_of(program, typed).listeners) {
      const auto* http = std::get_if<plan::HttpProxy>(&made.handler);
      found.push_back(http == nullptr ? 0 : http->streams);
    }
    return found;
  };
  using Found = std::vector<unsigned>;
  EXPECT_EQ(streams(Program::tun_decap, {"-l", "1,streams=7", "--to", "a:1"}), Found{7});
  EXPECT_EQ(streams(Program::tun_decap, {"-l", "1,streams=7", "-l", "unix:/a,streams=7", "--to", "a:1"}), Found{7});
  EXPECT_EQ(streams(Program::tcp_chain, {"-l", "1,streams=7", "-t", "respond:200:x"}), Found{7});
  EXPECT_EQ(streams(Program::tun_encap, {"-l", "1,streams=7", "-x", "h1:a:1", "--target", "b:1", "--http"}),
            (Found{7, 0}));
  EXPECT_EQ(streams(Program::tun_encap, {"-l", "1,streams=7", "-x", "h1:a:1", "--target", "@authority"}),
            (Found{7, 0}));
  // Each name is a listener of its own, and what a line has inside is none of its clients'.
  EXPECT_EQ(streams(Program::tun_decap, {"-l", "1", "-l", "internal:m,streams=9", "--to", "respond:200:x"}),
            (Found{0, 9, 0}));
}

TEST(Line, DefaultsAreThoseOfThePlan) {
  const plan::Plan plan = plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1"});
  EXPECT_EQ(plan.process, plan::Process{});
  EXPECT_EQ(plan.clusters.at(0).connect_timeout, 10s);
  EXPECT_EQ(plan.listeners.at(0).idle_timeout, 1h);
  EXPECT_EQ(plan.listeners.at(0).half_close_timeout, 60s);
  EXPECT_EQ(plan.listeners.at(0).max_lifetime, 0h);
  EXPECT_EQ(plan.listeners.at(0).buffer_bytes, 65536U);
}

TEST(Line, AnIdleTimeMayBeNone) {
  const plan::Plan plan = plan_of(Program::tcp_chain, {"-l", "1", "--idle-timeout", "0", "-t", "a:1"});
  EXPECT_EQ(plan.listeners.at(0).idle_timeout, 0s);
}

struct Refused {
  Program program;
  std::vector<std::string> typed;
  std::string text;
};

TEST(Line, IncompleteAndContradictoryLinesAreRefused) {
  const Program chain = Program::tcp_chain;
  const Program encap = Program::tun_encap;
  const Program decap = Program::tun_decap;
  const std::string open =
      "whoever reaches this address could use the proxy; listen on loopback or add --insecure-open";
  const std::string no_streams =
      "streams are HTTP/2's, and here bytes are relayed as they come; leave it out (a tun-encap with --http has them)";
  const std::vector<Refused> cases = {
      {chain, {}, "nothing to listen on; add -l PORT\ntcp-chain: nowhere to connect to; add -t HOST:PORT"},
      {chain, {"-t", "a:1"}, "nothing to listen on; add -l PORT"},
      {chain, {"-l", "1"}, "nowhere to connect to; add -t HOST:PORT"},
      {chain,
       {"-l", "1", "-t", "a:1", "--half-close-timeout", "0"},
       "--half-close-timeout '0': give a time from 1ms to 8760h"},
      {chain,
       {"-l", "1", "-t", "a:1", "-t", "echo:"},
       "-t 'echo:': an answer given on the spot never fails, so it stands alone; leave out the other -t"},
      {decap,
       {"-l", "1", "--to", "respond:200:x", "--to", "a:1"},
       "-t 'respond:200:x': an answer given on the spot never fails, so it stands alone; leave out the other -t"},
      {chain,
       {"-l", "1", "-t", "a:1", "-t", "b:1", "-t", "a:1"},
       "-t 'a:1': this address is given twice; give it once"},
      {chain,
       {"-l", "1", "-t", "a:1", "-t", "b:1", "--lb", "lest"},
       "--lb 'lest': give round-robin, least or first, did you mean least?"},
      {chain,
       {"-l", "1", "-t", "a:1", "--lb", "least"},
       "--lb chooses among several -t; give another -t or leave it out"},
      {chain,
       {"-l", "1", "-t", "echo:", "--lb", "least"},
       "--lb chooses among several -t; give another -t or leave it out"},
      {decap,
       {"-l", "1", "--allow", "a:1", "--lb", "first"},
       "--lb chooses among several -t; give another -t or leave it out"},
      {encap, {"-l", "1", "--target", "a:1"}, "no proxy is named; add -x h2c:HOST:PORT or -x h1:HOST:PORT"},
      {encap, {"-l", "1", "-x", "h1:a:1"}, "no target is named; add --target HOST:PORT"},
      {encap,
       {"-l", "1", "-x", "h1:a:1", "-x", "h2c+internal:b", "--target", "a:1"},
       "-x 'h2c+internal:b': the proxy before it can connect to HOST:PORT only; name that, or put this one first"},
      {encap,
       {"-l", "1", "-x", "h1:a:1", "-x", "h1:[fe80::1%eth0]:1", "--target", "a:1"},
       "-x 'h1:[fe80::1%eth0]:1': the zone of an IPv6 address means nothing to the proxy; leave it out"},
      {decap,
       {"-l", "1"},
       "nowhere to send tunnels to; add --to HOST:PORT for one place, or --allow HOST:PORT for what clients ask"},
      {decap, {"-l", "1", "--to", "a:1", "--allow", "a:1"}, "--allow and --to exclude each other; give one of them"},
      {decap, {"-l", "1", "--deny", "a:1"}, "--deny makes exceptions from --allow; add --allow RULE or leave it out"},
      {decap,
       {"-l", "1", "--to", "a:1", "--deny", "a:1"},
       "--deny makes exceptions from --allow; add --allow RULE or leave it out"},
      {decap, {"-l", "*:1", "--to", "a:1"}, "-l '*:1': " + open},
      {decap, {"-l", "1", "-l", "10.0.0.1:1", "--allow", "a:1"}, "-l '10.0.0.1:1': " + open},
      {decap, {"-l", "0.0.0.0:1", "--allow", "a:1"}, "-l '0.0.0.0:1': " + open},
      {decap, {"-l", "[::]:1", "--allow", "a:1"}, "-l '[::]:1': " + open},
      {chain,
       {"-l", "1", "-l", "-", "-t", "a:1"},
       "-l '-': standard input and output stand alone on a line; put the other -l on a line of its own, under tun-run"},
      {chain,
       {"-l", "1", "-t", "-"},
       "-t '-': standard input and output can only be listened on (-l -); write HOST:PORT or internal:NAME"},
      {chain,
       {"-l", "internal:a", "--name", "b", "-t", "a:1"},
       "--name 'b': a line that listens on internal:a is called a; leave out --name"},
      {chain,
       {"-l", "1", "--name", "a/b", "-t", "a:1"},
       "--name 'a/b': '/' cannot be part of a name; use letters, digits, '-', '_' and '.'"},
      {chain, {"-l", "1", "-t", "a:1", "--max-lifetime", "0"}, "--max-lifetime '0': give a time from 1ms to 8760h"},
      {chain, {"-l", "1,streams=5", "-t", "a:1"}, "-l 'streams=5': " + no_streams},
      {chain, {"-l", "1,streams=5", "-t", "echo:"}, "-l 'streams=5': " + no_streams},
      {encap, {"-l", "1,streams=5", "-x", "h2c:a:1", "--target", "b:1"}, "-l 'streams=5': " + no_streams},
      {decap,
       {"-l", "1,streams=5", "-l", "2", "--to", "a:1"},
       "-l '2': the sockets of a line are one listener; give the same streams= with each, or another line"},
      {chain,
       {"-l", "1", "-t", "a:1", "--max-lifetime", "soon"},
       "--max-lifetime 'soon': give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds"},
      {chain, {"-l", "1", "-t", "a:1", "--max-conns", "0"}, "--max-conns '0': give a number from 1 to 10000000"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", ""},
       "--access-log '': give a file name, or - for standard output"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log-format", "%DURATION%"},
       "--access-log-format is for the lines of --access-log; add that or leave it out"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", "-", "--access-log-format", "%DURATON%"},
       "--access-log-format '%DURATON%': '%DURATON%' is not supported by this version, did you mean DURATION?"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", "-", "--access-log-format", ""},
       "--access-log-format '': give text with operators, as '%START_TIME% %BYTES_SENT%', or a JSON object"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", "-", "--access-log-format", "{\"a\": 1}"},
       "--access-log-format '{\"a\": 1}': the field 'a' is no text and no object"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", "-", "--access-log-format", "{\"a\": {}}"},
       "--access-log-format '{\"a\": {}}': an object has a field or more"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", "-", "--access-log-format", "{x"},
       "--access-log-format '{x': what begins with { is a JSON object, and this is none"},
      {chain,
       {"-l", "1", "-t", "a:1", "--connect-attempts", "0"},
       "--connect-attempts '0': give a number from 1 to 100"},
      {chain,
       {"-l", "1", "-t", "echo:", "--connect-attempts", "2"},
       "--connect-attempts '2': an answer given on the spot never fails; leave it out"},
      {decap,
       {"-l", "1", "--allow", "a:1", "--connect-attempts", "2"},
       "--connect-attempts is an option of tun-encap, tcp-chain, not of tun-decap; leave it out"},
  };
  for (const Refused& each : cases) {
    const Typed typed = type(each.program, each.typed);
    EXPECT_EQ(typed.status, 64) << testing::PrintToString(each.typed);
    EXPECT_EQ(typed.err, usage_error(each.program, each.text));
  }
}

TEST(Line, IsCalledAfterItsFirstSocket) {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"unix:/run/app.sock", "tcp-chain-app"},
      {"unix:@a b/c", "tcp-chain-c"},
      {"unix:/run/a b", "tcp-chain-a-b"},
      {"unix:" + std::string(90, 'x'), "tcp-chain-" + std::string(64, 'x')},
      {"fd:3", "tcp-chain-fd3"},
      {"systemd:web.socket", "tcp-chain-web.socket"},
      {"systemd:a/b", "tcp-chain-a-b"},
  };
  for (const auto& [listen, name] : names)
    EXPECT_EQ(plan_of(Program::tcp_chain, {"-l", listen, "-t", "a:1"}).listeners.at(0).name, name);
  const plan::Plan plan = plan_of(Program::tcp_chain, {"-l", "unix:/run/b", "-l", "9999", "-t", "a:1"});
  EXPECT_EQ(plan.listeners.at(0).name, "tcp-chain-b");
  EXPECT_EQ(plan.listeners.at(0).addresses.size(), 2U);
}

TEST(Line, AnInheritedSocketOfAProxyIsJudgedWhenItIsSeen) {
  const auto beyond_loopback = [](Program program, std::vector<std::string> typed) {
    const plan::Plan plan = plan_of(program, typed);
    return std::get<plan::Inherited>(plan.listeners.at(0).addresses.at(0)).beyond_loopback;
  };
  EXPECT_TRUE(beyond_loopback(Program::tcp_chain, {"-l", "fd:3", "-t", "a:1"}));
  EXPECT_FALSE(beyond_loopback(Program::tun_decap, {"-l", "fd:3", "--allow", "a:1"}));
  EXPECT_FALSE(beyond_loopback(Program::tun_decap, {"-l", "systemd:x", "--to", "a:1"}));
  EXPECT_TRUE(beyond_loopback(Program::tun_decap, {"-l", "fd:3", "--allow", "a:1", "--insecure-open"}));
}

TEST(Line, AUnixSocketIsNoMoreOpenThanLoopback) {
  plan_of(Program::tun_decap, {"-l", "unix:/run/px.sock,mode=666", "-l", "unix:@px", "--allow", "a:1"});
}

TEST(Line, InsecureOpenListensEverywhere) {
  const plan::Plan plan = plan_of(Program::tun_decap, {"-l", "*:1", "--allow", "a:1", "--insecure-open"});
  EXPECT_TRUE(plan.listeners.at(0).addresses.at(0) == plan::Address(Tcp{"*", 1}));
  plan_of(Program::tun_decap, {"-l", "127.0.0.9:1", "-l", "[::1]:1", "-l", "internal:x", "--allow", "a:1"});
}

}  // namespace
}  // namespace tunnel::config
