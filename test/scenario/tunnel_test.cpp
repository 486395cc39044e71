// SPDX-License-Identifier: Apache-2.0
// CONNECT tunnels between our own encap and decap, over HTTP/1.1 and HTTP/2, with and without internal hops before
// them.
#include <gtest/gtest.h>

#include <string>

#include "support/both_ways.hpp"
#include "support/endings.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Answer;
using test::both_ways;
using test::CompareBytes;
using test::HttpClient;
using test::HttpServer;
using test::kOrigin;
using test::Outcome;
using test::Peer;
using test::saw;
using test::Seen;
using test::World;

constexpr std::uint64_t kMiB = 1 << 20;

struct Way {
  plan::Http version;
  unsigned hops;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << (way.version == plan::Http::h1 ? "h1, " : "h2, ") << way.hops << " hops";
}

class Tunnel : public testing::TestWithParam<Way> {
 protected:
  plan::Plan plan() const { return test::tunnel_plan(GetParam().version, GetParam().hops); }
};

INSTANTIATE_TEST_SUITE_P(Over, Tunnel,
                         testing::Values(Way{plan::Http::h1, 0}, Way{plan::Http::h1, 3}, Way{plan::Http::h2, 0},
                                         Way{plan::Http::h2, 1}, Way{plan::Http::h2, 3}),
                         [](const auto& one) {
                           return test::version_name(one.param.version) + "Hops" + std::to_string(one.param.hops);
                         });

TEST_P(Tunnel, CarriesBytesBothWaysAndEndsInOrder) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    test::join_tunnel(world);
    world.network.at(kOrigin);
    auto client = world.client("tcp");
    client->send(200'000);
    world.loop.run();
    Peer& server = world.network.peer(kOrigin);
    server.send(300'000);
    world.loop.run();
    client->fin();
    world.loop.run();
    EXPECT_TRUE(server.ended());
    EXPECT_FALSE(client->ended());
    server.send_and_fin(5 * kMiB);
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
    EXPECT_EQ(world.count(Counter::linger_cut), 0U);
  });
  EXPECT_EQ(outcome.seen, (Seen{"client 5542880 end", "server 200000 end"}));
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" ok/0 "), std::string::npos) << line;
}

TEST_P(Tunnel, TheServerMayEndFirst) {
  EXPECT_EQ(both_ways(plan(), test::server_ends_first("tcp", &test::join_tunnel)).seen, test::kServerEndedFirst);
}

TEST_P(Tunnel, AResetPassesBothWays) {
  for (const bool by_client : {true, false}) {
    const Outcome outcome = both_ways(plan(), test::one_resets(by_client, "tcp", &test::join_tunnel), CompareBytes::no);
    EXPECT_EQ(outcome.seen, test::kOneReset) << by_client;
  }
}

TEST_P(Tunnel, NothingOfTheClientLeavesBeforeTheTunnelStands) {
  both_ways(plan(), [](World& world, Seen&) {
    test::join_tunnel(world);
    world.network.at(kOrigin).delay = seconds(2);
    auto client = world.client("tcp");
    client->send(60'000);
    world.loop.advance(milliseconds(1999));
    EXPECT_TRUE(world.network.at(kOrigin).peers.empty());
    EXPECT_EQ(client->fate(), "open");
    world.loop.advance(milliseconds(1));
    EXPECT_EQ(world.network.peer(kOrigin).received().size(), 60'000U);
  });
}

TEST_P(Tunnel, AClientThatLeavesWhileItConnectsIsGivenUpAtTheFarEnd) {
  both_ways(
      plan(),
      [](World& world, Seen&) {
        test::join_tunnel(world);
        world.network.at(kOrigin).silent = true;
        auto client = world.client("tcp");
        world.loop.advance(seconds(1));
        client->reset();
        world.loop.advance(seconds(1));
        EXPECT_EQ(world.network.at(kOrigin).abandoned, 1U);
      },
      CompareBytes::no);
}

TEST_P(Tunnel, AGetThroughIt) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    test::join_tunnel(world);
    HttpServer origin(world, kOrigin, plan::Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
      Task<void> replying = test::reply(exchange, 200, "hello through a tunnel");
      co_await replying;
    });
    HttpClient client(world, plan::Http::h1, world.dial("http"));
    for (int i = 0; i < 3; ++i) {
      auto asking = client.ask(test::get("example.com", "/hello?n=" + std::to_string(i)));
      world.loop.run();
      ASSERT_TRUE(asking.done());
      const Answer answer = asking.value();
      seen.push_back(std::to_string(answer.head.status) + " " + answer.body);
    }
    // Keep-alive all the way: one tunnel, one connection at the origin.
    seen.push_back(std::to_string(origin.connections()));
    EXPECT_EQ(origin.requests().size(), 3U);
    if (origin.requests().size() == 3) {
      EXPECT_EQ(origin.requests()[2].path, "/hello?n=2");
    }
    if (!origin.requests().empty()) {
      EXPECT_EQ(origin.requests()[0].authority, "example.com");
    }
  });
  EXPECT_EQ(outcome.seen,
            (Seen{"200 hello through a tunnel", "200 hello through a tunnel", "200 hello through a tunnel", "1"}));
}

