// SPDX-License-Identifier: Apache-2.0
// Rows of test/RULES.md 1.1, 1.2 and 1.6 beside those of tunnel_test.cpp and http_test.cpp: what a client of a proxy,
// and of a listener in front of one, is told when limits, names inside the process, methods or the next proxy are the
// cause. Status and Proxy-Status exactly.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/both_ways.hpp"
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
using test::Seen;
using test::World;

constexpr const char* kProxy = "10.0.0.2:3128";

// "decap" on 9002 terminates every CONNECT into internal:first, `hops` listeners before the origin.
plan::Plan decap_to_hops(unsigned hops) {
  plan::Plan plan;
  plan.listeners.push_back(test::terminate_all(test::tcp_listener("decap", 9002, plan::HttpProxy{}), "to-hop1"));
  for (unsigned i = 1; i <= hops; ++i) {
    const std::string name = "hop" + std::to_string(i);
    plan.clusters.push_back(test::to_internal("to-" + name, name));
    plan.listeners.push_back(test::internal_listener(name, plan::TcpProxy{"after-" + name, std::nullopt}));
    plan.clusters.push_back(i == hops ? test::to_tcp("after-" + name, "10.0.0.9", 80)
                                      : test::to_internal("after-" + name, "hop" + std::to_string(i + 1)));
  }
  return plan;
}

std::string told(const Answer& answer) {
  std::string text = std::to_string(answer.head.status);
  for (const char* field : {"proxy-status", "retry-after", "allow"})
    if (!answer.field(field).empty()) text += std::string(" ") + field + ": " + answer.field(field);
  return text;
}

// A tunnel asked for and kept: the answer's status, and the exchange to go on with.
struct Kept {
  std::unique_ptr<http::ClientExchange> exchange;
  std::uint16_t status = 0;
};

Task<std::uint16_t> final_status(http::ClientExchange& exchange, http::RequestHead head) {
  Result<void> sent = co_await exchange.send(head, http::Body::tunnel());
  if (!sent.ok()) co_return std::uint16_t{0};
  for (;;) {
    Result<http::ResponseHead> answer = co_await exchange.head();
    if (!answer.ok()) co_return std::uint16_t{1};
    if (answer->status >= 200) co_return answer->status;
  }
}

Kept open_tunnel(World& world, HttpClient& client, const std::string& authority) {
  Kept kept{client.open(), 0};
  auto asking = test::start(final_status(*kept.exchange, test::connect_request(authority)));
  world.loop.run();
  if (asking.done()) kept.status = asking.value();
  return kept;
}

class ErrorRow : public testing::TestWithParam<plan::Http> {};

INSTANTIATE_TEST_SUITE_P(Over, ErrorRow, testing::Values(plan::Http::h1, plan::Http::h2),
                         [](const auto& one) { return test::version_name(one.param); });

TEST_P(ErrorRow, ADeniedNameIsNotLookedUp) {
  both_ways(test::tunnel_plan(GetParam()), [](World& world, Seen&) {
    HttpClient client(world, GetParam(), world.dial("decap"));
    auto asking = client.ask(test::connect_request("denied.example.org:80"));
    world.loop.run();
    ASSERT_TRUE(asking.done());
    EXPECT_EQ(told(asking.value()), "403 proxy-status: tunnel; error=http_request_denied");
    EXPECT_TRUE(world.network.resolved().empty());
    EXPECT_EQ(world.network.connects(), 0U);
    EXPECT_EQ(world.count(Counter::denied), 1U);
  });
}

