// SPDX-License-Identifier: Apache-2.0
// Several endpoints behind one listener: who gets the connections, what a dead or silent one costs its clients, and how
// it comes back. Nobody is probed; time is moved by hand.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Lb;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::both_ways;
using test::CompareBytes;
using test::HttpClient;
using test::HttpServer;
using test::Outcome;
using test::Peer;
using test::Seen;
using test::World;

const Error kRefused(Error::Kind::refused, "Connection refused");

std::string backend(std::size_t n) { return "10.0.0." + std::to_string(11 + n) + ":80"; }

plan::Cluster cluster_of(const std::string& name, Lb lb, std::size_t backends) {
  plan::Cluster cluster;
  cluster.name = name;
  cluster.lb = lb;
  for (std::size_t i = 0; i < backends; ++i)
    cluster.endpoints.push_back({plan::Tcp{"10.0.0." + std::to_string(11 + i), 80}});
  return cluster;
}

// "tcp" (9000): a hop, and behind it the backends. "decap" (9002): CONNECT ends at the same ones.
plan::Plan plan_of(Lb lb, std::size_t backends) {
  plan::Plan plan;
  plan.listeners.push_back(test::tcp_listener("tcp", 9000, plan::TcpProxy{"to-hop", std::nullopt}));
  plan.clusters.push_back(test::to_internal("to-hop", "hop"));
  plan.listeners.push_back(test::internal_listener("hop", plan::TcpProxy{"backends", std::nullopt}));
  plan.clusters.push_back(cluster_of("backends", lb, backends));
  plan.listeners.push_back(test::terminate_all(test::tcp_listener("decap", 9002, plan::HttpProxy{}), "decap-backends"));
  plan.clusters.push_back(cluster_of("decap-backends", lb, backends));
  return plan;
}

void all_up(World& world, std::size_t backends) {
  for (std::size_t i = 0; i < backends; ++i) world.network.at(backend(i));
}

// Connections every backend has had, as "3 3 4".
std::string had(World& world, std::size_t backends) {
  std::string text;
  for (std::size_t i = 0; i < backends; ++i)
    text += (i == 0 ? "" : " ") + std::to_string(world.network.at(backend(i)).peers.size());
  return text;
}

// Clients that connect one after the other and stay.
using Clients = std::vector<std::unique_ptr<Peer>>;
void connect(World& world, Clients& clients, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(world.client("tcp"));
    world.loop.run();
  }
}

std::size_t open(const Clients& clients) {
  std::size_t count = 0;
  for (const auto& client : clients) count += client->fate() == "open" ? 1 : 0;
  return count;
}

TEST(Balancing, RoundRobinSpreadsEvenlyAndTheLogNamesTheBackend) {
  both_ways(plan_of(Lb::round_robin, 3), [](World& world, Seen&) {
    all_up(world, 3);
    Clients clients;
    connect(world, clients, 10);
    EXPECT_EQ(had(world, 3), "4 3 3");
    clients.clear();
    world.loop.run();
    std::size_t seen = 0;
    for (const AccessRecord& record : world.records.all)
      seen += record.listener == "hop" && record.upstream == backend(1);
    EXPECT_EQ(seen, 3U);
    EXPECT_EQ(world.count(Counter::endpoint_tries), 10U);
  });
}

TEST(Balancing, LeastFillsUpWhoHasFewestOpen) {
  both_ways(plan_of(Lb::least, 3), [](World& world, Seen&) {
    all_up(world, 3);
    Clients clients;
    connect(world, clients, 9);
    EXPECT_EQ(had(world, 3), "3 3 3");
    // Two of the second's three clients leave: the next two are its own.
    for (const std::size_t gone : {1U, 4U}) {
      clients[gone]->fin();
      world.network.peer(backend(1), gone / 3).fin();
    }
    world.loop.run();
    connect(world, clients, 2);
    EXPECT_EQ(had(world, 3), "3 5 3");
    connect(world, clients, 3);
    EXPECT_EQ(had(world, 3), "4 6 4");
  });
}

// One long connection each way of the relay, many short ones beside it.
TEST(Balancing, LeastKeepsClearOfLongConnections) {
  both_ways(plan_of(Lb::least, 2), [](World& world, Seen&) {
    all_up(world, 2);
    Clients slow;
    connect(world, slow, 1);
    for (int i = 0; i < 10; ++i) {
      auto client = world.client("tcp");
      world.loop.run();
      client->fin();
      world.network.at(backend(1)).peers.back()->fin();
      world.loop.run();
      EXPECT_TRUE(client->ended()) << i;
    }
    EXPECT_EQ(had(world, 2), "1 10");
  });
}

