// SPDX-License-Identifier: Apache-2.0
// Which of a listener's routes takes a request by its header fields, and what a request is told that none takes: by the
// routes of its own domain.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using plan::Match;
using test::World;

constexpr const char* kOnlyTunnels = "only tunnels are opened here; curl asks for one with --proxytunnel";
constexpr const char* kOtherNames = "tunnels are opened here for other names only";
constexpr const char* kNoTunnels = "no tunnels are opened here; tun-encap does with --target @authority";

plan::Route answered(Match match, const std::string& body) { return {std::move(match), plan::Respond{200, body}, {}}; }
plan::Route terminated(Match match) { return {std::move(match), plan::Terminate{"out"}, {}}; }

plan::Plan front(std::vector<plan::Route> routes) {
  plan::Plan plan;
  plan::HttpProxy proxy;
  proxy.routes = std::move(routes);
  plan.listeners.push_back(test::tcp_listener("front", 9000, std::move(proxy)));
  plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80));
  return plan;
}

// Each request over a connection of its own: that of a refused CONNECT is closed.
struct Routes : testing::TestWithParam<Http> {
  std::string ask(World& world, http::RequestHead head) const {
    test::HttpClient client(world, GetParam(), world.dial("front"));
    auto asking = client.ask(std::move(head));
    world.loop.run();
    if (!asking.done()) return "no answer";
    const test::Answer answer = asking.value();
    const std::string allow = answer.field("allow");
    return std::to_string(answer.head.status) + (allow.empty() ? "" : " allow " + allow) + " " + answer.body;
  }
};

INSTANTIATE_TEST_SUITE_P(Over, Routes, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return test::version_name(one.param); });

TEST_P(Routes, OfTheDomainSayWhatIsServedInstead) {
  World world(front({
      answered({false, "/", false, "GET", {}, {"get.example", "get.example:443"}}, "got\n"),
      terminated({true, "/", false, "", {}, {"tunnel.example", "tunnel.example:443"}}),
      terminated({true, "/", false, "", {{"x-auth", "yes"}}, {"secret.example:443"}}),
      answered({false, "/", false, "GET", {}, {"both.example"}}, "got\n"),
      terminated({true, "/", false, "", {}, {"both.example"}}),
  }));
  EXPECT_EQ(ask(world, test::get("get.example")), "200 got\n");
  EXPECT_EQ(ask(world, test::get("get.example", "/", "POST")), "405 allow GET Method Not Allowed\n");
  EXPECT_EQ(ask(world, test::connect_request("get.example:443")),
            std::string("405 allow GET Method Not Allowed: ") + kOtherNames + "\n");
  EXPECT_EQ(ask(world, test::get("tunnel.example")),
            std::string("405 allow CONNECT Method Not Allowed: ") + kOnlyTunnels + "\n");
  EXPECT_EQ(ask(world, test::connect_request("secret.example:443")),
            "404 Not Found: tunnels are opened here for requests with other header fields only\n");
  EXPECT_EQ(ask(world, test::get("both.example", "/", "PUT")), "405 allow GET, CONNECT Method Not Allowed\n");
  EXPECT_EQ(ask(world, test::get("other.example")), "404 Not Found\n");
  EXPECT_EQ(ask(world, test::connect_request("other.example:443")),
            std::string("404 Not Found: ") + kOtherNames + "\n");
  EXPECT_EQ(world.network.connects(), 0U);
}

TEST_P(Routes, WithoutATunnelSayWhoOpensOne) {
  World world(front({answered({false, "/", false, "GET"}, "got\n")}));
  EXPECT_EQ(ask(world, test::connect_request("a.example:443")),
            std::string("405 allow GET Method Not Allowed: ") + kNoTunnels + "\n");
  EXPECT_EQ(ask(world, test::get("a.example", "/", "POST")), "405 allow GET Method Not Allowed\n");
}

