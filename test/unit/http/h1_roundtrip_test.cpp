// SPDX-License-Identifier: Apache-2.0
// Our HTTP/1.1 client against our server, over small buffers, in pieces of any size and in any order of wake-ups.
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
  head.authority = "h:1";
  if (head.method != "CONNECT") {
    head.scheme = "http";
    head.path = path;
  }
  return head;
}

struct Shape {
  std::size_t most;  // bytes the go-between passes on at once
  std::size_t high_mark;
  std::uint64_t seed;
};

class H1RoundTrip : public ::testing::TestWithParam<Shape> {
 protected:
  H1RoundTrip()
      : world(GetParam().seed),
        path(std::make_unique<RaggedPath>(world, GetParam().most, GetParam().high_mark, 1 + GetParam().seed)) {}
  void serve(TestHandler::Serve serving) {
    handler.serving = std::move(serving);
    server = std::make_unique<TestServer>(world, std::move(path->right), handler);
    client = h1::make_client(world.context, std::move(path->left));
    running.emplace(start(client->run()));
    world.loop.run();
  }
  void TearDown() override {
    client->close();
    EXPECT_TRUE(world.loop.run_until([this] { return running->done() && server->done(); }, 10s));
    if (orderly) {
      EXPECT_EQ(server->orderly, *orderly);
    }
    client.reset();
    server.reset();
    path.reset();
    EXPECT_TRUE(world.gauges_are_zero());
  }
  std::size_t bulk() const { return GetParam().most < 100 ? 20000 : 3 * 1024 * 1024; }

  SimWorld world;
  std::unique_ptr<RaggedPath> path;
  TestHandler handler;
  std::unique_ptr<TestServer> server;
  std::unique_ptr<http::ClientConnection> client;
  std::optional<Started<void>> running;
  std::optional<bool> orderly = true;  // how the server's connection ended; nothing: either way
};

struct Answer {
  std::uint16_t status = 0;
  std::string body;
  std::string trailer;
  int interim = 0;
};

Task<void> write_and_finish(http::ClientExchange& exchange, std::string text, http::Fields trailers) {
  (void)(co_await write_text(exchange, std::move(text))).ok();
  (void)(co_await exchange.finish(trailers)).ok();
}

Task<void> read_answer(http::ClientExchange& exchange, Answer& answer) {
  for (;;) {
    Result<ResponseHead> head = co_await exchange.head();
    if (!head.ok()) co_return;
    answer.status = head->status;
    if (head->status >= 200) break;
    ++answer.interim;
  }
  Result<std::string> body = co_await read_all(exchange);
  answer.body = body.ok() ? *body : "error: " + std::string(body.error().text());
  if (const std::string* trailer = exchange.trailers().find("x-trailer")) answer.trailer = *trailer;
}

// Body and answer at the same time, as a proxy does it.
Task<Answer> ask(http::ClientConnection& client, RequestHead head, Body body, std::string text = {},
                 http::Fields trailers = {}) {
  std::unique_ptr<http::ClientExchange> exchange = client.open();
  Answer answer;
  Result<void> sent = co_await exchange->send(head, body);
  if (!sent.ok()) co_return answer;
  Task<void> writing = write_and_finish(*exchange, std::move(text), std::move(trailers));
  Task<void> reading = read_answer(*exchange, answer);
  co_await join(writing, reading);
  co_return answer;
}

TEST_P(H1RoundTrip, KeepAliveAHundredTimes) {
  serve(echo_request);
  for (int i = 0; i < 100; ++i) {
    const std::string text(static_cast<std::size_t>(i), 'b');
    const Answer answer =
        world.await(ask(*client, request("POST", "/x"), i % 2 == 0 ? Body::of(text.size()) : Body::unknown(), text));
    ASSERT_EQ(answer.status, 200);
    ASSERT_EQ(answer.body, "POST http h:1 /x [" + text + "]");
    ASSERT_TRUE(client->usable());
  }
  EXPECT_EQ(handler.requests.size(), 100U);
}

// Passes every byte back as it comes.
Task<void> echo_body(http::ServerExchange& exchange) {
  ResponseHead early;
  early.status = 103;
  (void)(co_await exchange.inform(early)).ok();
  ResponseHead head;
  const Body body = exchange.request_body();
  (void)(co_await exchange.respond(head, body)).ok();
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await exchange.read(buffer, 65536);
    if (!n.ok()) {
      exchange.abort(n.error());
      co_return;
    }
    if (*n == 0) break;
    (void)(co_await exchange.write(buffer)).ok();
  }
  const http::Fields trailers = exchange.trailers();
  (void)(co_await exchange.finish(trailers)).ok();
}

TEST_P(H1RoundTrip, LargeBodiesBothWaysAtOnce) {
  serve(echo_body);
  const std::string text = pattern(bulk());
  http::Fields trailers;
  trailers.add("x-trailer", "end");
  for (const Body body : {Body::unknown(), Body::of(text.size())}) {
    const Answer answer = world.await(ask(*client, request("POST", "/"), body, text, trailers));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.interim, 1);
    EXPECT_TRUE(answer.body == text) << answer.body.size() << " of " << text.size();
    EXPECT_EQ(answer.trailer, body.kind == Body::Kind::unknown ? "end" : "");
  }
}