TEST_P(Tunnel, EightMebibytesEachWayAtOnceThroughSmallBuffers) {
  plan::Plan small = plan();
  for (plan::Listener& listener : small.listeners) listener.buffer_bytes = 4096;
  const Outcome outcome = both_ways(small, [](World& world, Seen& seen) {
    test::join_tunnel(world);
    world.network.pair_bytes(4096);
    world.client_pair_bytes = 4096;
    HttpServer origin(world, kOrigin, plan::Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
      // Echoes while it reads: neither body may wait for the other.
      const http::ResponseHead head{200, {}};
      Result<void> sent = co_await exchange.respond(head, http::Body::of(8 * kMiB));
      Buffer buffer;
      while (sent.ok()) {
        Result<std::size_t> n = co_await exchange.read(buffer, 65536);
        if (!n.ok() || *n == 0) break;
        sent = co_await exchange.write(buffer);
      }
      if (sent.ok()) sent = co_await exchange.shutdown_write();
    });
    HttpClient client(world, plan::Http::h1, world.dial("http"));
    const std::string body = test::pattern(0, 8 * kMiB);
    auto asking = client.ask(test::get("example.com", "/", "POST"), body);
    world.loop.run();
    ASSERT_TRUE(asking.done());
    const Answer answer = asking.value();
    seen = {std::to_string(answer.head.status), answer.body == body ? "intact" : "damaged",
            answer.ended ? "end" : "cut"};
  });
  EXPECT_EQ(outcome.seen, (Seen{"200", "intact", "end"}));
}

