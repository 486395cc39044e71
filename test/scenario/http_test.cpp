// SPDX-License-Identifier: Apache-2.0
// http_proxy in front of an origin or another proxy: every pair of versions, bodies, interim answers, retries, pools.
#include <gtest/gtest.h>

#include <string>

#include "support/both_ways.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Answer;
using test::HttpClient;
using test::HttpServer;
using test::kOrigin;
using test::Peer;
using test::World;

constexpr std::uint64_t kMiB = 1 << 20;

// "front" (9000): /stop answers itself, anything else and CONNECT go to the cluster.
plan::Plan forwarding(Http upstream, bool through_hop = false) {
  plan::Plan plan;
  plan::HttpProxy front;
  front.routes.push_back({plan::Match{false, "/stop"}, plan::Respond{418, "short and stout\n"}, {}});
  front.routes.push_back({plan::Match{false, "/"}, plan::Forward{"out"}, {}});
  front.routes.push_back({plan::Match{true, "/"}, plan::Forward{"out"}, {}});
  plan.listeners.push_back(test::tcp_listener("front", 9000, std::move(front)));
  if (through_hop) {
    plan.clusters.push_back(test::to_internal("out", "hop", upstream));
    plan.listeners.push_back(test::internal_listener("hop", plan::TcpProxy{"last", std::nullopt}));
    plan.clusters.push_back(test::to_tcp("last", "10.0.0.9", 80));
  } else {
    plan.clusters.push_back(test::to_tcp("out", "10.0.0.9", 80, upstream));
  }
  return plan;
}

struct Versions {
  Http client;
  Http origin;
  bool through_hop;
};

std::string name_of(const Versions& v) {
  return std::string(v.client == Http::h1 ? "H1" : "H2") + "To" + (v.origin == Http::h1 ? "H1" : "H2") +
         (v.through_hop ? "OverAHop" : "");
}
void PrintTo(const Versions& v, std::ostream* out) { *out << name_of(v); }

class Forward : public testing::TestWithParam<Versions> {
 protected:
  Forward() : world(forwarding(GetParam().origin, GetParam().through_hop)) {}
  ~Forward() override {
    client.reset();
    server.reset();
    world.end();
    world.network.drop_peers();
    EXPECT_EQ(world.open_gauges(), "");
  }
  void serve(HttpServer::Serve handler) {
    server = std::make_unique<HttpServer>(world, kOrigin, GetParam().origin, std::move(handler));
  }
  HttpClient& front() {
    if (!client) client = std::make_unique<HttpClient>(world, GetParam().client, world.dial("front"));
    return *client;
  }
  Answer ask(http::RequestHead head, std::string content = {}, http::Fields trailers = {}) {
    auto asking = test::start(test::ask(front().open(), std::move(head), std::move(content), std::move(trailers)));
    world.loop.run_until([&asking] { return asking.done(); }, std::chrono::minutes(2));
    if (!asking.done()) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    return asking.value();
  }
  World world;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<HttpClient> client;
};

INSTANTIATE_TEST_SUITE_P(Versions, Forward,
                         testing::Values(Versions{Http::h1, Http::h1, false}, Versions{Http::h1, Http::h2, false},
                                         Versions{Http::h2, Http::h1, false}, Versions{Http::h2, Http::h2, false},
                                         Versions{Http::h1, Http::h1, true}, Versions{Http::h2, Http::h2, true}),
                         [](const auto& one) { return name_of(one.param); });

// Reads a request body to its end, notes it, answers with `status`.
Task<void> swallow(http::ServerExchange& exchange, std::string& into, std::uint16_t status = 200) {
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await exchange.read(buffer, 65536);
    into += buffer.to_string();
    buffer.clear();
    if (!n.ok() || *n == 0) break;
  }
  Task<void> replying = test::reply(exchange, status, "taken");
  co_await replying;
}

