// SPDX-License-Identifier: Apache-2.0
// The server side of HTTP/1.1 against raw bytes: what goes over the wire, and when the connection ends.
#include <chrono>

#include "unit/http/h1_support.hpp"

namespace tunnel::test::http1 {
namespace {

using namespace std::chrono_literals;
using http::Body;
using http::ResponseHead;

const std::string kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

std::string without_date(std::string text) {
  for (std::size_t at = text.find("date: "); at != std::string::npos; at = text.find("date: ", at))
    text.erase(at, text.find("\r\n", at) + 2 - at);
  return text;
}

class H1Server : public ::testing::Test {
 protected:
  void serve(TestHandler::Serve serving, http::ServerOptions options = {}, std::size_t high_mark = 65536) {
    handler.serving = std::move(serving);
    auto [mine, theirs] = make_user_space_pair(world.context, high_mark);
    server.emplace(world, std::move(theirs), handler, options);
    peer.emplace(world, std::move(mine));
    world.loop.run();
  }
  void TearDown() override {
    peer.reset();
    if (server) {
      EXPECT_TRUE(server->done());
    }
    server.reset();
    EXPECT_TRUE(world.gauges_are_zero());
  }
  SimWorld world;
  TestHandler handler;
  std::optional<TestServer> server;
  std::optional<RawPeer> peer;
};

Task<void> respond_with(http::ServerExchange& exchange, ResponseHead head, Body body, std::string text) {
  Result<void> responded = co_await exchange.respond(head, body);
  EXPECT_TRUE(responded.ok()) << responded.error().text();
  if (!text.empty()) (void)(co_await write_text(exchange, text)).ok();
  (void)(co_await exchange.shutdown_write()).ok();
}

TestHandler::Serve answering(std::uint16_t status, Body body, std::string text = {}) {
  return [=](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    head.status = status;
    co_await respond_with(exchange, head, body, text);
  };
}

TEST_F(H1Server, KeepsAliveAndWritesTheLength) {
  serve(answering(200, Body::of(2), "ok"));
  for (int i = 0; i < 100; ++i) {
    peer->write(kGet);
    ASSERT_EQ(without_date(peer->take()), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") << i;
  }
  EXPECT_FALSE(peer->ended());
  EXPECT_EQ(handler.requests.size(), 100U);
  peer->finish();
  EXPECT_TRUE(peer->ended());
  EXPECT_TRUE(server->orderly);
}

TEST_F(H1Server, DateIsAddedOnceAndOnlyIfAbsent) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    if (exchange.request().path == "/own") head.fields.add("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    co_await respond_with(exchange, head, Body::none(), "");
  });
  peer->write("GET /own HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(peer->take(), "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n");
  peer->write(kGet);
  EXPECT_EQ(count_of(peer->received(), "date: "), 1U);
}

TEST_F(H1Server, TenPipelinedRequestsInOneWriteAreAnsweredInOrder) {
  serve(echo_request);
  std::string all;
  for (int i = 0; i < 10; ++i)
    all +=
        "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nb" + std::to_string(i) + "!";
  peer->write(all);
  std::size_t at = 0;
  for (int i = 0; i < 10; ++i) {
    at = peer->received().find("POST http h /" + std::to_string(i) + " [b" + std::to_string(i) + "!]", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_EQ(count_of(peer->received(), "HTTP/1.1 200"), 10U);
}

TEST_F(H1Server, Http10ClosesUnlessItAskedOtherwise) {
  serve(answering(200, Body::of(2), "ok"));
  peer->write("GET / HTTP/1.0\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n");
  EXPECT_NE(peer->take().find("connection: keep-alive\r\n"), std::string::npos);
  peer->write("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
  EXPECT_NE(peer->received().find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(peer->ended());
}

TEST_F(H1Server, Http10GetsABodyOfUnknownLengthUntilTheEndAndNoInterimHeads) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead hints;
    hints.status = 103;
    (void)(co_await exchange.inform(hints)).ok();
    ResponseHead head;
    co_await respond_with(exchange, head, Body::unknown(), "whole");
  });
  peer->write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(without_date(peer->received()), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nwhole");
  EXPECT_TRUE(peer->ended());
}

TEST_F(H1Server, ConnectionCloseIsHonouredEitherWay) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    if (exchange.request().path == "/handler") head.fields.add("connection", "close");
    co_await respond_with(exchange, head, Body::none(), "");
  });
  peer->write("GET /handler HTTP/1.1\r\nHost: h\r\n\r\n" + kGet);
  EXPECT_EQ(count_of(peer->received(), "HTTP/1.1 200"), 1U);
  EXPECT_EQ(count_of(peer->received(), "connection: close"), 1U);
  EXPECT_TRUE(peer->ended());
  EXPECT_EQ(handler.requests.size(), 1U);
}

TEST_F(H1Server, BodylessAnswersHaveNoBody) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    Body body = Body::of(5);
    if (exchange.request().path == "/204") head.status = 204;
    if (exchange.request().path == "/304") {
      head.status = 304;
      head.fields.add("content-length", "77");
      body = Body::none();
    }
    co_await respond_with(exchange, head, body, body.kind == Body::Kind::none ? "" : "hello");
  });
  peer->write("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(without_date(peer->take()), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  peer->write("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(without_date(peer->take()), "HTTP/1.1 204 No Content\r\n\r\n");
  peer->write("GET /304 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(without_date(peer->take()), "HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\n\r\n");
  peer->write(kGet);
  EXPECT_EQ(body_of(peer->take()), "hello");
}

TEST_F(H1Server, ChunkedWithTrailersBothWays) {
  std::string trailer;
  serve([&trailer](http::ServerExchange& exchange) -> Task<void> {
    Result<std::string> body = co_await read_all(exchange);
    const std::string* found = exchange.trailers().find("x-sum");
    trailer = found == nullptr ? "" : *found;
    EXPECT_FALSE(exchange.trailers().contains("host"));
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::unknown())).ok();
    (void)(co_await write_text(exchange, *body)).ok();
    http::Fields trailers;
    trailers.add("x-done", "yes");
    trailers.add("x-evil", "a\r\nb: c");
    trailers.add("content-length", "3");
    (void)(co_await exchange.finish(trailers)).ok();
  });
  const std::string request =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=\"y\"\r\nc\r\n0\r\nX-Sum: "
      "7\r\nHost: z\r\n\r\n";
  for (const bool ragged : {false, true}) {
    trailer.clear();
    peer->write(request, ragged);
    EXPECT_EQ(without_date(peer->take()),
              "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-done: yes\r\n\r\n");
    EXPECT_EQ(trailer, "7");
  }
}