TEST_P(Tunnel, ManyAtOnce) {
  both_ways(plan(), [](World& world, Seen&) {
    test::join_tunnel(world);
    world.network.at(kOrigin);
    std::vector<std::unique_ptr<Peer>> clients;
    for (int i = 0; i < 30; ++i) clients.push_back(world.client("tcp"));
    world.loop.run();
    ASSERT_EQ(world.network.at(kOrigin).peers.size(), 30U);
    for (auto& client : clients) client->send_and_fin(100'000);
    world.loop.run();
    for (auto& server : world.network.at(kOrigin).peers) {
      EXPECT_EQ(server->received().size(), 100'000U);
      EXPECT_TRUE(server->pattern_intact());
      EXPECT_TRUE(server->ended());
      server->fin();
    }
    world.loop.run();
    for (auto& client : clients) EXPECT_TRUE(client->ended());
  });
}

// test/RULES.md 1.6 over a tunnel: what decap itself answers, what an HTTP client in front of encap reads, what a TCP
// client sees.
struct Refusal {
  const char* name;
  std::string target;
  std::function<void(World&)> arrange;
  Duration takes;
  std::uint16_t status;        // of decap
  std::string proxy_status;    // of decap
  std::uint16_t front_status;  // of encap's HTTP front
  std::string front_proxy_status;
};

struct RefusalCase {
  Refusal refusal;
  Way way;
};

void PrintTo(const RefusalCase& c, std::ostream* out) { *out << c.refusal.name; }

class RefusedTunnel : public testing::TestWithParam<RefusalCase> {};

TEST_P(RefusedTunnel, TellsEachClientTheCause) {
  const Refusal& refusal = GetParam().refusal;
  const plan::Plan plan = test::tunnel_plan(GetParam().way.version, GetParam().way.hops, refusal.target);
  const Outcome outcome = both_ways(plan, [&](World& world, Seen& seen) {
    test::join_tunnel(world);
    refusal.arrange(world);
    HttpClient direct(world, GetParam().way.version, world.dial("decap"));
    auto tunnel = direct.ask(test::connect_request(refusal.target));
    HttpClient front(world, plan::Http::h1, world.dial("http"));
    auto request = front.ask(test::get("example.com"));
    auto tcp = world.client("tcp");
    world.loop.advance(refusal.takes);
    ASSERT_TRUE(tunnel.done() && request.done());
    for (auto* asked : {&tunnel, &request}) {
      const Answer answer = asked->value();
      seen.push_back(std::to_string(answer.head.status) + " " + answer.field("proxy-status"));
      EXPECT_EQ(answer.body.find("10.0.0"), std::string::npos) << answer.body;  // no topology
    }
    EXPECT_TRUE(tcp->failed());
    EXPECT_EQ(tcp->received(), "");
  });
  EXPECT_EQ(outcome.seen, (Seen{std::to_string(refusal.status) + " " + refusal.proxy_status,
                                std::to_string(refusal.front_status) + " " + refusal.front_proxy_status}));
}

std::vector<RefusalCase> refusal_cases() {
  const auto nothing = [](World&) {};
  const std::vector<Refusal> refusals{
      {"NameDenied",
       "denied.example.org:80",
       nothing,
       {},
       403,
       "tunnel; error=http_request_denied",
       502,
       "tunnel; error=http_request_denied; received-status=403"},
      {"AddressDenied",
       "rebind.example.net:80",
       [](World& world) { world.network.name("rebind.example.net", {"127.0.0.1"}); },
       {},
       403,
       "tunnel; error=destination_ip_prohibited",
       502,
       "tunnel; error=destination_ip_prohibited; received-status=403"},
      {"OwnPort",
       "10.9.9.9:9002",
       [](World& world) { world.shared.own_addresses.push_back(*SocketAddress::from_literal("10.9.9.9", 9002)); },
       {},
       403,
       "tunnel; error=destination_ip_prohibited",
       502,
       "tunnel; error=destination_ip_prohibited; received-status=403"},
      {"NoSuchName",
       "nowhere.example.net:80",
       nothing,
       {},
       502,
       "tunnel; error=dns_error;rcode=\"NXDOMAIN\"",
       502,
       "tunnel; error=dns_error; received-status=502"},
      // An answer with no code of its own, such as "no address for this name".
      {"NameWithoutAddress",
       "mail.example.net:80",
       [](World& world) { world.network.broken_name("mail.example.net", Error(Error::Kind::dns, "no address")); },
       {},
       502,
       "tunnel; error=dns_error",
       502,
       "tunnel; error=dns_error; received-status=502"},
      {"SilentNameServer", "slow.example.net:80", [](World& world) { world.network.silent_name("slow.example.net"); },
       seconds(10), 504, "tunnel; error=dns_timeout", 502, "tunnel; error=dns_timeout; received-status=504"},
      {"Refused",
       "example.com:80",
       nothing,
       {},
       502,
       "tunnel; error=connection_refused",
       502,
       "tunnel; error=connection_refused; received-status=502"},
      {"ConnectTimeout", "example.com:80", [](World& world) { world.network.at(kOrigin).silent = true; }, seconds(10),
       504, "tunnel; error=connection_timeout", 502, "tunnel; error=connection_timeout; received-status=504"},
      {"NoRoute",
       "example.com:80",
       [](World& world) { world.network.at(kOrigin).refusal = Error(Error::Kind::unreachable, "no route"); },
       {},
       502,
       "tunnel; error=destination_ip_unroutable",
       502,
       "tunnel; error=destination_ip_unroutable; received-status=502"},
      {"OutOfDescriptors",
       "example.com:80",
       [](World& world) { world.network.at(kOrigin).refusal = Error(Error::Kind::internal, "EMFILE"); },
       {},
       503,
       "tunnel; error=proxy_internal_error",
       502,
       "tunnel; error=proxy_internal_error; received-status=503"},
  };
  std::vector<RefusalCase> cases;
  for (const Refusal& refusal : refusals)
    for (const plan::Http version : {plan::Http::h1, plan::Http::h2})
      for (const unsigned hops : {0U, 1U, 3U}) cases.push_back({refusal, {version, hops}});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Rows, RefusedTunnel, testing::ValuesIn(refusal_cases()), [](const auto& one) {
  return std::string(one.param.refusal.name) + test::version_name(one.param.way.version) + "Hops" +
         std::to_string(one.param.way.hops);
});

TEST_P(Tunnel, ADeadProxyIsTheFrontsOwnCause) {
  const Outcome outcome = both_ways(plan(), [](World& world, Seen& seen) {
    HttpClient front(world, plan::Http::h1, world.dial("http"));  // nobody at 10.0.0.2:3128
    auto refused = front.ask(test::get("example.com"));
    world.loop.run();
    world.network.at("10.0.0.2:3128").silent = true;
    auto late = front.ask(test::get("example.com"));
    world.loop.advance(seconds(20));
    ASSERT_TRUE(refused.done() && late.done());
    for (auto* asked : {&refused, &late}) {
      const Answer answer = asked->value();
      seen.push_back(std::to_string(answer.head.status) + " " + answer.field("proxy-status"));
    }
  });
  EXPECT_EQ(outcome.seen, (Seen{"502 tunnel; error=connection_refused", "504 tunnel; error=connection_timeout"}));
}

}  // namespace
}  // namespace tunnel
