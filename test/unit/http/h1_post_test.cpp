// SPDX-License-Identifier: Apache-2.0
// Tunnels by POST over HTTP/1.1: chunks both ways, ended by the last one, on a connection that carries nothing else.
#include <vector>

#include "unit/http/h1_support.hpp"

namespace tunnel::test::http1 {
namespace {

using http::Body;
using http::RequestHead;
using http::ResponseHead;

const std::string kPost = "POST /t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kChunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

std::string without_date(std::string text) {
  const std::size_t at = text.find("date: ");
  return at == std::string::npos ? text : text.erase(at, text.find("\r\n", at) + 2 - at);
}

Task<void> echo_tunnel(http::ServerExchange& exchange) {
  EXPECT_EQ(exchange.request_body(), Body::unknown());
  ResponseHead head;
  Result<void> responded = co_await exchange.respond(head, Body::tunnel());
  EXPECT_TRUE(responded.ok()) << responded.error().text();
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await exchange.read(buffer, 65536);
    if (!n.ok()) co_return exchange.abort(n.error());
    if (*n == 0) break;
    (void)(co_await exchange.write(buffer)).ok();
  }
  (void)(co_await exchange.shutdown_write()).ok();
}

class H1PostServer : public ::testing::Test {
 protected:
  void serve(TestHandler::Serve serving) {
    peer.reset();
    server.reset();
    handler.serving = std::move(serving);
    auto [mine, theirs] = make_user_space_pair(world.context, 65536);
    server.emplace(world, std::move(theirs), handler);
    peer.emplace(world, std::move(mine));
    world.loop.run();
  }
  void TearDown() override {
    peer.reset();
    EXPECT_TRUE(server->done());
    server.reset();
    EXPECT_TRUE(world.gauges_are_zero());
  }
  SimWorld world;
  TestHandler handler;
  std::optional<TestServer> server;
  std::optional<RawPeer> peer;
};

TEST_F(H1PostServer, AnswersInChunksAndEndsWithTheLastOne) {
  for (const bool ragged : {false, true}) {
    serve(echo_tunnel);
    peer->write(kPost + "5\r\nearly\r\n", ragged);
    EXPECT_EQ(without_date(peer->take()).substr(0, kChunked.size()), kChunked);
    peer->write("3;x=y\r\nabc\r\n");
    EXPECT_EQ(peer->take(), "3\r\nabc\r\n");
    EXPECT_FALSE(peer->ended());
    peer->write("0\r\n\r\n", ragged);
    EXPECT_EQ(peer->take(), "0\r\n\r\n");
    EXPECT_TRUE(peer->ended());
    peer->finish();
    EXPECT_TRUE(server->orderly);
  }
}

TEST_F(H1PostServer, EitherSideMayEndFirst) {
  std::string got;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::tunnel())).ok();
    (void)(co_await write_text(exchange, "first")).ok();
    (void)(co_await exchange.shutdown_write()).ok();
    got = *(co_await read_all(exchange));
  });
  peer->write(kPost);
  EXPECT_EQ(body_of(peer->take()), "5\r\nfirst\r\n0\r\n\r\n");
  const std::string bulk = pattern(65536);
  for (int i = 0; i < 5; ++i) peer->write("10000\r\n" + bulk + "\r\n");
  peer->write("0\r\n\r\n");
  EXPECT_EQ(got, bulk + bulk + bulk + bulk + bulk);
  peer->finish();
  EXPECT_TRUE(server->orderly);
}

TEST_F(H1PostServer, NothingBehindTheLastChunkIsParsed) {
  serve(echo_tunnel);
  peer->write(kPost + "0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(peer->received()), "0\r\n\r\n");
  EXPECT_TRUE(peer->ended());
  EXPECT_EQ(handler.requests, std::vector<std::string>{"POST h/t"});
}

TEST_F(H1PostServer, AnEndWithoutTheLastChunkIsNoEnd) {
  Error failure;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::tunnel())).ok();
    Result<std::string> all = co_await read_all(exchange);
    if (!all.ok()) failure = all.error();
    exchange.abort(failure);
  });
  peer->write(kPost + "3\r\nabc\r\n");
  peer->finish();
  EXPECT_EQ(failure.kind, Error::Kind::closed);
  EXPECT_EQ(failure.side, Error::Side::downstream);
  EXPECT_TRUE(peer->reset());
}