TEST_F(H1Server, ExpectIsLeftToTheHandler) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    EXPECT_TRUE(exchange.request().fields.has_token("expect", "100-continue"));
    if (exchange.request().path == "/go") {
      ResponseHead go;
      go.status = 100;
      (void)(co_await exchange.inform(go)).ok();
      co_await echo_request(exchange);
      co_return;
    }
    ResponseHead no;
    no.status = 417;
    co_await respond_with(exchange, no, Body::none(), "");
  });
  peer->write("PUT /go HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(peer->take(), "HTTP/1.1 100 Continue\r\n\r\n");
  peer->write("hi");
  EXPECT_EQ(body_of(peer->take()), "PUT http h /go [hi]");
  // Refused: whether the body comes cannot be known, so the connection ends.
  peer->write("PUT /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_NE(peer->received().find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(peer->ended());
}

TEST_F(H1Server, AnUnreadBodyIsDrainedIfItIsSmall) {
  serve(answering(200, Body::of(2), "ok"));
  peer->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + std::string(60000, 'x') + kGet);
  EXPECT_EQ(count_of(peer->received(), "HTTP/1.1 200"), 2U);
  EXPECT_FALSE(peer->ended());
}

TEST_F(H1Server, AnUnreadBodyThatIsLargeEndsTheConnectionBehindTheAnswer) {
  serve(answering(413, Body::of(2), "no"));
  peer->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + std::string(100000, 'x'));
  EXPECT_EQ(body_of(peer->received()), "no");
  EXPECT_TRUE(peer->ended());
  EXPECT_FALSE(server->done());
  world.loop.advance(3s);
  EXPECT_TRUE(server->done());
  EXPECT_EQ(world.counters.value(Counter::linger_cut), 1U);
}

TEST_F(H1Server, AHandlerThatDoesNotAnswerAbortsTheConnection) {
  serve([](http::ServerExchange&) -> Task<void> { co_return; });
  peer->write(kGet);
  EXPECT_TRUE(peer->reset());
  EXPECT_TRUE(server->done());
}

TEST_F(H1Server, AHandlerThatEndsMidwayAbortsTheConnection) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::unknown())).ok();
    (void)(co_await write_text(exchange, "part")).ok();
  });
  peer->write(kGet);
  EXPECT_TRUE(peer->reset());
}

TEST_F(H1Server, TooFewBytesAreNeverPassedOffAsTheWhole) {
  serve(answering(200, Body::of(5), "hi"));
  peer->write(kGet);
  EXPECT_TRUE(peer->reset());
}