TEST_P(Forward, AGetArrivesAsItWasSent) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    http::Fields fields;
    fields.add("x-answer", "yes");
    Task<void> replying = test::reply(exchange, 201, "made", std::move(fields));
    co_await replying;
  });
  http::RequestHead head = test::get("example.com:8080", "/a/b?c=d%20e");
  head.fields.add("x-question", "why");
  head.fields.add("cookie", "a=1");
  head.fields.add("accept", "text/html");
  const Answer answer = ask(head);
  EXPECT_EQ(answer.head.status, 201);
  EXPECT_EQ(answer.body, "made");
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.field("x-answer"), "yes");
  ASSERT_EQ(server->requests().size(), 1U);
  const http::RequestHead& seen = server->requests().front();
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.authority, "example.com:8080");
  EXPECT_EQ(seen.path, "/a/b?c=d%20e");
  EXPECT_EQ(*seen.fields.find("x-question"), "why");
  EXPECT_EQ(*seen.fields.find("cookie"), "a=1");
  client.reset();
  ASSERT_EQ(world.records.all.back().kind, AccessRecord::Kind::request);
  EXPECT_EQ(world.records.all.front().status, 201);
}

TEST_P(Forward, APostOfEveryAwkwardSize) {
  std::string taken;
  serve([&taken](http::ServerExchange& exchange) -> Task<void> {
    Task<void> swallowing = swallow(exchange, taken);
    co_await swallowing;
  });
  for (const std::size_t size : {1UL, 16383UL, 16384UL, 16385UL, 65535UL, 65536UL, 1UL << 20}) {
    taken.clear();
    const std::string body = test::pattern(0, size);
    const Answer answer = ask(test::get("example.com", "/", "POST"), body);
    EXPECT_EQ(answer.head.status, 200) << size;
    EXPECT_TRUE(taken == body) << size;
  }
  EXPECT_EQ(server->connections(), 1U);
}

TEST_P(Forward, ARequestWithTrailers) {
  std::string taken;
  http::Fields seen;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    Task<void> swallowing = swallow(exchange, taken);
    co_await swallowing;
    seen = exchange.trailers();
  });
  http::Fields trailers;
  trailers.add("x-checksum", "123");
  const Answer answer = ask(test::get("example.com", "/", "POST"), "body", trailers);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(taken, "body");
  ASSERT_TRUE(seen.contains("x-checksum"));
  EXPECT_EQ(*seen.find("x-checksum"), "123");
}

TEST_P(Forward, AnAnswerWithTrailers) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    const http::ResponseHead head{200, {}};
    Result<void> sent = co_await exchange.respond(head, http::Body::unknown());
    Buffer body("some");
    if (sent.ok()) sent = co_await exchange.write(body);
    http::Fields trailers;
    trailers.add("x-sum", "9");
    if (sent.ok()) sent = co_await exchange.finish(trailers);
  });
  const Answer answer = ask(test::get("example.com"));
  EXPECT_EQ(answer.body, "some");
  EXPECT_TRUE(answer.ended);
  ASSERT_TRUE(answer.trailers.contains("x-sum"));
}

TEST_P(Forward, HeadAndBodilessAnswersKeepTheConnection) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    const std::string path = exchange.request().path;
    http::ResponseHead head{200, {}};
    if (path == "/204") head.status = 204;
    if (path == "/304") head.status = 304;
    if (exchange.request().method == "HEAD") head.fields.add("content-length", "12345");
    Result<void> sent = co_await exchange.respond(head, http::Body::none());
    (void)sent.ok();
  });
  const Answer head = ask(test::get("example.com", "/", "HEAD"));
  EXPECT_EQ(head.head.status, 200);
  EXPECT_EQ(head.field("content-length"), "12345");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(ask(test::get("example.com", "/204")).head.status, 204);
  EXPECT_EQ(ask(test::get("example.com", "/304")).head.status, 304);
  EXPECT_EQ(ask(test::get("example.com", "/")).head.status, 200);
  EXPECT_EQ(server->connections(), 1U);
}

TEST_P(Forward, InterimAnswersPassOn) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    http::ResponseHead hints{103, {}};
    hints.fields.add("link", "</style.css>");
    Result<void> sent = co_await exchange.inform(hints);
    if (sent.ok()) sent = co_await exchange.inform(hints);
    Task<void> replying = test::reply(exchange, 200, "done");
    co_await replying;
  });
  const Answer answer = ask(test::get("example.com"));
  EXPECT_EQ(answer.head.status, 200);
  std::size_t hints = 0;
  for (const http::ResponseHead& interim : answer.interim) hints += interim.status == 103 ? 1 : 0;
  EXPECT_EQ(hints, 2U);
}