TEST_P(H1RoundTrip, BodylessAnswers) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    head.status = static_cast<std::uint16_t>(std::stoi(exchange.request().path.substr(1)));
    if (exchange.request().method == "HEAD" || head.status == 304) head.fields.add("content-length", "1234");
    (void)(co_await exchange.respond(head, Body::none())).ok();
  });
  for (const auto& [method, where] : std::vector<std::pair<const char*, const char*>>{
           {"HEAD", "/200"}, {"GET", "/204"}, {"GET", "/304"}, {"GET", "/200"}}) {
    const Answer answer = world.await(ask(*client, request(method, where), Body::none()));
    EXPECT_EQ("/" + std::to_string(answer.status), where);
    EXPECT_EQ(answer.body, "");
    EXPECT_TRUE(client->usable());
  }
}

TEST_P(H1RoundTrip, AnAnswerBeforeTheBodyEndsIsRead) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    head.status = 413;
    (void)(co_await exchange.respond(head, Body::of(4))).ok();
    (void)(co_await write_text(exchange, "much")).ok();
    (void)(co_await exchange.shutdown_write()).ok();
  });
  auto exchange = client->open();
  EXPECT_TRUE(world.await(exchange->send(request("POST", "/"), Body::of(10'000'000))).ok());
  Answer answer;
  Started<void> writing =
      start(write_and_finish(*exchange, std::string(GetParam().most < 100 ? 100000 : 10'000'000, 'x'), {}));
  world.await(read_answer(*exchange, answer));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "much");
  exchange->abort(Error(Error::Kind::cancelled, "answered"));
  world.loop.run();
  EXPECT_TRUE(writing.done());
  exchange.reset();
  orderly.reset();
}

Task<void> half_close_server_first(http::ServerExchange& exchange, std::string& got, std::size_t bulk) {
  ResponseHead head;
  (void)(co_await exchange.respond(head, Body::tunnel())).ok();
  (void)(co_await write_text(exchange, pattern(bulk))).ok();
  (void)(co_await exchange.shutdown_write()).ok();
  Result<std::string> rest = co_await read_all(exchange);
  got = rest.ok() ? *rest : "error";
}

TEST_P(H1RoundTrip, ATunnelHalfClosedByTheServerFirst) {
  std::string got;
  serve([&](http::ServerExchange& exchange) -> Task<void> { co_await half_close_server_first(exchange, got, bulk()); });
  auto exchange = client->open();
  EXPECT_TRUE(world.await(exchange->send(request("CONNECT", ""), Body::tunnel())).ok());
  EXPECT_EQ(world.await(exchange->head())->status, 200);
  EXPECT_TRUE(*world.await(read_all(*exchange)) == pattern(bulk()));
  EXPECT_TRUE(world.await(write_text(*exchange, pattern(bulk()) + "!")).ok());
  EXPECT_TRUE(world.await(exchange->shutdown_write()).ok());
  world.loop.run();
  EXPECT_TRUE(got == pattern(bulk()) + "!");
  exchange.reset();
}

Task<void> half_close_client_first(http::ServerExchange& exchange, std::string& got, std::size_t bulk) {
  ResponseHead head;
  (void)(co_await exchange.respond(head, Body::tunnel())).ok();
  Result<std::string> rest = co_await read_all(exchange);
  got = rest.ok() ? *rest : "error";
  (void)(co_await write_text(exchange, pattern(bulk))).ok();
  (void)(co_await exchange.shutdown_write()).ok();
}

TEST_P(H1RoundTrip, ATunnelHalfClosedByTheClientFirst) {
  std::string got;
  serve([&](http::ServerExchange& exchange) -> Task<void> { co_await half_close_client_first(exchange, got, bulk()); });
  auto exchange = client->open();
  EXPECT_TRUE(world.await(exchange->send(request("CONNECT", ""), Body::tunnel())).ok());
  EXPECT_EQ(world.await(exchange->head())->status, 200);
  EXPECT_TRUE(world.await(write_text(*exchange, "question")).ok());
  EXPECT_TRUE(world.await(exchange->shutdown_write()).ok());
  EXPECT_TRUE(*world.await(read_all(*exchange)) == pattern(bulk()));
  EXPECT_EQ(got, "question");
  exchange.reset();
}

TEST_P(H1RoundTrip, AResetCrossesATunnelBehindItsBytes) {
  serve([](http::ServerExchange& exchange) -> Task<void> {
    ResponseHead head;
    (void)(co_await exchange.respond(head, Body::tunnel())).ok();
    (void)(co_await write_text(exchange, "last words")).ok();
    (void)(co_await exchange.flush(exchange.loop().now() + 10s)).ok();
    exchange.abort(Error(Error::Kind::reset, "upstream"));
  });
  auto exchange = client->open();
  EXPECT_TRUE(world.await(exchange->send(request("CONNECT", ""), Body::tunnel())).ok());
  EXPECT_EQ(world.await(exchange->head())->status, 200);
  Buffer got;
  while (got.size() < 10) ASSERT_TRUE(world.await(exchange->read(got, 100)).ok());
  EXPECT_EQ(got.to_string(), "last words");
  EXPECT_FALSE(world.await(exchange->read(got, 1)).ok());
  exchange.reset();
  orderly = false;
}

INSTANTIATE_TEST_SUITE_P(Shapes, H1RoundTrip,
                         ::testing::Values(Shape{1, 65536, 0}, Shape{1, 1024, 7}, Shape{65536, 65536, 0},
                                           Shape{5000, 4096, 3}, Shape{100000, 1024, 11}),
                         [](const auto& shape) {
                           return "pieces_of_" + std::to_string(shape.param.most) + "_mark_" +
                                  std::to_string(shape.param.high_mark);
                         });

}  // namespace
}  // namespace tunnel::test::http1