TEST_F(H1Server, HeadsThatWouldInjectAreNotSent) {
  std::vector<bool> accepted;
  serve([&accepted](http::ServerExchange& exchange) -> Task<void> {
    for (const auto& [name, value] : std::vector<std::pair<const char*, const char*>>{
             {"x", "a\r\nb: c"}, {"x y", "a"}, {"X", "a"}, {"", "a"}, {"x", "a\x01"}}) {
      ResponseHead bad;
      bad.fields.add(name, value);
      accepted.push_back((co_await exchange.respond(bad, Body::none())).ok());
    }
    ResponseHead tunnel;
    accepted.push_back((co_await exchange.respond(tunnel, Body::tunnel())).ok());
    ResponseHead good;
    co_await respond_with(exchange, good, Body::none(), "");
    accepted.push_back((co_await exchange.respond(good, Body::none())).ok());
  });
  peer->write(kGet);
  EXPECT_EQ(without_date(peer->received()), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(accepted, std::vector<bool>(7, false));
}

TEST_F(H1Server, HeadTimeoutCountsFromTheFirstByteInTotal) {
  serve(echo_request);
  world.loop.advance(9s);
  peer->write("GET / HT");
  for (int i = 0; i < 9; ++i) {
    world.loop.advance(1s);
    peer->write("x");
    ASSERT_EQ(peer->received(), "");
  }
  world.loop.advance(1s);
  EXPECT_EQ(status_line(peer->received()), "HTTP/1.1 408 Request Timeout");
  EXPECT_TRUE(peer->ended());
  EXPECT_EQ(world.counters.value(Counter::head_timeouts), 1U);
  ASSERT_EQ(handler.rejections.size(), 1U);
  EXPECT_EQ(handler.rejections[0].first, 408);
}

TEST_F(H1Server, AConnectionThatSaysNothingIsClosedInSilence) {
  serve(echo_request);
  world.loop.advance(10s);
  EXPECT_EQ(peer->received(), "");
  EXPECT_TRUE(peer->ended());
  EXPECT_EQ(world.counters.value(Counter::head_timeouts), 1U);
  EXPECT_TRUE(handler.rejections.empty());
  world.loop.advance(3s);
  EXPECT_TRUE(server->done());
}

TEST_F(H1Server, IdleTimeoutBetweenRequests) {
  serve(answering(200, Body::none()), {.idle_timeout = 60s});
  peer->write(kGet);
  world.loop.advance(59s);
  EXPECT_FALSE(peer->ended());
  world.loop.advance(1s);
  EXPECT_TRUE(peer->ended());
  EXPECT_FALSE(peer->reset());
  EXPECT_EQ(world.counters.value(Counter::idle_timeouts), 1U);
  peer->finish();
  EXPECT_TRUE(server->done());
  EXPECT_TRUE(server->orderly);
  EXPECT_EQ(world.counters.value(Counter::linger_cut), 0U);
}

TEST_F(H1Server, DrainClosesAnIdleConnectionAtOnce) {
  serve(answering(200, Body::none()));
  peer->write(kGet);
  peer->take();
  server->connection().drain();
  world.loop.run();
  EXPECT_TRUE(peer->ended());
  EXPECT_EQ(peer->received(), "");
  peer->finish();
  EXPECT_TRUE(server->orderly);
}

TEST_F(H1Server, DrainLetsTheCurrentExchangeFinishAndSaysClose) {
  Notify go(world.loop);
  serve([&go](http::ServerExchange& exchange) -> Task<void> {
    co_await go.wait();
    ResponseHead head;
    co_await respond_with(exchange, head, Body::of(2), "ok");
  });
  peer->write(kGet);
  server->connection().drain();
  world.loop.run();
  EXPECT_FALSE(peer->ended());
  go.set();
  world.loop.run();
  EXPECT_EQ(without_date(peer->received()), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  EXPECT_TRUE(peer->ended());
}

TEST_F(H1Server, ADrainDuringAHeadStillServesIt) {
  serve(answering(200, Body::none()));
  peer->write("GET /a HTTP/1.1\r\n");
  server->connection().drain();
  world.loop.run();
  peer->write("Host: h\r\n\r\n");
  EXPECT_EQ(status_line(peer->received()), "HTTP/1.1 200 OK");
  EXPECT_TRUE(peer->ended());
}

TEST_F(H1Server, AFinAfterACompleteRequestIsAHalfClose) {
  Notify go(world.loop);
  serve([&go](http::ServerExchange& exchange) -> Task<void> {
    co_await go.wait();
    co_await echo_request(exchange);
  });
  peer->write(kGet);
  peer->finish();
  EXPECT_FALSE(peer->ended());
  go.set();
  world.loop.run();
  EXPECT_EQ(body_of(peer->received()), "GET http h /a []");
  EXPECT_TRUE(peer->ended());
  EXPECT_TRUE(server->orderly);
}

TEST_F(H1Server, AFinInsideABodyIsAnErrorNeverAnEnd) {
  std::optional<Error> error;
  serve([&error](http::ServerExchange& exchange) -> Task<void> {
    Result<std::string> body = co_await read_all(exchange);
    if (!body.ok()) error = body.error();
  });
  peer->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc");
  peer->finish();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, Error::Kind::closed);
  EXPECT_TRUE(peer->reset());
}

TEST_F(H1Server, AbortWakesAHandlerThatReadsAndEndsTheConnection) {
  std::optional<Error> error;
  serve([&error](http::ServerExchange& exchange) -> Task<void> {
    Result<std::string> body = co_await read_all(exchange);
    if (!body.ok()) error = body.error();
  });
  peer->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
  server->connection().abort(Error(Error::Kind::shutdown, "enough"));
  world.loop.run();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, Error::Kind::shutdown);
  EXPECT_TRUE(peer->reset());
  EXPECT_TRUE(server->done());
  EXPECT_FALSE(server->orderly);
}