TEST_P(Forward, HopByHopFieldsStayHere) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    http::Fields fields;
    if (GetParam().origin == Http::h1) fields.add("keep-alive", "timeout=5");
    fields.add("proxy-authenticate", "Basic");
    fields.add("x-kept", "1");
    Task<void> replying = test::reply(exchange, 200, "ok", std::move(fields));
    co_await replying;
  });
  if (GetParam().client == Http::h1) {
    auto raw = world.client("front");
    raw->send_text(
        "GET / HTTP/1.1\r\nhost: example.com\r\nconnection: x-private, close\r\nx-private: secret\r\n"
        "te: trailers, deflate\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nx-kept: 1\r\n\r\n");
    world.loop.run();
    ASSERT_EQ(server->requests().size(), 1U);
    const http::Fields& seen = server->requests().front().fields;
    for (const char* name : {"x-private", "keep-alive", "proxy-connection"}) EXPECT_FALSE(seen.contains(name)) << name;
    // A Connection field of the next hop may name what the front itself passes on, never what it was told.
    EXPECT_FALSE(seen.has_token("connection", "x-private"));
    EXPECT_FALSE(seen.has_token("connection", "close"));
    if (const std::string* te = seen.find("te")) {
      EXPECT_EQ(*te, "trailers");
    }
    EXPECT_TRUE(seen.contains("x-kept"));
    EXPECT_TRUE(raw->ended());  // it asked for that
    return;
  }
  http::RequestHead head = test::get("example.com");
  head.fields.add("proxy-authorization", "Basic abc");
  head.fields.add("x-kept", "1");
  const Answer answer = ask(head);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.field("x-kept"), "1");
  EXPECT_EQ(answer.field("proxy-authenticate"), "");
  EXPECT_EQ(answer.field("keep-alive"), "");
  ASSERT_EQ(server->requests().size(), 1U);
  const http::Fields& seen = server->requests().front().fields;
  EXPECT_FALSE(seen.contains("proxy-authorization"));
  EXPECT_TRUE(seen.contains("x-kept"));
}

TEST_P(Forward, EightMebibytesEachWayAtOnce) {
  world.network.pair_bytes(4096);
  world.client_pair_bytes = 4096;
  serve([](http::ServerExchange& exchange) -> Task<void> {
    const http::ResponseHead head{200, {}};
    Result<void> sent = co_await exchange.respond(head, http::Body::unknown());
    Buffer buffer;
    while (sent.ok()) {
      Result<std::size_t> n = co_await exchange.read(buffer, 65536);
      if (!n.ok() || *n == 0) break;
      sent = co_await exchange.write(buffer);
    }
    if (sent.ok()) sent = co_await exchange.shutdown_write();
  });
  const std::string body = test::pattern(0, 8 * kMiB);
  const Answer answer = ask(test::get("example.com", "/", "POST"), body);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_TRUE(answer.body == body);
  EXPECT_TRUE(answer.ended);
}

TEST_P(Forward, AnEarlyRefusalReachesAClientThatStillUploads) {
  world.network.pair_bytes(4096);
  world.client_pair_bytes = 4096;
  serve([](http::ServerExchange& exchange) -> Task<void> {
    Task<void> replying = test::reply(exchange, 413, "too much");
    co_await replying;
  });
  const Answer answer = ask(test::get("example.com", "/", "POST"), test::pattern(0, 8 * kMiB));
  EXPECT_EQ(answer.head.status, 413);
  EXPECT_EQ(answer.body, "too much");
}

TEST_P(Forward, AnOriginThatDiesMidBodyIsNoCompleteAnswer) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    const http::ResponseHead head{200, {}};
    Result<void> sent = co_await exchange.respond(head, http::Body::unknown());
    Buffer part("half of it");
    if (sent.ok()) sent = co_await exchange.write(part);
    co_await Sleep(exchange.loop(), exchange.loop().now() + milliseconds(10));  // it has left
    exchange.abort(Error(Error::Kind::reset, "the origin dies"));
  });
  const Answer answer = ask(test::get("example.com"));
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.body, "half of it");
  EXPECT_FALSE(answer.ended);
}