TEST(Balancing, FirstUsesTheNextOnlyWhileOneIsDownAndGoesBack) {
  both_ways(plan_of(Lb::first, 3), [](World& world, Seen&) {
    all_up(world, 3);
    Clients clients;
    connect(world, clients, 3);
    EXPECT_EQ(had(world, 3), "3 0 0");
    world.network.at(backend(0)).refusal = kRefused;
    connect(world, clients, 3);
    EXPECT_EQ(had(world, 3), "3 3 0");
    EXPECT_EQ(open(clients), 6U);
    EXPECT_EQ(world.network.at(backend(0)).attempts, 4U);  // it was asked once more, not three times
    world.network.at(backend(0)).refusal = Error();
    world.loop.advance(milliseconds(999));
    connect(world, clients, 1);
    EXPECT_EQ(had(world, 3), "3 4 0");
    world.loop.advance(milliseconds(1));
    connect(world, clients, 2);
    EXPECT_EQ(had(world, 3), "5 4 0");
    EXPECT_EQ(world.count(Counter::endpoint_ejections), 1U);
  });
}

TEST(Balancing, ADeadBackendCostsNoClientAnything) {
  for (const Lb lb : {Lb::round_robin, Lb::least, Lb::first}) {
    both_ways(plan_of(lb, 3), [](World& world, Seen&) {
      all_up(world, 3);
      world.network.at(backend(0)).refusal = kRefused;
      Clients clients;
      connect(world, clients, 30);
      EXPECT_EQ(open(clients), 30U);
      EXPECT_EQ(world.network.at(backend(0)).attempts, 1U);
      EXPECT_EQ(world.count(Counter::endpoint_tries), 31U);
      // Asked again after 1, 2, 4, 8, 16, 30, 30 s, however many clients there are.
      for (int i = 0; i < 1000; ++i) {
        world.loop.advance(milliseconds(100));
        Clients passing;
        connect(world, passing, 1);
        EXPECT_EQ(open(passing), 1U);
      }
      EXPECT_EQ(world.network.at(backend(0)).attempts, 8U);
      EXPECT_EQ(world.count(Counter::endpoint_ejections), 8U);
    });
  }
}

TEST(Balancing, AllDownIsToldByTheLastCauseAndNobodyIsRefusedFromMemory) {
  both_ways(plan_of(Lb::round_robin, 2), [](World& world, Seen&) {
    world.network.at(backend(0)).refusal = kRefused;
    world.network.at(backend(1)).refusal = Error(Error::Kind::unreachable, "no route");
    Clients clients;
    connect(world, clients, 3);
    EXPECT_EQ(open(clients), 0U);
    EXPECT_EQ(world.network.at(backend(0)).attempts, 3U);
    EXPECT_EQ(world.network.at(backend(1)).attempts, 3U);
    for (const AccessRecord& record : world.records.all)
      EXPECT_TRUE(record.error.text().starts_with("none of 2 endpoints answered, the last error: "))
          << record.error.text();
    // Both are set aside; one comes back within that time, and the next client has it.
    world.network.at(backend(1)).refusal = Error();
    connect(world, clients, 1);
    EXPECT_EQ(open(clients), 1U);
    EXPECT_EQ(had(world, 2), "0 1");
  });
}

TEST(Balancing, TheStatusOfADecapIsThatOfTheLastCause) {
  const Outcome outcome = both_ways(plan_of(Lb::first, 2), [](World& world, Seen& seen) {
    world.network.at(backend(0)).refusal = kRefused;
    world.network.at(backend(1)).refusal = Error(Error::Kind::unreachable, "no route");
    HttpClient client(world, plan::Http::h2, world.dial("decap"));
    auto refused = client.ask(test::connect_request("any.example:1"));
    world.loop.run();
    ASSERT_TRUE(refused.done());
    const test::Answer answer = refused.value();
    seen.push_back(std::to_string(answer.head.status) + " " + answer.field("proxy-status"));
    world.network.at(backend(1)).refusal = Error();
    auto opened = client.ask(test::connect_request("any.example:1"));
    world.loop.run();
    ASSERT_EQ(had(world, 2), "0 1");
    world.network.peer(backend(1)).send_and_fin(3);
    world.loop.run();
    client.connection().abort(Error(Error::Kind::cancelled, "enough"));
    world.loop.run();
  });
  EXPECT_EQ(outcome.seen, Seen{"502 tunnel; error=destination_ip_unroutable"});
}