TEST_F(H1Server, AbortEndsAnIdleConnection) {
  serve(echo_request);
  server->connection().abort(Error(Error::Kind::shutdown, "enough"));
  world.loop.run();
  EXPECT_TRUE(peer->reset());
  EXPECT_TRUE(server->done());
}

TEST_F(H1Server, AResetOfTheClientReachesTheObserverAsTheExchange) {
  struct Observer final : ResetObserver {
    void on_stream_reset(Stream& stream) noexcept override { seen = &stream; }
    Stream* seen = nullptr;
  };
  Observer observer;
  Stream* served = nullptr;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    served = &exchange;
    exchange.on_reset(&observer);
    Result<std::string> body = co_await read_all(exchange);
    EXPECT_FALSE(body.ok());
  });
  peer->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
  peer->drop();
  EXPECT_EQ(observer.seen, served);
  EXPECT_NE(served, nullptr);
  peer.reset();
}

TEST_F(H1Server, InterruptReadWakesAWaitingReader) {
  bool interrupted = false;
  http::ServerExchange* served = nullptr;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    served = &exchange;
    co_await Readable(exchange);
    interrupted = true;
    ResponseHead head;
    co_await respond_with(exchange, head, Body::none(), "");
  });
  peer->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
  EXPECT_FALSE(interrupted);
  served->interrupt_read();
  served->interrupt_read();
  world.loop.run();
  EXPECT_TRUE(interrupted);
  // The rest of the body comes later, and the connection goes on.
  peer->write("hello" + kGet);
  EXPECT_EQ(count_of(peer->received(), "HTTP/1.1 200"), 2U);
  EXPECT_FALSE(peer->ended());
}

TEST_F(H1Server, AClientThatDoesNotReadStopsPipelining) {
  serve(answering(200, Body::of(20000), std::string(20000, 'z')), {}, 4096);
  // The peer's collector reads all the time, so stop it by using the stream without one.
  peer.reset();
  server.reset();
  auto [mine, theirs] = make_user_space_pair(world.context, 4096);
  handler.requests.clear();
  server.emplace(world, std::move(theirs), handler);
  for (int i = 0; i < 10; ++i) {
    Buffer request(kGet);
    while (!request.empty()) {
      const Io io = mine->try_write(request, More::no);
      if (io.state != Io::State::done) break;
    }
    world.loop.run();
  }
  EXPECT_LE(handler.requests.size(), 2U);
  Started<Result<std::string>> reading = start(read_all(*mine));
  world.loop.run();
  EXPECT_EQ(handler.requests.size(), 10U);
  mine->abort(Error(Error::Kind::cancelled));
  world.loop.run();
  mine.reset();
  world.loop.run();
}

// --- CONNECT -----------------------------------------------------------------------------------------------------

const std::string kConnect = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";

Task<void> echo_tunnel(http::ServerExchange& exchange) {
  EXPECT_EQ(exchange.request_body(), Body::tunnel());
  ResponseHead head;
  head.fields.add("content-length", "3");
  head.fields.add("transfer-encoding", "chunked");
  (void)(co_await exchange.respond(head, Body::tunnel())).ok();
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await exchange.read(buffer, 65536);
    if (!n.ok() || *n == 0) break;
    (void)(co_await exchange.write(buffer)).ok();
  }
  (void)(co_await exchange.shutdown_write()).ok();
}

