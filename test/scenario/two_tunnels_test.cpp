// SPDX-License-Identifier: Apache-2.0
// What `tun-encap -x A -x B` makes of its line: a CONNECT inside a CONNECT, in every mix of HTTP versions, between our
// own encap and two or three of our own decaps.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/both_ways.hpp"
#include "support/endings.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
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

using Versions = std::vector<Http>;  // of the proxies, the first -x first

std::string proxy_address(std::size_t n) { return "10.0.0." + std::to_string(2 + n) + ":3128"; }

// "tcp" (9000) and "http" (9001), which tunnel to `target` through one decap after the other; "decap0" and the others
// connect to example.com and 10.0.0.0/8.
plan::Plan plan_of(const Versions& versions, const std::string& target = "example.com:80") {
  plan::Plan plan;
  plan.listeners.push_back(test::tcp_listener("tcp", 9000, plan::TcpProxy{"e.proxy", plan::Tunnel{target}}));
  plan.listeners.push_back(test::route_all(test::tcp_listener("http", 9001, plan::HttpProxy{}), "e.http"));
  plan.listeners.push_back(test::internal_listener("e.http", plan::TcpProxy{"e.proxy", plan::Tunnel{target}}));
  plan.clusters.push_back(test::to_internal("e.http", "e.http"));
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const std::string hop = "e.hop" + std::to_string(i + 1);
    const bool last = i + 1 == versions.size();
    const std::string cluster = last ? "e.proxy" : hop + ".proxy";
    plan.clusters.push_back(i == 0 ? test::to_tcp(cluster, "10.0.0.2", 3128, versions[i])
                                   : test::to_internal(cluster, "e.hop" + std::to_string(i), versions[i]));
    if (!last)
      plan.listeners.push_back(
          test::internal_listener(hop, plan::TcpProxy{cluster, plan::Tunnel{proxy_address(i + 1)}}));
  }
  // Whoever is nearer to the cause runs out of time first.
  for (plan::Cluster& cluster : plan.clusters) cluster.connect_timeout = plan::Milliseconds(20'000);
  plan.clusters.front().connect_timeout = plan::Milliseconds(25'000);  // that of the entry, which waits for another
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const std::string name = "decap" + std::to_string(i);
    const auto port = static_cast<std::uint16_t>(9010 + i);
    plan.listeners.push_back(test::terminate_all(test::tcp_listener(name, port, plan::HttpProxy{}), name + ".allow"));
    plan.clusters.push_back(test::to_requested(
        name + ".allow",
        {{true, "example.com", 0, 65535}, {true, "10.0.0.0/8", 0, 65535}, {false, "denied.example.org", 0, 65535}}));
  }
  return plan;
}

void join_all(World& world, const Versions& versions) {
  for (std::size_t i = 0; i < versions.size(); ++i) {
    world.network.at(proxy_address(i)).serve = [&world, i](StreamPtr stream) {
      world.accept("decap" + std::to_string(i), std::move(stream));
    };
  }
  world.network.name("example.com", {"10.0.0.9"});
}

std::string name_of(const Versions& versions) {
  std::string name;
  for (const Http version : versions) name += test::version_name(version);
  return name;
}

// How many frames carry the bytes of an HTTP/2 connection inside a tunnel depends on how many bytes a hop can hold.
constexpr CompareBytes kBytes = CompareBytes::no;

class Tunnels : public testing::TestWithParam<Versions> {
 protected:
  plan::Plan plan() const { return plan_of(GetParam()); }
  void join(World& world) const { join_all(world, GetParam()); }
  test::Prepare joined() const {
    return [this](World& world) { join(world); };
  }
};

INSTANTIATE_TEST_SUITE_P(Through, Tunnels,
                         testing::Values(Versions{Http::h1, Http::h1}, Versions{Http::h1, Http::h2},
                                         Versions{Http::h2, Http::h1}, Versions{Http::h2, Http::h2},
                                         Versions{Http::h2, Http::h1, Http::h2}),
                         [](const auto& one) { return name_of(one.param); });

TEST_P(Tunnels, TheClientMayEndFirst) {
  const Outcome outcome = both_ways(plan(), test::client_ends_first("tcp", joined()), kBytes);
  EXPECT_EQ(outcome.seen, test::kClientEndedFirst);
  for (const std::string& line : outcome.records) EXPECT_NE(line.find(" ok/0 "), std::string::npos) << line;
}

TEST_P(Tunnels, TheServerMayEndFirst) {
  EXPECT_EQ(both_ways(plan(), test::server_ends_first("tcp", joined()), kBytes).seen, test::kServerEndedFirst);
}