// A backend that takes the connect and says nothing: the next is tried beside it after a second, not after the connect
// timeout; and whoever comes later does not wait at all.
TEST(Balancing, ASilentBackendCostsOneClientOneSecond) {
  both_ways(
      plan_of(Lb::round_robin, 2),
      [](World& world, Seen&) {
        all_up(world, 2);
        world.network.at(backend(0)).silent = true;
        auto client = world.client("tcp");
        client->send(1000);
        world.loop.advance(milliseconds(999));
        EXPECT_EQ(had(world, 2), "0 0");
        world.loop.advance(milliseconds(1));
        ASSERT_EQ(had(world, 2), "0 1");
        EXPECT_EQ(world.network.peer(backend(1)).received().size(), 1000U);
        EXPECT_EQ(world.network.at(backend(0)).abandoned, 1U);
        EXPECT_EQ(world.count(Counter::endpoint_ejections), 1U);
        Clients clients;
        connect(world, clients, 5);
        EXPECT_EQ(had(world, 2), "0 6");
        EXPECT_EQ(world.network.at(backend(0)).attempts, 1U);
        EXPECT_EQ(world.count(Counter::connect_timeouts), 0U);
        // Due again: of many clients at once one waits, the others do not.
        world.loop.advance(seconds(1));
        Clients many;
        for (int i = 0; i < 10; ++i) many.push_back(world.client("tcp"));
        world.loop.run();
        EXPECT_EQ(world.network.at(backend(0)).attempts, 2U);
        EXPECT_EQ(had(world, 2), "0 15");
        world.loop.advance(seconds(1));
        EXPECT_EQ(had(world, 2), "0 16");
        EXPECT_EQ(open(many), 10U);
      },
      CompareBytes::no);
}

// Slow is not dead: with nobody faster, the answer that comes after the second is waited for.
TEST(Balancing, ASlowBackendStillHasAllTheTimeThereIs) {
  both_ways(plan_of(Lb::first, 2), [](World& world, Seen&) {
    world.network.at(backend(0)).delay = seconds(6);
    world.network.at(backend(1)).delay = seconds(7);
    auto client = world.client("tcp");
    world.loop.advance(milliseconds(5999));
    EXPECT_EQ(had(world, 2), "0 0");
    EXPECT_EQ(world.network.at(backend(1)).attempts, 1U);
    world.loop.advance(milliseconds(1));
    EXPECT_EQ(had(world, 2), "1 0");
    EXPECT_EQ(client->fate(), "open");
    EXPECT_EQ(world.network.at(backend(1)).abandoned, 1U);
    EXPECT_EQ(world.count(Counter::endpoint_ejections), 0U);  // it had 5 s, the other took 6
    world.loop.run();
  });
}

TEST(Balancing, SilentBackendsShareTheConnectTimeout) {
  plan::Plan plan = plan_of(Lb::first, 4);
  for (plan::Cluster& cluster : plan.clusters)
    cluster.connect_timeout = cluster.name == "to-hop" ? milliseconds(5000) : milliseconds(800);
  both_ways(plan, [](World& world, Seen&) {
    for (std::size_t i = 0; i < 3; ++i) world.network.at(backend(i)).silent = true;
    world.network.at(backend(3));
    auto client = world.client("tcp");
    world.loop.advance(milliseconds(599));
    EXPECT_EQ(had(world, 4), "0 0 0 0");
    world.loop.advance(milliseconds(1));
    EXPECT_EQ(had(world, 4), "0 0 0 1");
    EXPECT_EQ(client->fate(), "open");
    EXPECT_EQ(world.count(Counter::endpoint_ejections), 3U);
  });
}

TEST(Balancing, WhenNobodyAnswersInTimeItIsATimeoutOfAllWhoHadTheirShare) {
  const Outcome outcome = both_ways(plan_of(Lb::first, 2), [](World& world, Seen& seen) {
    for (std::size_t i = 0; i < 2; ++i) world.network.at(backend(i)).silent = true;
    HttpClient client(world, plan::Http::h1, world.dial("decap"));
    auto asking = client.ask(test::connect_request("any.example:1"));
    world.loop.advance(seconds(10));
    ASSERT_TRUE(asking.done());
    const test::Answer answer = asking.value();
    seen.push_back(std::to_string(answer.head.status) + " " + answer.field("proxy-status"));
    EXPECT_EQ(world.count(Counter::connect_timeouts), 1U);
    EXPECT_EQ(world.count(Counter::endpoint_ejections), 2U);
  });
  EXPECT_EQ(outcome.seen, Seen{"504 tunnel; error=connection_timeout"});
}