TEST_P(Forward, AnOriginThatNeverAnswersIsGivenUpWhenTheClientLeaves) {
  Error seen;
  bool over = false;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    Task<void> silent = test::no_answer(exchange);
    co_await silent;
    over = true;
  });
  auto asking = front().ask(test::get("example.com"));
  world.loop.advance(seconds(1));
  EXPECT_FALSE(asking.done());
  client.reset();
  world.loop.advance(seconds(1));
  EXPECT_TRUE(over);
}

TEST_P(Forward, ARouteMayAnswerItself) {
  const Answer answer = ask(test::get("example.com", "/stop/now"));
  EXPECT_EQ(answer.head.status, 418);
  EXPECT_EQ(answer.body, "short and stout\n");
  EXPECT_EQ(world.network.connects(), 0U);
  const Answer head = ask(test::get("example.com", "/stop", "HEAD"));
  EXPECT_EQ(head.head.status, 418);
  EXPECT_EQ(head.field("content-length"), "16");
  EXPECT_EQ(head.body, "");
}

TEST_P(Forward, AnUpgradeIsNotImplemented) {
  if (GetParam().client == Http::h1) {
    auto raw = world.client("front");
    raw->send_text("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    world.loop.run();
    EXPECT_TRUE(raw->received().starts_with("HTTP/1.1 501 ")) << raw->received();
  }
  EXPECT_EQ(world.network.connects(), 0U);
}

TEST_P(Forward, AConnectIsPassedOnToTheNextProxy) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    Task<void> echoing = test::echo_tunnel(exchange);
    co_await echoing;
  });
  const std::string bytes = test::pattern(0, kMiB);
  const Answer answer = ask(test::connect_request("far.example.com:443"), bytes);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_TRUE(answer.body == bytes);
  EXPECT_TRUE(answer.ended);
  ASSERT_EQ(server->requests().size(), 1U);
  EXPECT_EQ(server->requests().front().authority, "far.example.com:443");
  EXPECT_TRUE(server->requests().front().is_connect());
}

TEST_P(Forward, ARefusedConnectIsPassedBack) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    Task<void> replying = test::reply(exchange, 403, "not you");
    co_await replying;
  });
  const Answer answer = ask(test::connect_request("far.example.com:443"));
  EXPECT_EQ(answer.head.status, 403);
}

TEST_P(Forward, ADeadOriginIsA502) {
  const Answer answer = ask(test::get("example.com"));
  EXPECT_EQ(answer.head.status, 502);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=connection_refused");
  EXPECT_EQ(ask(test::get("example.com")).head.status, 502);  // the client's connection lives on
}

TEST_P(Forward, ADeadPooledConnectionCostsARetryNotARequest) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    Task<void> replying = test::reply(exchange, 200, "ok");
    co_await replying;
  });
  EXPECT_EQ(ask(test::get("example.com")).head.status, 200);
  // The origin dies while the connection is idle; the front may or may not have heard of it when the request comes.
  server->stream(0).abort(Error(Error::Kind::reset, "restart"));
  EXPECT_EQ(ask(test::get("example.com")).head.status, 200);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_P(Forward, ARequestWhoseConnectionDiesWithoutAnAnswer) {
  std::size_t times = 0;
  serve([&times](http::ServerExchange& exchange) -> Task<void> {
    ++times;
    if (exchange.request().method == "POST") {
      Buffer some;
      Result<std::size_t> n = co_await exchange.read(some, 100);
      (void)n.ok();
      exchange.abort(Error(Error::Kind::reset, "crash"));
      co_return;
    }
    Task<void> replying = test::reply(exchange, 200, "ok");
    co_await replying;
  });
  EXPECT_EQ(ask(test::get("example.com")).head.status, 200);
  times = 0;
  // Body bytes were taken: nobody may send them again.
  EXPECT_EQ(ask(test::get("example.com", "/", "POST"), "charge me once").head.status, 502);
  EXPECT_EQ(times, 1U);
  EXPECT_EQ(world.count(Counter::retries), 0U);
}