// The name server's answer changes between the check and the connect of a careless proxy: here there is one answer.
TEST_P(ErrorRow, ARebindingNameIsLookedUpOnceAndItsForbiddenAddressesAreDropped) {
  both_ways(test::tunnel_plan(GetParam()), [](World& world, Seen&) {
    world.network.name("rebind.example.net", {"127.0.0.1", "93.184.216.34", "169.254.169.254"});
    for (const char* place : {"127.0.0.1:80", "93.184.216.34:80", "169.254.169.254:80"}) world.network.at(place);
    HttpClient client(world, GetParam(), world.dial("decap"));
    Kept tunnel = open_tunnel(world, client, "rebind.example.net:80");
    EXPECT_EQ(tunnel.status, 200);
    EXPECT_EQ(world.network.resolved(), std::vector<std::string>{"rebind.example.net"});
    EXPECT_EQ(world.network.at("93.184.216.34:80").attempts, 1U);
    EXPECT_EQ(world.network.at("127.0.0.1:80").attempts, 0U);
    EXPECT_EQ(world.network.at("169.254.169.254:80").attempts, 0U);
    world.network.name("rebind.example.net", {"127.0.0.1"});
    HttpClient other(world, GetParam(), world.dial("decap"));
    auto first = other.ask(test::connect_request("rebind.example.net:80"));
    world.loop.run();
    ASSERT_TRUE(first.done());
    EXPECT_EQ(told(first.value()), "403 proxy-status: tunnel; error=destination_ip_prohibited");
    EXPECT_EQ(world.network.at("127.0.0.1:80").attempts, 0U);
    EXPECT_GE(world.count(Counter::denied), 1U);
    tunnel.exchange.reset();
    world.loop.run();
  });
}

TEST_P(ErrorRow, TheLimitOfTheProcess) {
  plan::Plan plan = test::tunnel_plan(GetParam());
  plan.process.limits.push_back({"conns", 1});
  both_ways(plan, [](World& world, Seen&) {
    world.network.name("example.com", {"10.0.0.9"});
    world.network.at(kOrigin);
    HttpClient first(world, GetParam(), world.dial("decap"));
    Kept live = open_tunnel(world, first, "example.com:80");
    EXPECT_EQ(live.status, 200);
    HttpClient second(world, GetParam(), world.dial("decap"));
    auto refused = second.ask(test::connect_request("example.com:80"));
    world.loop.run();
    ASSERT_TRUE(refused.done());
    EXPECT_EQ(told(refused.value()), "503 proxy-status: tunnel; error=connection_limit_reached retry-after: 1");
    EXPECT_EQ(world.count(Counter::conns_refused), 1U);
    EXPECT_EQ(world.network.at(kOrigin).peers.size(), 1U);
    // It cost the first one nothing.
    world.network.peer(kOrigin).send(1000);
    world.loop.run();
    Buffer bytes;
    EXPECT_EQ(live.exchange->try_read(bytes, 65536).bytes, 1000U);
    live.exchange.reset();
    world.loop.run();
  });
}

TEST_P(ErrorRow, AnInternalListenerThatIsNotThere) {
  both_ways(decap_to_hops(2), [](World& world, Seen&) {
    world.network.at(kOrigin);
    HttpClient client(world, GetParam(), world.dial("decap"));
    Kept live = open_tunnel(world, client, "any:1");
    EXPECT_EQ(live.status, 200);
    world.stage->registry().remove("hop2");
    HttpClient other(world, GetParam(), world.dial("decap"));
    auto refused = other.ask(test::connect_request("any:1"));
    world.loop.run();
    ASSERT_TRUE(refused.done());
    EXPECT_EQ(told(refused.value()), "503 proxy-status: tunnel; error=destination_not_found");
    // The live one does not notice.
    world.network.peer(kOrigin).send(1000);
    world.loop.run();
    Buffer bytes;
    EXPECT_EQ(live.exchange->try_read(bytes, 65536).bytes, 1000U);
    live.exchange.reset();
    world.loop.run();
  });
}

TEST_P(ErrorRow, TheSeventeenthInternalConnect) {
  for (const unsigned hops : {16U, 17U}) {
    both_ways(
        decap_to_hops(hops),
        [hops](World& world, Seen&) {
          world.network.at(kOrigin);
          HttpClient client(world, GetParam(), world.dial("decap"));
          if (hops == 16) {
            Kept live = open_tunnel(world, client, "any:1");
            EXPECT_EQ(live.status, 200);
            live.exchange.reset();
            world.loop.run();
            return;
          }
          auto refused = client.ask(test::connect_request("any:1"));
          world.loop.run();
          ASSERT_TRUE(refused.done());
          EXPECT_EQ(told(refused.value()), "502 proxy-status: tunnel; error=proxy_loop_detected");
          EXPECT_EQ(world.count(Counter::hop_limit), 1U);
          EXPECT_EQ(world.network.connects(), 0U);
        },
        CompareBytes::no);
  }
}