TEST(Balancing, AClientThatLeavesSaysNothingAboutTheBackend) {
  both_ways(
      plan_of(Lb::first, 2),
      [](World& world, Seen&) {
        for (std::size_t i = 0; i < 2; ++i) world.network.at(backend(i)).silent = true;
        auto client = world.client("tcp");
        world.loop.advance(seconds(3));
        client->reset();
        world.loop.advance(milliseconds(1));
        EXPECT_EQ(world.network.at(backend(0)).abandoned, 1U);
        EXPECT_EQ(world.network.at(backend(1)).abandoned, 1U);
        EXPECT_EQ(world.count(Counter::endpoint_ejections), 0U);
      },
      CompareBytes::no);
}

TEST(Balancing, ANameThatDoesNotResolveIsADeadBackend) {
  plan::Plan plan = plan_of(Lb::first, 2);
  plan.clusters[1].endpoints[0] = {plan::Tcp{"nowhere.example", 80}};
  both_ways(plan, [](World& world, Seen&) {
    world.network.at(backend(1));
    Clients clients;
    connect(world, clients, 5);
    EXPECT_EQ(had(world, 2), "0 5");
    EXPECT_EQ(world.network.resolved().size(), 1U);
    world.network.name("nowhere.example", {"10.0.0.11"});
    world.network.at(backend(0));
    world.loop.advance(seconds(1));
    connect(world, clients, 1);
    EXPECT_EQ(had(world, 2), "1 5");
  });
}

// The ways are lines of the same process: two tunnels through two proxies to one target.
TEST(Balancing, EndpointsMayBeInternal) {
  plan::Plan plan;
  plan.listeners.push_back(test::tcp_listener("tcp", 9000, plan::TcpProxy{"ways", std::nullopt}));
  plan::Cluster ways = test::to_internal("ways", "one");
  ways.endpoints.push_back({plan::Internal{"two", ""}});
  plan.clusters.push_back(ways);
  for (const std::string name : {"one", "two"}) {
    plan.listeners.push_back(
        test::internal_listener(name, plan::TcpProxy{name + ".proxy", plan::Tunnel{"example.com:80"}}));
    plan.clusters.push_back(test::to_tcp(name + ".proxy", name == "one" ? "10.0.0.21" : "10.0.0.22", 3128));
  }
  both_ways(plan, [](World& world, Seen&) {
    HttpServer good(world, "10.0.0.21:3128", plan::Http::h1, &test::echo_tunnel);
    HttpServer bad(world, "10.0.0.22:3128", plan::Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
      Task<void> replying = test::reply(exchange, 503, "");
      co_await replying;
    });
    Clients clients;
    connect(world, clients, 4);
    for (auto& client : clients) client->send(10);
    world.loop.run();
    for (auto& client : clients) EXPECT_EQ(client->received().size(), 10U);
    EXPECT_EQ(bad.requests().size(), 1U);
    std::size_t to_one = 0;
    for (auto& client : clients) client->fin();
    world.loop.run();
    for (const AccessRecord& record : world.records.all)
      to_one += record.listener == "tcp" && record.upstream == "internal:one" ? 1 : 0;
    EXPECT_EQ(to_one, 4U);
  });
}

// Two ways for what clients name: one client's unreachable targets must not send the others the longer way.
TEST(Balancing, TargetsAClientNamesSetNoWayAside) {
  plan::Plan plan;
  plan::HttpProxy entry;
  entry.routes.push_back({plan::Match{true, "/"}, plan::Terminate{"ways"}, {}});
  plan.listeners.push_back(test::tcp_listener("entry", 9000, std::move(entry)));
  plan::Cluster ways = test::to_internal("ways", "one");
  ways.lb = Lb::first;
  ways.endpoints = {{plan::Internal{"one", "@authority"}}, {plan::Internal{"two", "@authority"}}};
  plan.clusters.push_back(std::move(ways));
  for (const char* name : {"one", "two"}) {
    plan.listeners.push_back(
        test::internal_listener(name, plan::TcpProxy{std::string(name) + "-proxy", plan::Tunnel{"@endpoint"}}));
    plan.clusters.push_back(
        test::to_tcp(std::string(name) + "-proxy", name == std::string("one") ? "10.0.0.11" : "10.0.0.12", 80));
  }
  World world(std::move(plan));
  const auto proxy = [](http::ServerExchange& exchange) -> Task<void> {
    const bool known = exchange.request().authority == "good.example:443";
    Task<void> answering = known ? test::echo_tunnel(exchange) : test::reply(exchange, 502, "no such host");
    co_await answering;
  };
  HttpServer one(world, backend(0), plan::Http::h1, proxy);
  HttpServer two(world, backend(1), plan::Http::h1, proxy);
  for (int i = 0; i < 5; ++i) {
    HttpClient client(world, plan::Http::h1, world.dial("entry"));
    auto asking = client.ask(test::connect_request("bad.example:443"));
    world.loop.advance(seconds(5));
    EXPECT_EQ(asking.value().head.status, 502);
  }
  EXPECT_EQ(world.count(Counter::endpoint_ejections), 0U);
  const std::size_t before = two.requests().size();
  HttpClient client(world, plan::Http::h1, world.dial("entry"));
  auto tunnel = client.open();
  Result<void> sent = world.loop.await(tunnel->send(test::connect_request("good.example:443"), http::Body::tunnel()));
  EXPECT_TRUE(sent.ok());
  EXPECT_EQ(world.loop.await(tunnel->head())->status, 200);
  EXPECT_EQ(two.requests().size(), before);
}