TEST(Pool, ManyTunnelsShareOneHttp2Connection) {
  World world(test::tunnel_plan(Http::h2));
  test::join_tunnel(world);
  world.network.at(kOrigin);
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(world.client("tcp"));
  world.loop.run();
  EXPECT_EQ(world.network.at("10.0.0.2:3128").attempts, 1U);
  EXPECT_EQ(world.network.at(kOrigin).peers.size(), 50U);
  EXPECT_EQ(world.counters.value(Gauge::pool_connections), 1U);
  EXPECT_EQ(world.counters.value(Gauge::leases), 50U);
}

TEST(Pool, TheHundredAndFirstTunnelTakesASecondConnection) {
  World world(test::tunnel_plan(Http::h2));
  test::join_tunnel(world);
  world.network.at(kOrigin);
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 101; ++i) clients.push_back(world.client("tcp"));
  world.loop.run();
  EXPECT_EQ(world.network.at("10.0.0.2:3128").attempts, 2U);
  EXPECT_EQ(world.network.at(kOrigin).peers.size(), 101U);
}

TEST(Pool, AfterGoawayTheNextTunnelTakesAFreshConnectionAndTheOldOnesLiveOn) {
  World world(test::tunnel_plan(Http::h2));
  HttpServer proxy(world, "10.0.0.2:3128", Http::h2, [](http::ServerExchange& exchange) -> Task<void> {
    Task<void> echoing = test::echo_tunnel(exchange);
    co_await echoing;
  });
  auto first = world.client("tcp");
  first->send(100);
  world.loop.run();
  ASSERT_EQ(proxy.connections(), 1U);
  proxy.connection(0).drain();
  world.loop.advance(seconds(1));
  auto second = world.client("tcp");
  second->send(100);
  world.loop.run();
  EXPECT_EQ(proxy.connections(), 2U);
  EXPECT_EQ(second->received().size(), 100U);
  first->send_and_fin(1000);
  world.loop.run();
  EXPECT_EQ(first->received().size(), 1100U);
  EXPECT_TRUE(first->ended());
  second->fin();
  world.loop.advance(seconds(2));
  EXPECT_EQ(proxy.open_connections(), 1U);
}

TEST(Pool, ADyingConnectionResetsItsTunnelsAndTheNextIsFresh) {
  World world(test::tunnel_plan(Http::h2));
  test::join_tunnel(world);
  HttpServer proxy(world, "10.0.0.2:3128", Http::h2, [](http::ServerExchange& exchange) -> Task<void> {
    Task<void> echoing = test::echo_tunnel(exchange);
    co_await echoing;
  });
  auto first = world.client("tcp");
  auto second = world.client("tcp");
  world.loop.run();
  proxy.stream(0).abort(Error(Error::Kind::reset, "killed"));
  world.loop.run();
  EXPECT_TRUE(first->failed());
  EXPECT_TRUE(second->failed());
  auto third = world.client("tcp");
  third->send(100);
  world.loop.run();
  EXPECT_EQ(third->received().size(), 100U);
}

struct Decap : testing::TestWithParam<Http> {
  Decap() : world(test::tunnel_plan(GetParam())), client(world, GetParam(), world.dial("decap")) {
    test::join_tunnel(world);
  }
  Answer ask(http::RequestHead head, Duration limit = seconds(1)) {
    auto asking = client.ask(std::move(head));
    world.loop.run_until([&asking] { return asking.done(); }, limit);
    if (!asking.done()) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    return asking.value();
  }
  World world;
  HttpClient client;
};

INSTANTIATE_TEST_SUITE_P(Over, Decap, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return one.param == Http::h1 ? "H1" : "H2"; });

TEST_P(Decap, OtherMethodsAreNotAllowed) {
  const Answer answer = ask(test::get("example.com"));
  EXPECT_EQ(answer.head.status, 405);
  EXPECT_EQ(answer.field("allow"), "CONNECT");
  EXPECT_EQ(answer.field("proxy-status"), "");
  EXPECT_EQ(world.network.connects(), 0U);
}

TEST_P(Decap, AListenerTakenAwayIsNotFoundAndALoopIsALoop) {
  World other(test::tunnel_plan(GetParam(), 1));
  test::join_tunnel(other);
  other.stage->registry().remove("encap");
  HttpClient front(other, Http::h1, other.dial("http"));
  auto asking = front.ask(test::get("example.com"));
  other.loop.run();
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=destination_not_found");
}

