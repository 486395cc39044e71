// SPDX-License-Identifier: Apache-2.0
// %REQUESTED_SERVER_NAME%: what the ClientHello of a TLS client names, which travels on as it came.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tls_hello.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using namespace std::chrono_literals;
using plan::Http;
using test::both_ways;
using test::HttpServer;
using test::Seen;
using test::tls_hello;
using test::World;

constexpr const char* kProxy = "10.0.0.2:3128";
constexpr const char* kByName = "%REQUESTED_SERVER_NAME%:443";

plan::TcpProxy& tunnelling(plan::Plan& plan) {
  for (plan::Listener& listener : plan.listeners)
    if (auto* to = std::get_if<plan::TcpProxy>(&listener.handler); to != nullptr && to->tunnel) return *to;
  throw std::out_of_range("no tunnel");
}

// tunnel_plan() behind `hops` more, whose tunnel goes to the server its client names.
plan::Plan plan_by_name(unsigned hops = 0, const std::string& target = kByName) {
  plan::Plan plan = test::tunnel_plan(Http::h1, hops, target);
  tunnelling(plan).tls_inspector = true;
  return plan;
}

// "front" asks for the tunnel itself.
plan::Plan one_listener() {
  plan::Plan plan;
  plan::TcpProxy relay{"proxy", plan::Tunnel{kByName}};
  relay.tls_inspector = true;
  plan.listeners.push_back(test::tcp_listener("tcp", 9000, relay));
  plan.clusters.push_back(test::to_tcp("proxy", "10.0.0.2", 3128));
  return plan;
}

std::string why(const World& world) {
  const std::vector<AccessRecord>& all = world.records.all;
  const auto found =
      std::find_if(all.begin(), all.end(), [](const AccessRecord& record) { return static_cast<bool>(record.error); });
  return found == all.end() ? "" : std::string(found->error.text());
}

std::string authorities(const HttpServer& proxy) {
  std::string text;
  for (const http::RequestHead& head : proxy.requests()) text += (text.empty() ? "" : " ") + head.authority;
  return text;
}

struct ServerName : testing::Test {
  explicit ServerName(const plan::Plan& plan = one_listener()) : world(plan), client(world.client("tcp")) {
    EXPECT_TRUE(plan::check(plan).empty());
  }
  ~ServerName() override {
    client->reset();
    world.loop.run();
  }
  void send(const std::string& bytes) {
    client->send_text(bytes);
    world.loop.run();
  }
  World world;
  HttpServer proxy{world, kProxy, Http::h1, &test::echo_tunnel};
  std::unique_ptr<test::Peer> client;
};

TEST_F(ServerName, OfAHelloInPiecesIsTheTargetAndTheHelloGoesThere) {
  const std::string hello = tls_hello("Db.Example");
  for (std::size_t at = 0; at < hello.size(); ++at) {
    EXPECT_TRUE(proxy.requests().empty()) << at;
    send(hello.substr(at, 1));
  }
  EXPECT_EQ(authorities(proxy), "db.example:443");
  send("more");
  EXPECT_EQ(client->received(), hello + "more");
}

TEST_F(ServerName, IsInTheRecordOfTheConnection) {
  send(tls_hello("db.example"));
  client->fin();
  world.loop.run();
  ASSERT_EQ(world.records.all.size(), 1U);
  EXPECT_EQ(world.records.all.front().server_name, "db.example");
}

TEST_F(ServerName, OfAClientThatSendsAndClosesAtOnce) {
  const std::string sent = tls_hello("db.example") + "bye";
  client->send_text(sent);
  client->fin();
  world.loop.run();
  EXPECT_EQ(authorities(proxy), "db.example:443");
  EXPECT_EQ(client->received(), sent);
  EXPECT_TRUE(client->ended());
}

TEST_F(ServerName, WhoNamesNoneIsToldWhatIsMissing) {
  send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_TRUE(proxy.requests().empty());
  EXPECT_TRUE(
      why(world).ends_with("the target %REQUESTED_SERVER_NAME%:443 lacks its host: no TLS ClientHello came that "
                           "names a server (SNI)"))
      << why(world);
}

TEST_F(ServerName, ASilentClientIsCutAtTheTimeOfAHead) {
  send(tls_hello("db.example").substr(0, 100));
  world.loop.advance(world.limits.head_time - 1ms);
  EXPECT_EQ(client->fate(), "open");
  world.loop.advance(1ms);
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.count(Counter::head_timeouts), 1U);
  EXPECT_EQ(why(world), "no whole TLS ClientHello came in time (--limit head-time)");
}

TEST_F(ServerName, AHelloWithoutAnEndIsCutAtItsLimit) {
  const std::string hello = tls_hello("db.example", 20000);
  send(hello.substr(0, world.limits.hello_bytes - 1));
  EXPECT_EQ(client->fate(), "open");
  send(hello.substr(world.limits.hello_bytes - 1));
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.count(Counter::hellos_too_large), 1U);
  EXPECT_EQ(world.count(Counter::head_timeouts), 0U);
  EXPECT_EQ(why(world), "its TLS ClientHello is too long (--limit hello)");
}