TEST(UpgradeWithContent, IsNotServedAndReachesNobody) {
  both_ways(test::tunnel_plan(plan::Http::h1), [](World& world, Seen&) {
    test::join_tunnel(world);
    world.network.at(kOrigin);
    HttpClient client(world, plan::Http::h1, world.dial("http"));
    http::RequestHead head = test::get("example.com", "/", "POST");
    head.fields.add("upgrade", "connect-udp");
    auto asking = client.ask(head, "GET /smuggled HTTP/1.1\r\n\r\n");
    world.loop.run();
    ASSERT_TRUE(asking.done());
    EXPECT_EQ(asking.value().head.status, 501);
    EXPECT_EQ(world.network.connects(), 0U);
  });
}

// Over HTTP/2 see H2Rules.BadConnectRequests.
TEST(MalformedConnect, IsToldItsCauseAndClosed) {
  for (const char* target : {"a:", "a:99999", "a", "u@a:1"}) {
    World world(test::tunnel_plan(plan::Http::h1));
    auto raw = world.client("decap");
    raw->send_text("CONNECT " + std::string(target) + " HTTP/1.1\r\nhost: a\r\n\r\n");
    world.loop.run();
    EXPECT_TRUE(raw->received().starts_with("HTTP/1.1 400 ")) << raw->received();
    EXPECT_NE(raw->received().find("\r\nproxy-status: tunnel; error=http_request_error\r\n"), std::string::npos);
    EXPECT_NE(raw->received().find("\r\nconnection: close\r\n"), std::string::npos);
    EXPECT_EQ(raw->fate(), "end");
  }
}

// --- What the next proxy answers

struct Reply {
  const char* name;
  std::uint16_t status;
  std::string front;  // what the client of the listener in front is told
};

class ProxyReply : public testing::TestWithParam<std::tuple<Reply, plan::Http>> {};

TEST_P(ProxyReply, IsToldByItsNumberAndNothingElseOfItPasses) {
  const Reply& reply = std::get<0>(GetParam());
  const plan::Http version = std::get<1>(GetParam());
  both_ways(test::tunnel_plan(version, 1), [&reply, version](World& world, Seen& seen) {
    HttpServer proxy(world, kProxy, version, [&reply](http::ServerExchange& exchange) -> Task<void> {
      http::Fields fields;
      fields.add("location", "http://elsewhere/");
      fields.add("x-secret", "topology");
      Task<void> replying = test::reply(exchange, reply.status, "a body of the proxy", fields);
      co_await replying;
    });
    HttpClient front(world, plan::Http::h1, world.dial("http"));
    auto request = front.ask(test::get("example.com"));
    auto tcp = world.client("tcp");
    world.loop.run();
    ASSERT_TRUE(request.done());
    const Answer answer = request.value();
    EXPECT_EQ(told(answer), reply.front);
    EXPECT_EQ(answer.body.find("a body of the proxy"), std::string::npos);
    EXPECT_EQ(answer.field("location") + answer.field("x-secret"), "");
    EXPECT_TRUE(tcp->failed());
    EXPECT_EQ(tcp->received(), "");
    seen = {told(answer), std::string(tcp->fate())};
    EXPECT_EQ(proxy.requests().size(), 2U);
    for (const http::RequestHead& head : proxy.requests()) EXPECT_EQ(head.authority, "example.com:80");
  });
}

const Reply kReplies[] = {
    {"Moved", 302, "502 proxy-status: tunnel; received-status=302"},
    {"Denied", 403, "502 proxy-status: tunnel; received-status=403"},
    {"WantsALogin", 407, "502 proxy-status: tunnel; received-status=407"},
    {"Broken", 500, "502 proxy-status: tunnel; received-status=500"},
    {"Busy", 503, "502 proxy-status: tunnel; received-status=503"},
};