TEST_P(Decap, TooManyHopsAreALoop) {
  World other(test::tunnel_plan(GetParam(), 16));
  test::join_tunnel(other);
  HttpClient front(other, Http::h1, other.dial("http"));
  auto asking = front.ask(test::get("example.com"));
  other.loop.run();
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 502);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=proxy_loop_detected");
  EXPECT_EQ(other.count(Counter::hop_limit), 1U);
}

TEST_P(Decap, OverItsLimitItSaysSoOnceAndCloses) {
  plan::Plan limited = test::tunnel_plan(GetParam());
  limited.listeners.back().max_connections = 1;
  World other(limited);
  test::join_tunnel(other);
  HttpClient first(other, GetParam(), other.dial("decap"));
  other.loop.run();
  HttpClient second(other, GetParam(), other.dial("decap"));
  auto asking = second.ask(test::connect_request("example.com:80"));
  other.loop.advance(seconds(2));
  ASSERT_TRUE(asking.done());
  const Answer answer = asking.value();
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.field("proxy-status"), "tunnel; error=connection_limit_reached");
  EXPECT_NE(answer.field("retry-after"), "");
  EXPECT_EQ(other.count(Counter::listener_conns_refused), 1U);
  EXPECT_FALSE(second.connection().usable());
}

TEST(Decap, ItsOwnNumberOfStreamsIsWhatAClientMayOpen) {
  plan::Plan limited = test::tunnel_plan(Http::h2);
  std::get<plan::HttpProxy>(limited.listeners.back().handler).streams = 2;
  World world(limited);
  test::join_tunnel(world);
  world.network.at(kOrigin);
  HttpClient client(world, Http::h2, world.dial("decap"));
  world.loop.run();
  EXPECT_EQ(client.connection().capacity(), 2U);
  // A third tunnel of ours takes a second connection instead of a refusal.
  std::vector<std::unique_ptr<test::Peer>> tunnels;
  for (int i = 0; i < 3; ++i) {
    tunnels.push_back(world.client("tcp"));
    world.loop.run();
  }
  for (const auto& each : tunnels) EXPECT_EQ(each->fate(), "open");
  EXPECT_EQ(world.network.at(kOrigin).peers.size(), 3U);
  EXPECT_EQ(world.count(Counter::h2_streams_refused), 0U);
}

TEST_P(Decap, AClientOverTheLimitThatSaysNothingIsClosedSoon) {
  plan::Plan limited = test::tunnel_plan(GetParam());
  limited.listeners.back().max_connections = 1;
  World other(limited);
  auto first = other.client("decap");
  auto second = other.client("decap");
  if (GetParam() == Http::h2)
    second->send_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9));
  other.loop.advance(seconds(5));
  EXPECT_EQ(second->fate(), "open");
  other.loop.advance(seconds(20));
  EXPECT_NE(second->fate(), "open");
}

TEST_P(Decap, MixedAddressesAreSiftedAndOnlyTheAllowedOneIsConnectedTo) {
  world.network.name("mixed.example.net", {"127.0.0.1", "10.0.0.9", "169.254.169.254"});
  world.network.at("127.0.0.1:80");
  world.network.at("169.254.169.254:80");
  world.network.at(kOrigin);
  auto exchange = client.open();
  const http::RequestHead head = test::connect_request("mixed.example.net:80");
  Result<void> sent = world.loop.await(exchange->send(head, http::Body::tunnel()));
  EXPECT_TRUE(sent.ok());
  Result<http::ResponseHead> answer = world.loop.await(exchange->head());
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(world.network.at(kOrigin).attempts, 1U);
  EXPECT_EQ(world.network.at("127.0.0.1:80").attempts, 0U);
  EXPECT_EQ(world.network.at("169.254.169.254:80").attempts, 0U);
  EXPECT_EQ(world.network.resolved().size(), 1U);  // one lookup: nothing to rebind
}

TEST_P(Decap, AConnectItsClientResetsIsGivenUp) {
  world.network.at(kOrigin).silent = true;
  auto exchange = client.open();
  const http::RequestHead head = test::connect_request("example.com:80");
  Result<void> sent = world.loop.await(exchange->send(head, http::Body::tunnel()));
  EXPECT_TRUE(sent.ok());
  world.loop.advance(seconds(1));
  EXPECT_EQ(world.network.at(kOrigin).attempts, 1U);
  exchange->abort(Error(Error::Kind::cancelled, "changed my mind"));
  world.loop.advance(milliseconds(10));
  EXPECT_EQ(world.network.at(kOrigin).abandoned, 1U);
  exchange.reset();
}