// Only what the log's form asks for is kept of a request and its answer.
TEST_P(Routes, LeaveTheFieldsThatTheLogTakes) {
  plan::Plan plan = front({answered({false, "/here"}, "got\n"), {{}, plan::Forward{"out"}, {}}});
  plan.listeners[0].access_log = "-";
  plan.listeners[0].access_format.text =
      "%REQ(X-One?X-Two)% %REQ(:PATH)% %RESP(X-Three)% %RESP(Content-Type)%%TRAILER(X-Sum)%";
  World world(plan);
  const test::HttpServer server(world, "10.0.0.9:80", Http::h1, [](http::ServerExchange& exchange) -> Task<void> {
    http::Fields fields;
    fields.add("x-three", "3");
    fields.add("x-four", "4");
    http::Fields trailers;
    trailers.add("x-sum", "9");
    const http::ResponseHead head{200, fields};
    Result<void> sent = co_await exchange.respond(head, http::Body::unknown());
    Buffer body("ok");
    if (sent.ok()) sent = co_await exchange.write(body);
    if (sent.ok()) sent = co_await exchange.finish(trailers);
    EXPECT_TRUE(sent.ok());
  });
  using List = LoggedFields::List;
  for (const std::string path : {"/nowhere", "/here", "/there"}) {
    http::RequestHead head = test::get("a.example", path);
    head.fields.add("x-two", "2");
    head.fields.add("x-five", "5");
    world.network.at("10.0.0.9:80").refusal = path == "/nowhere" ? Error(Error::Kind::refused) : Error();
    ask(world, std::move(head));
    const AccessRecord& record = world.records.all.back();
    ASSERT_NE(record.fields, nullptr);
    EXPECT_EQ(record.fields->request, (List{{"x-two", "2"}}));
    EXPECT_EQ(record.fields->response,
              path == "/there" ? (List{{"x-three", "3"}}) : (List{{"content-type", "text/plain"}}))
        << path;
    EXPECT_EQ(record.fields->trailers, path == "/there" ? (List{{"x-sum", "9"}}) : List{}) << path;
    EXPECT_EQ(record.attempts, path == "/here" ? 0U : 1U) << path;
  }
}

// As of an answer that was passed on, in the log and in the counters.
TEST_P(Routes, CountTheTextOfARefusal) {
  World world(front({{{}, plan::Forward{"out"}, {}}}));
  world.network.at("10.0.0.9:80").refusal = Error(Error::Kind::refused);
  const std::string refused = ask(world, test::get("a.example"));
  const std::string text = refused.substr(refused.find(' ') + 1);
  ASSERT_NE(text, "");
  EXPECT_EQ(world.records.all.back().bytes_sent, text.size());
  EXPECT_EQ(world.count(Counter::bytes_sent), text.size());
  ask(world, test::get("a.example", "/", "HEAD"));
  EXPECT_EQ(world.records.all.back().bytes_sent, 0U);
}

TEST_P(Routes, LookAtEveryFieldOfAName) {
  World world(front({
      answered({false, "/", false, "", {{"x-auth", "yes"}}}, "yes"),
      answered({false, "/", false, "", {{"x-auth", "a,b"}}}, "list"),
      answered({false, "/", false, "", {{"x-auth", ""}}}, "empty"),
      answered({false, "/", false, "", {{"x-auth", "1"}, {"x-other", "2"}}}, "two"),
  }));
  const auto with = [&](const std::vector<std::string>& values) {
    http::RequestHead head = test::get("a.example");
    for (const std::string& value : values) {
      head.fields.add("x-auth", value);
      head.fields.add("x-other", value);
    }
    return ask(world, std::move(head));
  };
  EXPECT_EQ(with({"yes"}), "200 yes");
  EXPECT_EQ(with({"yes", "no"}), "200 yes");
  EXPECT_EQ(with({"no", "yes"}), "200 yes");
  EXPECT_EQ(with({"a,b"}), "200 list");
  EXPECT_EQ(with({"no", ""}), "200 empty");
  EXPECT_EQ(with({"1", "2"}), "200 two");
  EXPECT_EQ(with({"1"}), "404 Not Found\n");
  EXPECT_EQ(with({"a", "b"}), "404 Not Found\n");
  EXPECT_EQ(with({"yes,no"}), "404 Not Found\n");
  EXPECT_EQ(with({}), "404 Not Found\n");
}

}  // namespace
}  // namespace tunnel