TEST_F(H1PostServer, BrokenChunksResetIt) {
  for (const char* bad : {"x\r\n", "3\r\nabcd\r\n", "-1\r\n", "ffffffffffffffffff\r\n"}) {
    bool failed = false;
    serve([&](http::ServerExchange& exchange) -> Task<void> {
      ResponseHead head;
      (void)(co_await exchange.respond(head, Body::tunnel())).ok();
      Result<std::string> all = co_await read_all(exchange);
      failed = !all.ok() && all.error().kind == Error::Kind::protocol;
      exchange.abort(all.error());
    });
    peer->write(kPost + bad);
    EXPECT_TRUE(failed) << bad;
    EXPECT_TRUE(peer->reset()) << bad;
  }
}

// What cannot be told from a page is none.
TEST_F(H1PostServer, OnlyA2xxToABodyWithoutALengthIsATunnel) {
  struct Case {
    std::string request;
    std::uint16_t status;
  };
  const std::vector<Case> cases = {
      {"POST /t HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200},
      {"POST /t HTTP/1.1\r\nHost: h\r\n\r\n", 200},
      {"PUT /t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200},
      {kPost + "0\r\n\r\n", 204},
      {kPost + "0\r\n\r\n", 403},
  };
  for (const Case& each : cases) {
    serve([&](http::ServerExchange& exchange) -> Task<void> {
      ResponseHead head;
      head.status = each.status;
      Result<void> tunnel = co_await exchange.respond(head, Body::tunnel());
      EXPECT_EQ(tunnel.error().kind, Error::Kind::internal) << each.request << each.status;
      // Nothing was sent: another answer can be.
      head.status = 400;
      (void)(co_await exchange.respond(head, Body::none())).ok();
    });
    peer->write(each.request);
    EXPECT_EQ(status_line(peer->received()), "HTTP/1.1 400 Bad Request") << each.request;
  }
}

class H1PostClient : public ::testing::Test {
 protected:
  void begin() {
    finish();
    auto [mine, theirs] = make_user_space_pair(world.context, 65536);
    client = h1::make_client(world.context, std::move(mine));
    running.emplace(start(client->run()));
    server.emplace(world, std::move(theirs));
    world.loop.run();
    RequestHead head;
    head.method = "POST";
    head.scheme = "http";
    head.authority = "h:81";
    head.path = "/t";
    exchange = client->open();
    EXPECT_TRUE(world.await(exchange->send(head, Body::tunnel())).ok());
    world.loop.run();
    EXPECT_EQ(server->take(), "POST /t HTTP/1.1\r\nhost: h:81\r\ntransfer-encoding: chunked\r\n\r\n");
  }
  void finish() {
    exchange.reset();
    if (client) {
      client->close();
      world.loop.run();
      server.reset();
      world.loop.run();
      EXPECT_TRUE(running->done());
      client.reset();
    }
    EXPECT_TRUE(world.gauges_are_zero());
  }
  void TearDown() override { finish(); }
  std::uint16_t head_status() {
    Result<ResponseHead> head = world.await(exchange->head());
    return head.ok() ? head->status : std::uint16_t{0};
  }
  SimWorld world;
  std::unique_ptr<http::ClientConnection> client;
  std::optional<Started<void>> running;
  std::optional<RawPeer> server;
  std::unique_ptr<http::ClientExchange> exchange;
};

TEST_F(H1PostClient, NothingLeavesBeforeThe2xxThenChunksGoBothWays) {
  for (const bool ragged : {false, true}) {
    begin();
    Buffer payload("up");
    Started<Result<void>> writing = start(exchange->write(payload));
    auto head = start(exchange->head());
    server->write("HTTP/1.1 100 Continue\r\n\r\n", ragged);
    ASSERT_TRUE(head.done());
    EXPECT_FALSE(writing.done());
    EXPECT_EQ(server->received(), "");
    server->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndown\r\n", ragged);
    EXPECT_EQ(head_status(), 200);
    EXPECT_EQ(exchange->response_body(), Body::tunnel());
    world.loop.run();
    EXPECT_TRUE(writing.done());
    EXPECT_EQ(server->take(), "2\r\nup\r\n");
    EXPECT_TRUE(world.await(exchange->shutdown_write()).ok());
    world.loop.run();
    EXPECT_EQ(server->take(), "0\r\n\r\n");
    server->write("6\r\n later\r\n0\r\n\r\n", ragged);
    EXPECT_EQ(*world.await(read_all(*exchange)), "down later");
    exchange.reset();
    world.loop.run();
    EXPECT_FALSE(client->usable());  // even if the proxy would take another request
    EXPECT_FALSE(server->reset());
  }
}

TEST_F(H1PostClient, ATunnelMayEndWithTheConnection) {
  begin();
  server->write("HTTP/1.1 200 OK\r\n\r\nold proxy");
  EXPECT_EQ(head_status(), 200);
  EXPECT_EQ(exchange->response_body(), Body::tunnel());
  EXPECT_TRUE(world.await(write_text(*exchange, "up")).ok());
  EXPECT_TRUE(world.await(exchange->shutdown_write()).ok());
  world.loop.run();
  EXPECT_EQ(server->take(), "2\r\nup\r\n0\r\n\r\n");
  server->finish();
  EXPECT_EQ(*world.await(read_all(*exchange)), "old proxy");
}

TEST_F(H1PostClient, APageIsNoTunnelAndNothingIsSentToIt) {
  struct Case {
    std::string answer;
    Body body;
    std::string text;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Body::of(5), "hello"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Body::of(0), ""},
      {"HTTP/1.1 204 No Content\r\n\r\n", Body::none(), ""},
      {"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", Body::unknown(), "no"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.answer);
    begin();
    Buffer payload("never");
    Started<Result<void>> writing = start(exchange->write(payload));
    world.loop.run();
    server->write(each.answer);
    EXPECT_NE(head_status(), 0);
    EXPECT_EQ(exchange->response_body(), each.body);
    EXPECT_EQ(exchange->write_side(), WriteSide::refused);
    EXPECT_EQ(*world.await(read_all(*exchange)), each.text);
    world.loop.run();
    ASSERT_TRUE(writing.done());
    EXPECT_FALSE(writing.value().ok());
    EXPECT_EQ(server->received(), "");
    exchange.reset();
    EXPECT_FALSE(client->usable());
  }
}

TEST_F(H1PostClient, AnEndWithoutTheLastChunkIsNoEnd) {
  begin();
  server->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndown\r\n");
  EXPECT_EQ(head_status(), 200);
  server->finish();
  const Result<std::string> all = world.await(read_all(*exchange));
  ASSERT_FALSE(all.ok());
  EXPECT_EQ(exchange->read_side(), ReadSide::reset);
}

TEST_F(H1PostClient, OnlyPostAndConnectCanAsk) {
  begin();
  finish();
  auto [mine, theirs] = make_user_space_pair(world.context, 65536);
  client = h1::make_client(world.context, std::move(mine));
  running.emplace(start(client->run()));
  server.emplace(world, std::move(theirs));
  exchange = client->open();
  RequestHead head;
  head.method = "PUT";
  head.authority = "h:81";
  head.path = "/t";
  EXPECT_FALSE(world.await(exchange->send(head, Body::tunnel())).ok());
  world.loop.run();
  EXPECT_EQ(server->received(), "");
}

}  // namespace
}  // namespace tunnel::test::http1