TEST(Decap, MalformedConnectsAreRefusedWithoutADnsQuery) {
  for (const char* target : {"a:", "a:0", "a:65536", "a:99999", "a:+1", "a:080x", "a", "http://a/", "u@a:1", "[::1",
                             "a:1:2", ":80", "[::1%25lo]:80"}) {
    World world(test::tunnel_plan(Http::h1));
    auto raw = world.client("decap");
    raw->send_text("CONNECT " + std::string(target) + " HTTP/1.1\r\nhost: " + std::string(target) + "\r\n\r\n");
    world.loop.advance(seconds(2));
    EXPECT_TRUE(raw->received().starts_with("HTTP/1.1 400 ")) << target << ": " << raw->received();
    EXPECT_TRUE(raw->ended()) << target;
    EXPECT_TRUE(world.network.resolved().empty()) << target;
    EXPECT_EQ(world.network.connects(), 0U) << target;
    EXPECT_EQ(world.records.all.size(), 1U) << target;
  }
}

TEST(Decap, NothingBehindARefusedConnectIsParsed) {
  World world(test::tunnel_plan(Http::h1));
  auto raw = world.client("decap");
  raw->send_text(
      "CONNECT denied.example.org:80 HTTP/1.1\r\nhost: denied.example.org:80\r\n\r\n"
      "GET /x HTTP/1.1\r\nhost: a\r\n\r\n");
  world.loop.advance(seconds(3));
  EXPECT_TRUE(raw->received().starts_with("HTTP/1.1 403 ")) << raw->received();
  EXPECT_EQ(raw->received().find("HTTP/1.1", 1), std::string::npos) << raw->received();
  EXPECT_TRUE(raw->ended() || raw->failed());
  EXPECT_EQ(world.count(Counter::requests), 1U);
}

TEST(Decap, BytesBehindTheHeadBelongToTheTunnel) {
  World world(test::tunnel_plan(Http::h1));
  world.network.name("example.com", {"10.0.0.9"});
  world.network.at(kOrigin).delay = seconds(1);
  auto raw = world.client("decap");
  raw->send_text("CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\nearly bird");
  world.loop.advance(milliseconds(500));
  EXPECT_EQ(raw->received(), "");
  world.loop.advance(seconds(1));
  EXPECT_TRUE(raw->received().starts_with("HTTP/1.1 200 ")) << raw->received();
  EXPECT_EQ(raw->received().find("ontent-"), std::string::npos);
  EXPECT_EQ(raw->received().find("ransfer-"), std::string::npos);
  EXPECT_EQ(world.network.peer(kOrigin).received(), "early bird");
}

// Envoy's third pipeline: a CONNECT ends here and its inner GET meets a second HTTP layer behind an internal listener.
TEST(Pipelines, AGetInConnectAnsweredBehindAnInternalListener) {
  for (const Http version : {Http::h1, Http::h2}) {
    plan::Plan plan = test::tunnel_plan(version);
    plan.clusters.back() = test::to_internal("out", "inner");
    plan::HttpProxy inner;
    inner.routes.push_back({plan::Match{false, "/"}, plan::Respond{200, "from inside\n"}, {}});
    plan.listeners.push_back(test::internal_listener("inner", std::move(inner)));
    const test::Outcome outcome = test::both_ways(plan, [](World& world, test::Seen& seen) {
      test::join_tunnel(world);
      HttpClient front(world, Http::h1, world.dial("http"));
      auto asking = front.ask(test::get("example.com", "/any"));
      world.loop.run();
      ASSERT_TRUE(asking.done());
      const Answer answer = asking.value();
      seen = {std::to_string(answer.head.status), answer.body};
    });
    EXPECT_EQ(outcome.seen, (test::Seen{"200", "from inside\n"}));
    EXPECT_EQ(outcome.records.size(), 4U);
  }
}

}  // namespace
}  // namespace tunnel
