// SPDX-License-Identifier: Apache-2.0
// What a listener on standard input and output tells of its one connection: once, when it has ended, and of the first
// thing that failed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/exit_status.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::seconds;
using test::HttpClient;
using test::kOrigin;
using test::World;

struct Way {
  Http version;
  unsigned hops;
  bool pairs;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << (way.version == Http::h1 ? "h1, " : "h2, ") << way.hops << " hops, " << (way.pairs ? "pairs" : "records");
}

class Stdio : public testing::TestWithParam<Way> {
 protected:
  // A world whose listener `name` serves standard input and output.
  std::unique_ptr<World> world(const std::string& name, const std::string& target = "example.com:80") {
    plan::Plan plan = test::tunnel_plan(GetParam().version, GetParam().hops, target);
    plan.process.force_pairs = GetParam().pairs;
    for (plan::Listener& listener : plan.listeners) {
      listener.access_log.clear();
      if (listener.name == name) listener.addresses = {plan::Stdio{}};
    }
    auto made = std::make_unique<World>(plan);
    made->shared.stdio_ended = [this](const proxy::Outcome& outcome) { told.push_back(outcome); };
    test::join_tunnel(*made);
    return made;
  }
  // Exactly one outcome was told, and this is its exit status.
  int status() const {
    EXPECT_EQ(told.size(), 1U);
    return told.empty() ? -1 : runtime::exit_status(told.front());
  }

  std::vector<proxy::Outcome> told;
};

INSTANTIATE_TEST_SUITE_P(Over, Stdio,
                         testing::Values(Way{Http::h1, 0, false}, Way{Http::h1, 2, false}, Way{Http::h1, 2, true},
                                         Way{Http::h2, 0, false}, Way{Http::h2, 2, false}, Way{Http::h2, 2, true}),
                         [](const auto& one) {
                           return std::string(one.param.version == Http::h1 ? "H1" : "H2") + "Hops" +
                                  std::to_string(one.param.hops) + (one.param.pairs ? "Pairs" : "Records");
                         });

TEST_P(Stdio, AnOrderlyEnd) {
  auto running = world("tcp");
  running->network.at(kOrigin);
  auto client = running->client("tcp");
  client->send_and_fin(1000);
  running->loop.run();
  EXPECT_TRUE(told.empty()) << "one side has ended";
  running->network.peer(kOrigin).send_and_fin(1000);
  running->loop.run();
  EXPECT_EQ(status(), 0);
  EXPECT_FALSE(told.front().error);
}

TEST_P(Stdio, AReset) {
  auto running = world("tcp");
  running->network.at(kOrigin);
  auto client = running->client("tcp");
  client->send(1000);
  running->loop.run();
  running->network.peer(kOrigin).reset();
  running->loop.run();
  EXPECT_EQ(status(), runtime::kExitFailed);
  EXPECT_TRUE(told.front().established);
  EXPECT_EQ(told.front().error.side, Error::Side::upstream);
}

TEST_P(Stdio, AProxyThatRefusesConnections) {
  auto running = world("tcp");
  running->network.at("10.0.0.2:3128").refusal = Error(Error::Kind::refused, "connect: Connection refused");
  auto client = running->client("tcp");
  running->loop.run();
  EXPECT_EQ(status(), runtime::kExitUnavailable);
  EXPECT_FALSE(told.front().established);
  EXPECT_NE(told.front().error.text().find("Connection refused"), std::string::npos);
}

TEST_P(Stdio, ATargetThatIsDenied) {
  auto running = world("tcp", "denied.example.org:80");
  auto client = running->client("tcp");
  running->loop.run();
  EXPECT_EQ(status(), runtime::kExitDenied);
  EXPECT_EQ(told.front().error.received_status, 403);
}

TEST_P(Stdio, ATargetThatIsNotThere) {
  auto running = world("tcp");
  running->network.at(kOrigin).refusal = Error(Error::Kind::refused, "connect: Connection refused");
  auto client = running->client("tcp");
  running->loop.run();
  EXPECT_EQ(status(), runtime::kExitUnavailable);
  EXPECT_EQ(told.front().error.received_status, 502);
}

TEST_P(Stdio, AConnectThatTakesTooLong) {
  auto running = world("tcp");
  running->network.at("10.0.0.2:3128").silent = true;
  auto client = running->client("tcp");
  running->loop.advance(seconds(60));
  EXPECT_EQ(status(), runtime::kExitUnavailable);
  EXPECT_EQ(told.front().error.kind, Error::Kind::timeout);
}

TEST_P(Stdio, ADrainCutsIt) {
  auto running = world("tcp");
  running->network.at(kOrigin);
  auto client = running->client("tcp");
  client->send(1000);
  running->loop.run();
  running->end();
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(told.front().error.kind, Error::Kind::shutdown);
}

TEST_P(Stdio, TheFirstFailedRequestOfAConnection) {
  auto running = world("http", "denied.example.org:80");
  {
    HttpClient client(*running, Http::h1, running->dial("http"));
    auto asking = client.ask(test::get("example.com"));
    running->loop.run();
    EXPECT_EQ(asking.value().head.status, 502);
    running->network.at("10.0.0.2:3128").refusal = Error(Error::Kind::refused, "connect: Connection refused");
    auto again = client.ask(test::get("example.com"));
    running->loop.run();
    EXPECT_EQ(again.value().head.status, 502);
    EXPECT_TRUE(told.empty()) << "the connection goes on";
  }
  running->loop.advance(seconds(5));
  EXPECT_EQ(status(), runtime::kExitDenied);
}

TEST_P(Stdio, AProxyThatDenies) {
  auto running = world("decap");
  {
    HttpClient client(*running, GetParam().version, running->dial("decap"));
    auto asking = client.ask(test::connect_request("denied.example.org:80"));
    running->loop.run();
    EXPECT_EQ(asking.value().head.status, 403);
  }
  running->loop.advance(seconds(5));
  EXPECT_EQ(status(), runtime::kExitDenied);
}

}  // namespace
}  // namespace tunnel
