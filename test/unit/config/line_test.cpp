// SPDX-License-Identifier: Apache-2.0
// What each line becomes, compared as a Plan.
#include "config/line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

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
  std::vector<std::string> settings = {"--connect-timeout", "2s", "--idle-timeout", "3s", "--half-close-timeout", "4s",
                                       "--max-conns",       "5",  "--buffer",       "6K", "--access-log",         "-"};
  const std::vector<std::pair<Program, std::vector<std::string>>> lines = {
      {Program::tcp_chain, {"-l", "1", "-t", "a:1"}},
      {Program::tun_encap, {"-l", "1", "-x", "h1:a:1", "--target", "b:1", "--http"}},
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
      // A derived listener serves the connections that its line has already counted.
      EXPECT_EQ(made.max_connections, &made == &plan.listeners.front() ? 5U : 0U) << made.name;
    }
    for (const Cluster& made : plan.clusters) EXPECT_EQ(made.connect_timeout, 2s);
  }
}

TEST(Line, DefaultsAreThoseOfThePlan) {
  const plan::Plan plan = plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1"});
  EXPECT_EQ(plan.process, plan::Process{});
  EXPECT_EQ(plan.clusters.at(0).connect_timeout, 10s);
  EXPECT_EQ(plan.listeners.at(0).idle_timeout, 1h);
  EXPECT_EQ(plan.listeners.at(0).half_close_timeout, 60s);
  EXPECT_EQ(plan.listeners.at(0).buffer_bytes, 65536U);
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
  const std::vector<Refused> cases = {
      {chain, {}, "nothing to listen on; add -l PORT"},
      {chain, {"-t", "a:1"}, "nothing to listen on; add -l PORT"},
      {chain, {"-l", "1"}, "nowhere to connect to; add -t HOST:PORT"},
      {encap, {"-l", "1", "--target", "a:1"}, "no proxy is named; add -x h2c:HOST:PORT or -x h1:HOST:PORT"},
      {encap, {"-l", "1", "-x", "h1:a:1"}, "no target is named; add --target HOST:PORT"},
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
       {"-l", "internal:a", "--name", "b", "-t", "a:1"},
       "--name 'b': a line that listens on internal:a is called a; leave out --name"},
      {chain,
       {"-l", "1", "--name", "a/b", "-t", "a:1"},
       "--name 'a/b': '/' cannot be part of a name; use letters, digits, '-', '_' and '.'"},
      {chain, {"-l", "1", "-t", "a:1", "--max-conns", "0"}, "--max-conns '0': give a number from 1 to 10000000"},
      {chain,
       {"-l", "1", "-t", "a:1", "--access-log", ""},
       "--access-log '': give a file name, or - for standard output"},
  };
  for (const Refused& each : cases) {
    const Typed typed = type(each.program, each.typed);
    EXPECT_EQ(typed.status, 64) << testing::PrintToString(each.typed);
    EXPECT_EQ(typed.err, usage_error(each.program, each.text));
  }
}

TEST(Line, InsecureOpenListensEverywhere) {
  const plan::Plan plan = plan_of(Program::tun_decap, {"-l", "*:1", "--allow", "a:1", "--insecure-open"});
  EXPECT_TRUE(plan.listeners.at(0).addresses.at(0) == plan::Address(Tcp{"*", 1}));
  plan_of(Program::tun_decap, {"-l", "127.0.0.9:1", "-l", "[::1]:1", "-l", "internal:x", "--allow", "a:1"});
}

}  // namespace
}  // namespace tunnel::config