TEST_F(ServerName, AClientThatResetsWhileItIsReadIsForgotten) {
  send(tls_hello("db.example").substr(0, 100));
  client->reset();
  world.loop.run();
  EXPECT_EQ(world.open_gauges(), "");
}

TEST_F(ServerName, TheEndOfTheProgramDoesNotWaitForIt) {
  send(tls_hello("db.example").substr(0, 100));
  world.end();
  EXPECT_EQ(client->fate(), "reset");
  EXPECT_EQ(world.open_gauges(), "");
}

// The hello is not whole: what came of it goes on, and behind it the end (envoyproxy/envoy#36197).
TEST(ServerNameHeader, WithoutAWholeHelloTheFieldIsLeftOutAndNothingIsLost) {
  plan::Plan plan = one_listener();
  tunnelling(plan).tunnel =
      plan::Tunnel{"host.com:443", false, "/", {{"x-sni", "%REQUESTED_SERVER_NAME%", false, true}}};
  for (const std::string& text : {std::string(), tls_hello("db.example").substr(0, 100), std::string("hello")}) {
    World world(plan);
    HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
    auto client = world.client("tcp");
    if (!text.empty()) client->send_text(text);
    client->fin();
    world.loop.run();
    ASSERT_EQ(proxy.requests().size(), 1U);
    EXPECT_FALSE(proxy.requests().front().fields.contains("x-sni"));
    EXPECT_EQ(client->received(), text);
    EXPECT_TRUE(client->ended());
  }
}

// As in Envoy without its filter tls_inspector: nobody waits for a hello, and nobody knows a name.
TEST(ServerNameHeader, WithoutTheInspectorThereIsNone) {
  plan::Plan plan = one_listener();
  plan::TcpProxy& relay = tunnelling(plan);
  relay.tls_inspector = false;
  relay.tunnel = plan::Tunnel{"host.com:443", false, "/", {{"x-sni", "is %REQUESTED_SERVER_NAME%", false, true}}};
  World world(plan);
  HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
  auto client = world.client("tcp");
  world.loop.run();
  ASSERT_EQ(proxy.requests().size(), 1U);
  EXPECT_EQ(*proxy.requests().front().fields.find("x-sni"), "is");
  client->send_text(tls_hello("db.example"));
  client->fin();
  world.loop.run();
  EXPECT_EQ(world.records.all.back().server_name, "");
}

// Who accepts looks, and the answer of the hop waits for no byte of it.
TEST(ServerNameInside, TravelsOverHops) {
  for (const unsigned hops : {0U, 3U}) {
    const test::Outcome outcome = both_ways(plan_by_name(hops), [](World& world, Seen& seen) {
      HttpServer proxy(world, kProxy, Http::h1, &test::echo_tunnel);
      auto client = world.client("tcp");
      world.loop.run();
      seen.push_back(std::to_string(proxy.requests().size()));
      const std::string hello = tls_hello("db.example");
      client->send_text(hello);
      world.loop.run();
      seen.push_back(authorities(proxy));
      seen.push_back(client->received() == hello ? "back" : "lost");
      client->fin();
      world.loop.run();
      for (const AccessRecord& record : world.records.all)
        if (!record.server_name.empty()) seen.push_back(std::string(record.listener) + " " + record.server_name);
    });
    EXPECT_EQ(outcome.seen, (Seen{"0", "db.example:443", "back", "encap db.example"})) << hops;
  }
}

// A request has none: the listener that parses it does not look, and the one behind it waits for nobody.
TEST(ServerNameInside, OfARequestThereIsNone) {
  World world(plan_by_name());
  auto client = world.client("http");
  client->send_text("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  world.loop.run();
  EXPECT_TRUE(client->received().starts_with("HTTP/1.1 502 ")) << client->received();
  client->reset();
  world.loop.run();
}

// A tunnel in a tunnel, the outer one of which says the client's name (envoyproxy/envoy#35711).
TEST(ServerNameInside, PooledConnectionsOfOneNameServeNoOther) {
  plan::Plan plan = plan_by_name(0, "example.com:80");
  tunnelling(plan).tunnel->headers = {{"x-sni", "%REQUESTED_SERVER_NAME%", false, true}};
  for (plan::Listener& listener : plan.listeners)
    if (listener.name == "tcp") listener.handler = plan::TcpProxy{"in", plan::Tunnel{"inner.example:443"}};
  for (plan::Cluster& cluster : plan.clusters)
    if (cluster.name == "in") cluster.protocol = Http::h2;
  ASSERT_TRUE(plan::check(plan).empty());
  World world(plan);
  test::join_tunnel(world);
  HttpServer inner(world, test::kOrigin, Http::h2, &test::echo_tunnel);
  std::vector<std::unique_ptr<test::Peer>> clients;
  for (const char* name : {"a.example", "b.example", "a.example"}) {
    const std::string hello = tls_hello(name);
    clients.push_back(world.client("tcp"));
    clients.back()->send_text(hello);
    world.loop.run();
    EXPECT_EQ(clients.back()->received(), hello);
  }
  EXPECT_EQ(inner.requests().size(), 3U);
  EXPECT_EQ(world.network.at(kProxy).attempts, 2U);
  for (auto& client : clients) client->reset();
  world.loop.run();
}

}  // namespace
}  // namespace tunnel
