// SPDX-License-Identifier: Apache-2.0
// The client side of HTTP/1.1 against raw bytes of a server.
#include <chrono>

#include "unit/http/h1_support.hpp"

namespace tunnel::test::http1 {
namespace {

using namespace std::chrono_literals;
using http::Body;
using http::RequestHead;
using http::ResponseHead;

RequestHead request(const char* method, const char* path) {
  RequestHead head;
  head.method = method;
  head.scheme = "http";
  head.authority = "Origin:81";
  head.path = path;
  return head;
}

RequestHead connect_to(const char* authority) {
  RequestHead head;
  head.method = "CONNECT";
  head.authority = authority;
  return head;
}

struct Observer final : http::ClientConnection::Observer {
  void client_connection_changed(http::ClientConnection& connection) noexcept override {
    ++changes;
    usable = connection.usable();
  }
  int changes = 0;
  bool usable = true;
};

class H1Client : public ::testing::Test {
 protected:
  void SetUp() override { begin(); }
  void begin(std::size_t high_mark = 65536) {
    finish();
    auto [mine, theirs] = make_user_space_pair(world.context, high_mark);
    client = h1::make_client(world.context, std::move(mine));
    client->observe(&observer);
    running.emplace(start(client->run()));
    server.emplace(world, std::move(theirs));
    world.loop.run();
    ASSERT_TRUE(client->usable());
    ASSERT_EQ(client->capacity(), 1U);
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

  void send(const RequestHead& head, Body body) {
    exchange = client->open();
    EXPECT_EQ(client->capacity(), 0U);
    Result<void> sent = world.await(exchange->send(head, body));
    EXPECT_TRUE(sent.ok()) << sent.error().text();
    world.loop.run();
  }
  Started<Result<ResponseHead>> begin_head() {
    auto started = start(exchange->head());
    world.loop.run();
    return started;
  }
  std::uint16_t head_status() {
    Result<ResponseHead> head = world.await(exchange->head());
    EXPECT_TRUE(head.ok()) << head.error().text();
    return head.ok() ? head->status : std::uint16_t{0};
  }
  Result<std::string> body() { return world.await(read_all(*exchange)); }

  SimWorld world;
  Observer observer;
  std::unique_ptr<http::ClientConnection> client;
  std::optional<Started<void>> running;
  std::optional<RawPeer> server;
  std::unique_ptr<http::ClientExchange> exchange;
};

TEST_F(H1Client, WritesRequestsInOriginForm) {
  RequestHead head = request("GET", "/a?b");
  head.fields.add("accept", "*/*");
  head.fields.add("host", "other");
  head.fields.add("content-length", "9");
  head.fields.add("transfer-encoding", "gzip");
  send(head, Body::none());
  EXPECT_EQ(server->received(), "GET /a?b HTTP/1.1\r\nhost: Origin:81\r\naccept: */*\r\n\r\n");
  EXPECT_EQ(exchange->write_side(), WriteSide::finished);
}

TEST_F(H1Client, WritesConnectInAuthorityForm) {
  send(connect_to("[::1]:443"), Body::tunnel());
  EXPECT_EQ(server->received(), "CONNECT [::1]:443 HTTP/1.1\r\nhost: [::1]:443\r\n\r\n");
}

TEST_F(H1Client, FramesBodies) {
  send(request("POST", "/"), Body::of(5));
  EXPECT_TRUE(world.await(write_text(*exchange, "hello")).ok());
  world.loop.run();
  EXPECT_EQ(server->take(), "POST / HTTP/1.1\r\nhost: Origin:81\r\ncontent-length: 5\r\n\r\nhello");
  begin();
  send(request("POST", "/"), Body::unknown());
  EXPECT_TRUE(world.await(write_text(*exchange, "hello")).ok());
  http::Fields trailers;
  trailers.add("x-sum", "1");
  EXPECT_TRUE(world.await(exchange->finish(trailers)).ok());
  world.loop.run();
  EXPECT_EQ(
      server->take(),
      "POST / HTTP/1.1\r\nhost: Origin:81\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n");
  begin();
  send(request("POST", "/"), Body::none());
  EXPECT_EQ(server->take(), "POST / HTTP/1.1\r\nhost: Origin:81\r\ncontent-length: 0\r\n\r\n");
}

TEST_F(H1Client, RefusesToWriteWhatCouldInject) {
  std::vector<std::pair<RequestHead, Body>> bad;
  for (const char* authority : {"evil:443\r\nX-Inj: 1", "a", "a:0", "a:1 ", "u@a:1", "a:\n1"})
    bad.emplace_back(connect_to(authority), Body::tunnel());
  for (const char* path : {"/a b", "/a\r\nX: 1", "a", "", "/\x80", "/#", "*"})
    bad.emplace_back(request("GET", path), Body::none());
  bad.emplace_back(request("GE T", "/"), Body::none());
  bad.emplace_back(request("GET", "/"), Body::tunnel());
  bad.emplace_back(connect_to("a:1"), Body::none());
  for (const char* authority : {"", "a\r\nb", "a/b", "u@a"}) {
    bad.emplace_back(request("GET", "/"), Body::none());
    bad.back().first.authority = authority;
  }
  bad.emplace_back(request("GET", "/"), Body::none());
  bad.back().first.fields.add("x", "1\r\ny: 2");
  bad.emplace_back(request("GET", "/"), Body::none());
  bad.back().first.fields.add("x\r\n", "1");
  bad.emplace_back(request("GET", "/"), Body::none());
  bad.back().first.fields.add("x", std::string("a\0b", 3));
  bad.emplace_back(connect_to("a:1"), Body::tunnel());
  bad.back().first.protocol = "websocket";
  for (const auto& [head, body] : bad) {
    exchange = client->open();
    Result<void> sent = world.await(exchange->send(head, body));
    EXPECT_FALSE(sent.ok()) << head.method << ' ' << head.authority << ' ' << head.path;
    world.loop.run();
    EXPECT_EQ(server->received(), "");
    exchange.reset();
    ASSERT_TRUE(client->usable());  // nothing was sent: the connection is as good as before
  }
}

TEST_F(H1Client, KeepsAliveAHundredTimes) {
  for (int i = 0; i < 100; ++i) {
    send(request("GET", "/"), Body::none());
    ASSERT_EQ(count_of(server->take(), "GET / HTTP/1.1"), 1U);
    server->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-N: " + std::to_string(i) + "\r\n\r\nok", i % 10 == 0);
    Result<ResponseHead> head = world.await(exchange->head());
    ASSERT_TRUE(head.ok());
    EXPECT_EQ(*head->fields.find("x-n"), std::to_string(i));
    EXPECT_EQ(exchange->response_body(), Body::of(2));
    EXPECT_EQ(*body(), "ok");
    exchange.reset();
    ASSERT_TRUE(client->usable());
    ASSERT_EQ(client->capacity(), 1U);
    world.loop.run();
  }
}

TEST_F(H1Client, InterimHeadsComeOneByOne) {
  send(request("GET", "/"), Body::none());
  server->write(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n");
  EXPECT_EQ(head_status(), 100);
  EXPECT_EQ(head_status(), 103);
  EXPECT_EQ(head_status(), 200);
  EXPECT_EQ(*body(), "ok");
  EXPECT_EQ(*exchange->trailers().find("a"), "b");
  exchange.reset();
  EXPECT_TRUE(client->usable());
}

TEST_F(H1Client, NoBodyAfterHead204And304) {
  for (const auto& [method, answer] : std::vector<std::pair<const char*, const char*>>{
           {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
           {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
           {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"}}) {
    send(request(method, "/"), Body::none());
    server->write(answer);
    head_status();
    EXPECT_EQ(exchange->response_body(), Body::none());
    EXPECT_EQ(*body(), "");
    exchange.reset();
    EXPECT_TRUE(client->usable());
  }
}

TEST_F(H1Client, ABodyWithoutLengthEndsWithTheConnection) {
  send(request("GET", "/"), Body::none());
  server->write("HTTP/1.1 200 OK\r\n\r\nall of");
  EXPECT_EQ(head_status(), 200);
  EXPECT_EQ(exchange->response_body(), Body::unknown());
  Started<Result<std::string>> reading = start(read_all(*exchange));
  server->write(" it");
  EXPECT_FALSE(reading.done());
  server->finish();
  ASSERT_TRUE(reading.done());
  EXPECT_EQ(*reading.value(), "all of it");
  exchange.reset();
  EXPECT_FALSE(client->usable());
}

TEST_F(H1Client, AResetIsNeverTheEndOfABody) {
  send(request("GET", "/"), Body::none());
  server->write("HTTP/1.1 200 OK\r\n\r\nall of");
  EXPECT_EQ(head_status(), 200);
  Started<Result<std::string>> reading = start(read_all(*exchange));
  server->drop();
  ASSERT_TRUE(reading.done());
  EXPECT_FALSE(reading.value().ok());
}

TEST_F(H1Client, TruncatedBodiesAreErrors) {
  for (const char* answer :
       {"Content-Length: 5\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    SCOPED_TRACE(answer);
    begin();
    send(request("GET", "/"), Body::none());
    server->write(std::string("HTTP/1.1 200 OK\r\n") + answer);
    EXPECT_EQ(head_status(), 200);
    server->finish();
    Result<std::string> text = body();
    ASSERT_FALSE(text.ok());
    EXPECT_EQ(http_status(text.error()), 502);
    exchange.reset();
    EXPECT_FALSE(client->usable());
  }
}

TEST_F(H1Client, BadHeadsAre502AndTheConnectionIsGone) {
  for (const std::string& answer : std::vector<std::string>{
           "garbage\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
           "HTTP/1.1 200 OK\nX: a\n\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: " + std::string(17000, 'a') + "\r\n\r\n"}) {
    SCOPED_TRACE(answer.substr(0, 60));
    for (const bool ragged : {false, true}) {
      begin();
      send(request("GET", "/"), Body::none());
      auto head = begin_head();
      server->write(answer, ragged);
      ASSERT_TRUE(head.done());
      Result<ResponseHead> result = head.value();
      ASSERT_FALSE(result.ok());
      EXPECT_EQ(result.error().kind, Error::Kind::protocol);
      EXPECT_EQ(http_status(result.error()), 502);
      EXPECT_FALSE(result.error().retry_safe);
      exchange.reset();
      EXPECT_FALSE(client->usable());
    }
  }
  EXPECT_EQ(world.counters.value(Counter::heads_too_large), 2U);
}

TEST_F(H1Client, AnEndBeforeAByteIsRetrySafeOnlyOnAReusedConnection) {
  send(request("GET", "/"), Body::none());
  auto first = begin_head();
  server->finish();
  Result<ResponseHead> fresh = first.value();
  ASSERT_FALSE(fresh.ok());
  EXPECT_EQ(fresh.error().kind, Error::Kind::closed);
  EXPECT_FALSE(fresh.error().retry_safe);

  for (const std::string& part : {std::string(), std::string("HTTP/1.1 2")}) {
    for (const bool reset : {false, true}) {
      begin();
      send(request("GET", "/"), Body::none());
      server->write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      head_status();
      exchange.reset();
      send(request("GET", "/"), Body::none());
      auto second = begin_head();
      server->write(part);
      if (reset)
        server->drop();
      else
        server->finish();
      Result<ResponseHead> reused = second.value();
      ASSERT_FALSE(reused.ok());
      EXPECT_EQ(reused.error().retry_safe, part.empty());
    }
  }
}

TEST_F(H1Client, ConnectionCloseEndsReuse) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                             "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    begin();
    send(request("GET", "/"), Body::none());
    server->write(answer);
    head_status();
    exchange.reset();
    EXPECT_FALSE(client->usable());
    EXPECT_FALSE(observer.usable);
    world.loop.run();
    EXPECT_TRUE(running->done());
    EXPECT_TRUE(server->ended());
    EXPECT_FALSE(server->reset());
  }
}

TEST_F(H1Client, AnExchangeDroppedMidwayResetsTheConnection) {
  send(request("GET", "/"), Body::none());
  server->write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  head_status();
  exchange.reset();
  EXPECT_FALSE(client->usable());
  world.loop.run();
  EXPECT_TRUE(server->reset());
  EXPECT_TRUE(running->done());
}

TEST_F(H1Client, AnIdleConnectionIsWatched) {
  const int before = observer.changes;
  server->finish();
  EXPECT_FALSE(client->usable());
  EXPECT_EQ(client->capacity(), 0U);
  EXPECT_GT(observer.changes, before);
  EXPECT_TRUE(running->done());
  begin();
  server->write("HTTP/1.1 408 Request Timeout\r\n\r\n");
  EXPECT_FALSE(client->usable());
  begin();
  server->drop();
  EXPECT_FALSE(client->usable());
  begin();
  // Also after an exchange.
  send(request("GET", "/"), Body::none());
  server->write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  head_status();
  exchange.reset();
  EXPECT_TRUE(client->usable());
  world.loop.run();
  server->write("!");
  EXPECT_FALSE(client->usable());
}

TEST_F(H1Client, BytesBehindACompleteAnswerEndReuse) {
  send(request("GET", "/"), Body::none());
  server->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
  head_status();
  EXPECT_EQ(*body(), "ok");
  exchange.reset();
  world.loop.run();
  EXPECT_FALSE(client->usable());
}

TEST_F(H1Client, CloseEndsWithTheLastExchange) {
  send(request("GET", "/"), Body::none());
  client->close();
  EXPECT_FALSE(client->usable());
  world.loop.run();
  EXPECT_FALSE(running->done());
  server->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  head_status();
  EXPECT_EQ(*body(), "ok");
  exchange.reset();
  world.loop.run();
  EXPECT_TRUE(running->done());
  EXPECT_TRUE(server->ended());
  EXPECT_FALSE(server->reset());
}

TEST_F(H1Client, CloseOfAnIdleConnectionIsOrderly) {
  client->close();
  EXPECT_FALSE(client->usable());
  world.loop.run();
  EXPECT_TRUE(server->ended());
  EXPECT_FALSE(running->done());
  server->finish();
  EXPECT_TRUE(running->done());
  EXPECT_FALSE(server->reset());
}

TEST_F(H1Client, CloseEndsBehindAnExchangeThatSentNothing) {
  exchange = client->open();
  client->close();
  world.loop.run();
  EXPECT_FALSE(server->ended());
  exchange.reset();
  world.loop.run();
  EXPECT_TRUE(server->ended());
  server->finish();
  EXPECT_TRUE(running->done());
  EXPECT_FALSE(server->reset());
}

TEST_F(H1Client, AServerThatDoesNotCloseInTurnIsCut) {
  client->close();
  world.loop.advance(999ms);
  EXPECT_FALSE(running->done());
  world.loop.advance(1ms);
  EXPECT_TRUE(running->done());
}

TEST_F(H1Client, AbortWakesAPendingHead) {
  send(request("GET", "/"), Body::none());
  auto head = begin_head();
  EXPECT_FALSE(head.done());
  client->abort(Error(Error::Kind::timeout, "too slow"));
  world.loop.run();
  ASSERT_TRUE(head.done());
  EXPECT_EQ(head.value().error().kind, Error::Kind::timeout);
  EXPECT_TRUE(server->reset());
  EXPECT_FALSE(running->done());
  exchange.reset();
  world.loop.run();
  EXPECT_TRUE(running->done());
}

TEST_F(H1Client, AnEarlyAnswerCanBeReadWhileTheBodyIsStillGoing) {
  begin(4096);
  send(request("POST", "/"), Body::of(1000000));
  server->write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(head_status(), 413);
  EXPECT_EQ(*body(), "no");
  exchange.reset();
  EXPECT_FALSE(client->usable());
}

TEST_F(H1Client, MoreBytesThanAnnouncedAreRefused) {
  send(request("POST", "/"), Body::of(2));
  EXPECT_FALSE(world.await(write_text(*exchange, "abc")).ok());
  exchange.reset();
  EXPECT_FALSE(client->usable());
}

// --- CONNECT -----------------------------------------------------------------------------------------------------

TEST_F(H1Client, Any2xxIsATunnelWhateverItsFraming) {
  for (const char* fields : {"", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
                             "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
                             "content-length: x\r\n"}) {
    for (const char* status : {"200 OK", "201 Created", "299 x"}) {
      for (const bool ragged : {false, true}) {
        SCOPED_TRACE(std::string(fields) + status);
        begin();
        send(connect_to("h:443"), Body::tunnel());
        server->take();
        server->write(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 " + std::string(status) + "\r\n" + fields + "\r\nbytes at once",
            ragged);
        EXPECT_EQ(head_status(), 100);
        EXPECT_EQ(head_status() / 100, 2);
        EXPECT_EQ(exchange->response_body(), Body::tunnel());
        EXPECT_TRUE(world.await(write_text(*exchange, "up")).ok());
        EXPECT_TRUE(world.await(exchange->shutdown_write()).ok());
        world.loop.run();
        EXPECT_EQ(server->received(), "up");
        EXPECT_TRUE(server->ended());
        server->write("; and later");
        server->finish();
        EXPECT_EQ(*body(), "bytes at once; and later");
        exchange.reset();
        EXPECT_FALSE(client->usable());
        world.loop.run();
        EXPECT_TRUE(running->done());
        EXPECT_FALSE(server->reset());
      }
    }
  }
}

TEST_F(H1Client, NothingLeavesBeforeThe2xx) {
  send(connect_to("h:443"), Body::tunnel());
  server->take();
  Buffer payload(pattern(5000));
  Started<Result<void>> writing = start(exchange->write(payload));
  auto head = begin_head();
  server->write("HTTP/1.1 103 Early Hints\r\n\r\n");
  ASSERT_TRUE(head.done());
  EXPECT_FALSE(writing.done());
  EXPECT_EQ(server->received(), "");
  server->write("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(head_status(), 200);
  world.loop.run();
  EXPECT_TRUE(writing.done());
  EXPECT_EQ(server->received(), pattern(5000));
}

TEST_F(H1Client, ARefusedConnectGivesItsBodyAndIsNotReused) {
  send(connect_to("h:443"), Body::tunnel());
  server->take();
  Buffer payload("never");
  Started<Result<void>> writing = start(exchange->write(payload));
  world.loop.run();
  server->write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(head_status(), 403);
  EXPECT_EQ(exchange->response_body(), Body::of(2));
  EXPECT_EQ(*body(), "no");
  world.loop.run();
  ASSERT_TRUE(writing.done());
  EXPECT_FALSE(writing.value().ok());
  EXPECT_EQ(server->received(), "");
  exchange.reset();
  EXPECT_FALSE(client->usable());
}

TEST_F(H1Client, AbortWakesAWriterThatWaitsForThe2xx) {
  send(connect_to("h:443"), Body::tunnel());
  Buffer payload("never");
  Started<Result<void>> writing = start(exchange->write(payload));
  world.loop.run();
  exchange->abort(Error(Error::Kind::cancelled, "gone"));
  world.loop.run();
  ASSERT_TRUE(writing.done());
  EXPECT_EQ(writing.value().error().kind, Error::Kind::cancelled);
  EXPECT_TRUE(server->reset());
}

TEST_F(H1Client, ADroppedTunnelIsReset) {
  send(connect_to("h:443"), Body::tunnel());
  server->write("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(head_status(), 200);
  exchange.reset();
  world.loop.run();
  EXPECT_TRUE(server->reset());
  EXPECT_TRUE(running->done());
}

}  // namespace
}  // namespace tunnel::test::http1