TEST_P(Tunnels, AResetPassesBothWays) {
  for (const bool by_client : {true, false}) {
    const Outcome outcome = both_ways(plan(), test::one_resets(by_client, "tcp", joined()), CompareBytes::no);
    EXPECT_EQ(outcome.seen, test::kOneReset) << by_client;
  }
}

TEST_P(Tunnels, NothingOfTheClientLeavesBeforeTheLastProxyHasAnswered) {
  both_ways(plan(), [this](World& world, Seen&) {
    join(world);
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

TEST_P(Tunnels, RequestsShareThem) {
  const Outcome outcome = both_ways(plan(), [this](World& world, Seen& seen) {
    join(world);
    HttpServer origin(world, kOrigin, Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
      Task<void> replying = test::reply(exchange, 200, "hello through two tunnels");
      co_await replying;
    });
    HttpClient client(world, Http::h1, world.dial("http"));
    for (int i = 0; i < 3; ++i) {
      auto asking = client.ask(test::get("example.com", "/" + std::to_string(i)));
      world.loop.run();
      ASSERT_TRUE(asking.done());
      const Answer answer = asking.value();
      seen.push_back(std::to_string(answer.head.status) + " " + answer.body);
    }
    EXPECT_EQ(origin.connections(), 1U);
    for (std::size_t i = 0; i < GetParam().size(); ++i) EXPECT_EQ(world.network.at(proxy_address(i)).attempts, 1U) << i;
  });
  EXPECT_EQ(outcome.seen, Seen(3, "200 hello through two tunnels"));
}

// Over HTTP/2 all tunnels to a proxy share one connection, at every hop; over HTTP/1.1 a tunnel is a connection.
TEST_P(Tunnels, ThirtyAtOnceShareWhatCanBeShared) {
  both_ways(plan(), [this](World& world, Seen&) {
    join(world);
    world.network.at(kOrigin);
    std::vector<std::unique_ptr<Peer>> clients;
    for (int i = 0; i < 30; ++i) clients.push_back(world.client("tcp"));
    world.loop.run();
    ASSERT_EQ(world.network.at(kOrigin).peers.size(), 30U);
    std::size_t connections = 30;
    for (std::size_t i = GetParam().size(); i-- > 0;) {
      if (GetParam()[i] == Http::h2) connections = 1;
      EXPECT_EQ(world.network.at(proxy_address(i)).attempts, connections) << i;
    }
    for (auto& client : clients) client->send_and_fin(50'000);
    world.loop.run();
    for (auto& server : world.network.at(kOrigin).peers) {
      EXPECT_EQ(server->received().size(), 50'000U);
      EXPECT_TRUE(server->pattern_intact());
      EXPECT_TRUE(server->ended());
      server->fin();
    }
    world.loop.run();
    for (auto& client : clients) EXPECT_TRUE(client->ended());
  });
}

TEST_P(Tunnels, ADrainEndsEveryHopAtOnceWhenNothingIsOpen) {
  both_ways(plan(), [this](World& world, Seen&) {
    join(world);
    world.network.at(kOrigin);
    auto client = world.client("tcp");
    world.loop.run();
    client->fin();
    world.network.peer(kOrigin).fin();
    world.loop.run();
    const TimePoint before = world.loop.now();
    auto drained = test::start(world.stage->drain(seconds(30)));
    world.loop.run_until([&drained] { return drained.done(); });
    EXPECT_EQ(world.loop.now() - before, Duration()) << "something waited for a timer";
    EXPECT_EQ(drained.value(), 0U) << "connections were reset";
  });
}

// Who refused what, in the log of the entry; and what its HTTP client is told, which names no address.
struct Refused {
  const char* name;
  std::string target;
  std::function<void(World&)> arrange;
  Duration takes;
  std::string told;
  std::string detail;
  std::string h2_detail{};  // where the second proxy speaks HTTP/2, if that differs
};

struct RefusedCase {
  Refused refused;
  Versions versions;
};

void PrintTo(const RefusedCase& c, std::ostream* out) { *out << c.refused.name; }

class RefusedTunnels : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedTunnels, NameTheHopAndTheCause) {
  const Refused& refused = GetParam().refused;
  const auto scene = [&](World& world, Seen& seen) {
    join_all(world, GetParam().versions);
    refused.arrange(world);
    HttpClient front(world, Http::h1, world.dial("http"));
    auto request = front.ask(test::get("example.com"));
    auto tcp = world.client("tcp");
    world.loop.advance(refused.takes);
    ASSERT_TRUE(request.done());
    const Answer answer = request.value();
    seen.push_back(std::to_string(answer.head.status) + " " + answer.field("proxy-status"));
    EXPECT_EQ(answer.body.find("10.0.0"), std::string::npos) << answer.body;
    EXPECT_TRUE(tcp->failed());
    const bool h2 = GetParam().versions.at(1) == Http::h2 && !refused.h2_detail.empty();
    for (const AccessRecord& record : world.records.all)
      if (record.listener == "http" || record.listener == "tcp") {
        EXPECT_EQ(record.error.text(), h2 ? refused.h2_detail : refused.detail);
      }
  };
  // Not the bytes: whether an HTTP/2 connection inside the hop still sends a frame of its own depends on who ends
  // first.
  const Outcome outcome = both_ways(plan_of(GetParam().versions, refused.target), scene, CompareBytes::no);
  EXPECT_EQ(outcome.seen, Seen{refused.told});
}

std::vector<RefusedCase> refused_cases() {
  const auto nothing = [](World&) {};
  const std::vector<Refused> all{
      {"NobodyAtTheFirst",
       "example.com:80",
       [](World& world) { world.network.at(proxy_address(0)).refusal = Error(Error::Kind::refused, "refused"); },
       {},
       "502 tunnel; error=connection_refused",
       "no way to the proxy: refused"},
      {"NobodyAtTheSecond",
       "example.com:80",
       [](World& world) { world.network.at(proxy_address(1)).refusal = Error(Error::Kind::refused, "refused"); },
       {},
       "502 tunnel; error=connection_refused; received-status=502",
       "the proxy 10.0.0.2:3128 answered 502 to CONNECT 10.0.0.3:3128: the target refuses connections; is its port "
       "right, "
       "and does it run?"},
      {"TheSecondForbidsTheTarget",
       "denied.example.org:80",
       nothing,
       {},
       "502 tunnel; error=http_request_denied; received-status=403",
       "the proxy 10.0.0.3:3128 answered 403 to CONNECT denied.example.org:80: its rules do not allow this target "
       "(--allow of tun-decap)"},
      {"TheTargetIsSilent", "example.com:80", [](World& world) { world.network.at(kOrigin).silent = true; },
       seconds(10), "502 tunnel; error=connection_timeout; received-status=504",
       "the proxy 10.0.0.3:3128 answered 504 to CONNECT example.com:80: the target did not answer it in time"},
      {"TheSecondIsSilent", "example.com:80",
       [](World& world) {
         world.network.at(proxy_address(1)).serve = [&world](StreamPtr stream) {
           world.network.at(proxy_address(1)).peers.push_back(std::make_unique<Peer>(world.loop, std::move(stream)));
         };
       },
       seconds(20), "504 tunnel; error=connection_timeout",
       "the proxy 10.0.0.3:3128 is connected but did not answer in time (--connect-timeout); is it a proxy for "
       "HTTP/1.1?",
       "the proxy 10.0.0.3:3128: SETTINGS were not acknowledged"},
  };
  std::vector<RefusedCase> cases;
  for (const Refused& refused : all)
    for (const Http first : {Http::h1, Http::h2})
      for (const Http second : {Http::h1, Http::h2}) cases.push_back({refused, {first, second}});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Rows, RefusedTunnels, testing::ValuesIn(refused_cases()), [](const auto& one) {
  return std::string(one.param.refused.name) + name_of(one.param.versions);
});

// The connection to the first proxy breaks: the tunnels in it are reset, the next one stands on fresh connections.
TEST_P(Tunnels, AreBuiltAnewWhenTheFirstProxyIsGone) {
  both_ways(
      plan(),
      [this](World& world, Seen& seen) {
        std::vector<Stream*> accepted;
        join(world);
        auto serve = world.network.at(proxy_address(0)).serve;
        world.network.at(proxy_address(0)).serve = [&accepted, serve](StreamPtr stream) {
          accepted.push_back(stream.get());
          serve(std::move(stream));
        };
        world.network.at(kOrigin);
        auto first = world.client("tcp");
        first->send(10);
        world.loop.run();
        ASSERT_EQ(accepted.size(), 1U);
        accepted.front()->abort(Error(Error::Kind::reset, "pulled"));
        world.loop.run();
        auto second = world.client("tcp");
        second->send_and_fin(20);
        world.loop.run();
        seen = {saw("first", *first), saw("server", world.network.peer(kOrigin, 1))};
        world.network.peer(kOrigin, 1).fin();
        world.loop.run();
      },
      CompareBytes::seen_only);
}

}  // namespace
}  // namespace tunnel