INSTANTIATE_TEST_SUITE_P(Rows, ProxyReply,
                         testing::Combine(testing::ValuesIn(kReplies), testing::Values(plan::Http::h1, plan::Http::h2)),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param).name) + test::version_name(std::get<1>(one.param));
                         });

// Bytes that are no HTTP, and none at all.
TEST(ProxyGarbage, IsA502) {
  for (const std::string text :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200\n\n", "HTTP/1.1 101 Switching\r\n\r\n", ""}) {
    SCOPED_TRACE(text);
    both_ways(
        test::tunnel_plan(plan::Http::h1),
        [&text](World& world, Seen& seen) {
          world.network.at(kProxy);
          HttpClient front(world, plan::Http::h1, world.dial("http"));
          auto request = front.ask(test::get("example.com"));
          auto tcp = world.client("tcp");
          world.loop.run();
          for (auto& peer : world.network.at(kProxy).peers) {
            EXPECT_NE(peer->received().find("CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n"),
                      std::string::npos);
            if (!text.empty()) peer->send_text(text);
            peer->fin();
          }
          world.loop.run();
          ASSERT_TRUE(request.done());
          EXPECT_EQ(request.value().head.status, 502);
          EXPECT_TRUE(tcp->failed());
          seen = {told(request.value())};
        },
        CompareBytes::no);
  }
}

// --- What is no error, but must not look like one

class ProxyAccepts : public testing::TestWithParam<plan::Http> {};

INSTANTIATE_TEST_SUITE_P(Over, ProxyAccepts, testing::Values(plan::Http::h1, plan::Http::h2),
                         [](const auto& one) { return test::version_name(one.param); });

TEST_P(ProxyAccepts, Any2xxAndAnyInterimAnswersBefore) {
  for (const std::uint16_t status : {200, 201, 299}) {
    const Outcome outcome = both_ways(test::tunnel_plan(GetParam(), 1), [status](World& world, Seen& seen) {
      HttpServer proxy(world, kProxy, GetParam(), [status](http::ServerExchange& exchange) -> Task<void> {
        const http::ResponseHead go{100, {}};
        const http::ResponseHead hints{103, {}};
        (void)(co_await exchange.inform(go)).ok();
        (void)(co_await exchange.inform(hints)).ok();
        const http::ResponseHead head{status, {}};
        (void)(co_await exchange.respond(head, http::Body::tunnel())).ok();
        Buffer greeting(std::string_view("server first"));
        (void)(co_await exchange.write(greeting)).ok();
        (void)(co_await exchange.shutdown_write()).ok();
        Result<std::size_t> end = co_await exchange.read(greeting, 100);
        EXPECT_TRUE(end.ok());
      });
      auto tcp = world.client("tcp");
      world.loop.run();
      tcp->fin();
      world.loop.run();
      seen = {tcp->received(), std::string(tcp->fate())};
    });
    EXPECT_EQ(outcome.seen, (Seen{"server first", "end"})) << status;
  }
}

TEST_P(ProxyAccepts, No200BeforeTheUpstreamIsThere) {
  both_ways(test::tunnel_plan(GetParam()), [](World& world, Seen&) {
    world.network.name("example.com", {"10.0.0.9"});
    world.network.at(kOrigin).delay = seconds(2);
    HttpClient client(world, GetParam(), world.dial("decap"));
    Kept tunnel{client.open(), 0};
    auto asking = test::start(final_status(*tunnel.exchange, test::connect_request("example.com:80")));
    world.loop.advance(milliseconds(1999));
    EXPECT_FALSE(asking.done());
    world.loop.advance(milliseconds(1));
    ASSERT_TRUE(asking.done());
    EXPECT_EQ(asking.value(), 200);
    tunnel.exchange.reset();
    world.loop.run();
  });
}

}  // namespace
}  // namespace tunnel