TEST_F(H1Server, ConnectIsATunnelWithTheBytesBehindItsHead) {
  serve(echo_tunnel);
  peer->write(kConnect + "early");
  EXPECT_EQ(without_date(peer->take()), "HTTP/1.1 200 OK\r\n\r\nearly");
  EXPECT_EQ(world.counters.value(Counter::early_data_paused), 1U);
  peer->write("GET / HTTP/1.1\r\n\r\n", true);
  EXPECT_EQ(peer->take(), "GET / HTTP/1.1\r\n\r\n");
  peer->finish();
  EXPECT_TRUE(peer->ended());
  EXPECT_TRUE(server->orderly);
  EXPECT_EQ(handler.requests, std::vector<std::string>{"CONNECT h:443"});
}

TEST_F(H1Server, ATunnelCarriesBytesAfterEitherEnd) {
  Notify go(world.loop);
  std::string got;
  serve([&](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::tunnel())).ok();
    (void)(co_await write_text(exchange, "first")).ok();
    (void)(co_await exchange.shutdown_write()).ok();
    got = *(co_await read_all(exchange));
  });
  peer->write(kConnect);
  EXPECT_EQ(body_of(peer->received()), "first");
  EXPECT_TRUE(peer->ended());
  const std::string bulk = pattern(300000);
  peer->write(bulk);
  peer->finish();
  EXPECT_EQ(got, bulk);
  EXPECT_TRUE(server->orderly);
}

TEST_F(H1Server, NothingIsReadFromATunnelBeforeItStands) {
  Notify go(world.loop);
  serve(
      [&go](http::ServerExchange& exchange) -> Task<void> {
        co_await go.wait();
        co_await echo_tunnel(exchange);
      },
      {}, 4096);
  peer->write(kConnect);
  Buffer much(std::string(200000, 'e'));
  Started<Result<void>> writing = start(peer->stream().write(much));
  world.loop.run();
  EXPECT_FALSE(writing.done());
  EXPECT_GT(much.size(), 150000U);
  EXPECT_EQ(peer->received(), "");
  go.set();
  world.loop.run();
  EXPECT_TRUE(writing.done());
  EXPECT_EQ(body_of(peer->received()), std::string(200000, 'e'));
}

TEST_F(H1Server, ARefusedConnectEndsTheConnectionAndNothingBehindItIsParsed) {
  for (const bool ragged : {false, true}) {
    serve(answering(403, Body::of(2), "no"));
    handler.requests.clear();
    peer->write("CONNECT denied:22 HTTP/1.1\r\nHost: denied:22\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n", ragged);
    EXPECT_EQ(without_date(peer->received()),
              "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    EXPECT_TRUE(peer->ended());
    EXPECT_FALSE(peer->reset());
    EXPECT_EQ(handler.requests, std::vector<std::string>{"CONNECT denied:22"});
    EXPECT_TRUE(handler.rejections.empty());
    peer->finish();
    EXPECT_TRUE(server->done());
  }
}

TEST_F(H1Server, ARefusedConnectThatKeepsSendingIsCut) {
  serve(answering(403, Body::none()));
  peer->write(kConnect);
  EXPECT_TRUE(peer->ended());
  for (int i = 0; i < 100 && peer->write(std::string(1000, 'x')); ++i) {
  }
  EXPECT_TRUE(server->done());
  EXPECT_EQ(world.counters.value(Counter::linger_cut), 1U);
}

TEST_F(H1Server, ATunnelWhoseHandlerLeavesIsReset) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::tunnel())).ok();
  });
  peer->write(kConnect);
  EXPECT_TRUE(peer->reset());
}

TEST_F(H1Server, FlushThenAbortLosesNothing) {
  serve(
      [](http::ServerExchange& exchange) -> Task<void> {
        ResponseHead head;
        (void)(co_await exchange.respond(head, Body::tunnel())).ok();
        (void)(co_await write_text(exchange, pattern(100000))).ok();
        const TimePoint deadline = exchange.loop().now() + 5s;
        EXPECT_TRUE((co_await exchange.flush(deadline)).ok());
        exchange.abort(Error(Error::Kind::reset, "upstream"));
        exchange.abort(Error(Error::Kind::reset, "again"));
        EXPECT_EQ(exchange.error().text(), "upstream");
      },
      {}, 4096);
  peer->write(kConnect);
  EXPECT_EQ(body_of(peer->received()), pattern(100000));
  EXPECT_TRUE(peer->reset());
}

}  // namespace
}  // namespace tunnel::test::http1