// A pool dials by the same choice and keeps what it has.
TEST(Balancing, APoolOfRequestsDialsAnotherWhenItsBackendIsGone) {
  plan::Plan plan;
  plan.listeners.push_back(test::route_all(test::tcp_listener("http", 9001, plan::HttpProxy{}), "backends"));
  plan.clusters.push_back(cluster_of("backends", Lb::round_robin, 2));
  const Outcome outcome = both_ways(plan, [](World& world, Seen& seen) {
    const auto name = [](std::string text) {
      return [text](http::ServerExchange& exchange) -> Task<void> {
        Task<void> replying = test::reply(exchange, 200, text);
        co_await replying;
      };
    };
    auto first = std::make_unique<HttpServer>(world, backend(0), plan::Http::h1, name("first"));
    HttpServer second(world, backend(1), plan::Http::h1, name("second"));
    HttpClient client(world, plan::Http::h1, world.dial("http"));
    for (int i = 0; i < 4; ++i) {
      if (i == 2) {
        first.reset();
        world.network.at(backend(0)).refusal = kRefused;
      }
      auto asking = client.ask(test::get("example.com"));
      world.loop.run();
      ASSERT_TRUE(asking.done());
      seen.push_back(asking.value().body);
    }
  });
  EXPECT_EQ(outcome.seen, (Seen{"first", "first", "second", "second"}));
}

// What is under way when the process ends, and a reset of the winner, leave nothing behind.
TEST(Balancing, AnEndInTheMiddleOfARaceLeavesNothing) {
  for (const int ms : {0, 500, 1000, 1500}) {
    both_ways(
        plan_of(Lb::first, 3),
        [ms](World& world, Seen&) {
          for (std::size_t i = 0; i < 3; ++i) world.network.at(backend(i)).silent = true;
          Clients clients;
          for (int i = 0; i < 5; ++i) clients.push_back(world.client("tcp"));
          world.loop.advance(milliseconds(ms));
          world.end();
          EXPECT_EQ(world.open_gauges(), "");
          EXPECT_EQ(world.count(Counter::endpoint_ejections), 0U);
        },
        CompareBytes::no);
  }
}

// The n-th operation of any stream outside fails: nothing hangs, nothing leaks, and a client gets a prefix of the right
// answer.
TEST(Balancing, SurvivesTheFailureOfAnyOperation) {
  for (const bool pairs : {false, true}) {
    std::size_t n = 1;
    for (; n < 2000; ++n) {
      SCOPED_TRACE((pairs ? "pairs, operation " : "records, operation ") + std::to_string(n));
      plan::Plan plan = plan_of(Lb::round_robin, 2);
      plan.process.force_pairs = pairs;
      test::FailCount count(n);
      World world(std::move(plan));
      world.fail_clients = &count;
      world.network.inject(&count);
      world.network.at(backend(0)).refusal = kRefused;
      world.network.at(backend(1));
      {
        auto client = world.client("tcp");
        client->send_and_fin(40'000);
        world.loop.run();
        if (!world.network.at(backend(1)).peers.empty()) {
          world.network.peer(backend(1)).send_and_fin(50'000);
          world.loop.run();
        }
        world.loop.advance(std::chrono::minutes(2));
        EXPECT_TRUE(client->pattern_intact());
        EXPECT_NE(client->fate(), "open");
      }
      world.network.drop_peers();
      world.end();
      EXPECT_EQ(world.open_gauges(), "");
      if (!count.struck() || HasFailure()) break;
    }
    EXPECT_GT(n, 10U);
    EXPECT_LT(n, 2000U);
  }
}

}  // namespace
}  // namespace tunnel
