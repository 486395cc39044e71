// SPDX-License-Identifier: Apache-2.0
// Our HTTP/2 client and server against each other, in memory: messages.
#include <gtest/gtest.h>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

TEST(H2Exchange, GetIsAnswered) {
  http::RequestHead seen;
  Joined h2([&seen](http::ServerExchange& exchange) {
    seen = exchange.request();
    EXPECT_EQ(exchange.request_body(), http::Body::none());
    EXPECT_EQ(exchange.protocol(), "HTTP/2");
    return answer(exchange, 200, "hello");
  });
  http::RequestHead head = get("/a?b=c");
  head.fields.add("x-one", "1");
  head.fields.add("connection", "close");
  head.fields.add("cookie", "a=1; b=2");
  const Reply reply = h2.fetch_one(head);
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body, "hello");
  EXPECT_FALSE(reply.error);
  ASSERT_EQ(reply.heads.size(), 1U);
  EXPECT_TRUE(reply.heads[0].fields.contains("date"));
  EXPECT_FALSE(reply.heads[0].fields.contains("content-length"));
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.scheme, "http");
  EXPECT_EQ(seen.authority, "example.test");
  EXPECT_EQ(seen.path, "/a?b=c");
  ASSERT_NE(seen.fields.find("x-one"), nullptr);
  EXPECT_FALSE(seen.fields.contains("connection"));
  ASSERT_NE(seen.fields.find("cookie"), nullptr);
  EXPECT_EQ(*seen.fields.find("cookie"), "a=1; b=2");
}

class H2Bodies : public ::testing::TestWithParam<std::pair<std::size_t, std::uint64_t>> {};

TEST_P(H2Bodies, SeveralMegabytesBothWaysAtOnce) {
  const auto [pair_bytes, seed] = GetParam();
  Joined h2(echo, pair_bytes, seed);
  const std::string body = pattern(3'000'001);
  const Reply reply = h2.fetch_one(post(), body);
  EXPECT_EQ(reply.status(), 200);
  EXPECT_FALSE(reply.error) << reply.error.text();
  EXPECT_TRUE(reply.body == body);
}
INSTANTIATE_TEST_SUITE_P(PairsAndOrders, H2Bodies,
                         ::testing::Values(std::pair{std::size_t{1024}, std::uint64_t{0}},
                                           std::pair{std::size_t{4096}, std::uint64_t{1}},
                                           std::pair{std::size_t{65536}, std::uint64_t{0}},
                                           std::pair{std::size_t{1 << 20}, std::uint64_t{7}}));

TEST(H2Exchange, BodyKindsArriveAsTheyWere) {
  std::vector<http::Body> bodies;
  Joined h2([&bodies](http::ServerExchange& exchange) {
    bodies.push_back(exchange.request_body());
    return echo(exchange);
  });
  EXPECT_EQ(h2.fetch_one(post(), "12345").body, "12345");
  auto exchange = h2.client->open();
  const Reply reply = h2.world.await(fetch(*exchange, post(), "unknown length", false));
  EXPECT_EQ(reply.body, "unknown length");
  EXPECT_EQ(exchange->response_body(), http::Body::unknown());
  exchange.reset();
  ASSERT_EQ(bodies.size(), 2U);
  EXPECT_EQ(bodies[0], http::Body::of(5));
  EXPECT_EQ(bodies[1], http::Body::unknown());
}

TEST(H2Exchange, ResponsesWithoutBody) {
  Joined h2([](http::ServerExchange& exchange) -> Task<void> {
    const std::string path = exchange.request().path;
    if (path == "/head") return answer(exchange, 200, "a body nobody gets");
    return answer(exchange, path == "/204" ? 204 : 304, "");
  });
  http::RequestHead head = get("/head");
  head.method = "HEAD";
  auto exchange = h2.client->open();
  const Reply reply = h2.world.await(fetch(*exchange, head));
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body, "");
  EXPECT_FALSE(reply.error);
  EXPECT_EQ(exchange->response_body(), http::Body::none());
  ASSERT_NE(reply.heads[0].fields.find("content-length"), nullptr);
  EXPECT_EQ(*reply.heads[0].fields.find("content-length"), "18");
  exchange.reset();
  EXPECT_EQ(h2.fetch_one(get("/204")).status(), 204);
  EXPECT_EQ(h2.fetch_one(get("/304")).status(), 304);
}

Task<void> serve_trailers(http::ServerExchange& exchange, http::Fields& seen) {
  Task<std::string> reading = read_all(exchange);
  const std::string body = co_await reading;
  seen = exchange.trailers();
  Result<void> responded = co_await exchange.respond(status(200), http::Body::unknown());
  EXPECT_TRUE(responded.ok());
  Result<void> written = co_await write_text(exchange, body);
  EXPECT_TRUE(written.ok());
  http::Fields trailers;
  trailers.add("x-sum", "42");
  Result<void> finished = co_await exchange.finish(trailers);
  EXPECT_TRUE(finished.ok());
}

Task<void> send_with_trailers(http::ClientExchange& exchange) {
  Result<void> sent = co_await exchange.send(post(), http::Body::unknown());
  EXPECT_TRUE(sent.ok());
  Result<void> written = co_await write_text(exchange, pattern(200000));
  EXPECT_TRUE(written.ok());
  http::Fields trailers;
  trailers.add("x-up", "1");
  Result<void> finished = co_await exchange.finish(trailers);
  EXPECT_TRUE(finished.ok());
}

TEST(H2Exchange, TrailersBothWays) {
  http::Fields seen;
  Joined h2([&seen](http::ServerExchange& exchange) { return serve_trailers(exchange, seen); });
  auto exchange = h2.client->open();
  Reply reply;
  Started<void> sending = start(send_with_trailers(*exchange));
  h2.world.await(receive(*exchange, reply));
  EXPECT_TRUE(sending.done());
  EXPECT_TRUE(reply.body == pattern(200000));
  ASSERT_NE(seen.find("x-up"), nullptr);
  ASSERT_NE(reply.trailers.find("x-sum"), nullptr);
  EXPECT_EQ(*reply.trailers.find("x-sum"), "42");
  exchange.reset();
}

Task<void> serve_interim(http::ServerExchange& exchange) {
  Result<void> informed = co_await exchange.inform(status(100));
  EXPECT_TRUE(informed.ok());
  http::ResponseHead hints = status(103);
  hints.fields.add("link", "</x>");
  informed = co_await exchange.inform(hints);
  EXPECT_TRUE(informed.ok());
  http::ResponseHead switching = status(101);
  informed = co_await exchange.inform(switching);
  EXPECT_FALSE(informed.ok());
  Task<void> answering_it = answer(exchange, 200, "done");
  co_await answering_it;
}

TEST(H2Exchange, InterimHeadsComeOneByOne) {
  Joined h2(serve_interim);
  const Reply reply = h2.fetch_one(get());
  ASSERT_EQ(reply.heads.size(), 3U);
  EXPECT_EQ(reply.heads[0].status, 100);
  EXPECT_EQ(reply.heads[1].status, 103);
  EXPECT_TRUE(reply.heads[1].fields.contains("link"));
  EXPECT_EQ(reply.heads[2].status, 200);
  EXPECT_EQ(reply.body, "done");
}

Task<void> serve_promise(http::ServerExchange& exchange, std::size_t announced, std::string body) {
  Result<void> responded = co_await exchange.respond(status(200), http::Body::of(announced));
  EXPECT_TRUE(responded.ok());
  Task<void> writing = write_all(exchange, std::move(body));
  co_await writing;
}

TEST(H2Exchange, BodyLongerOrShorterThanAnnouncedIsReset) {
  for (const std::size_t announced : {std::size_t{3}, std::size_t{9}}) {
    Joined h2([announced](http::ServerExchange& exchange) {
      return exchange.request().path == "/" ? serve_promise(exchange, announced, "12345") : answer(exchange, 200, "ok");
    });
    const Reply reply = h2.fetch_one(get());
    EXPECT_EQ(reply.error.kind, Error::Kind::reset) << announced;
    EXPECT_EQ(reply.error.reset_code, 2U);
    EXPECT_EQ(h2.fetch_one(get("/next")).body, "ok") << "the connection lives";
  }
}

Task<void> do_nothing(http::ServerExchange& /*exchange*/) { co_return; }

TEST(H2Exchange, HandlerThatDoesNotAnswerResetsTheStream) {
  Joined h2(do_nothing);
  const Reply reply = h2.fetch_one(get());
  EXPECT_EQ(reply.error.kind, Error::Kind::reset);
  EXPECT_EQ(reply.error.reset_code, 2U);
  EXPECT_FALSE(reply.error.retry_safe);
}

TEST(H2Exchange, EarlyAnswerIsReadAndTheRestOfTheBodyRefused) {
  Joined h2(answering(413, "too much"));
  auto exchange = h2.client->open();
  const Reply reply = h2.world.await(fetch(*exchange, post(), pattern(5'000'000)));
  EXPECT_EQ(reply.status(), 413);
  EXPECT_EQ(reply.body, "too much");
  EXPECT_FALSE(reply.error) << reply.error.text();
  EXPECT_EQ(exchange->write_side(), WriteSide::refused);
  EXPECT_EQ(exchange->read_side(), ReadSide::ended);
  exchange.reset();
}

TEST(H2Exchange, RequestsThatCannotBeSentAreRefusedHere) {
  Joined h2(answering(200));
  http::RequestHead bad = get();
  bad.fields.add("x", "a\r\nb: c");
  EXPECT_EQ(h2.fetch_one(bad).error.kind, Error::Kind::protocol);
  EXPECT_EQ(h2.fetch_one(connect_to("evil:443\r\nx: y")).error.kind, Error::Kind::protocol);
  EXPECT_EQ(h2.fetch_one(connect_to("noport")).error.kind, Error::Kind::protocol);
  EXPECT_EQ(h2.handler.served, 0);
  EXPECT_EQ(h2.fetch_one(get()).status(), 200);
}

TEST(H2Exchange, SmallBodyBehindAnEarlyAnswerIsDrainedNotReset) {
  Joined h2(answering(200, "early"));
  auto exchange = h2.client->open();
  EXPECT_TRUE(h2.world.await(exchange->send(post(), http::Body::of(50000))).ok());
  Reply reply;
  h2.world.await(receive(*exchange, reply));
  EXPECT_EQ(reply.body, "early");
  EXPECT_EQ(exchange->write_side(), WriteSide::open);
  EXPECT_TRUE(h2.world.await(write_text(*exchange, pattern(50000))).ok());
  EXPECT_TRUE(h2.world.await(exchange->shutdown_write()).ok());
  exchange.reset();
  h2.world.loop.run();
  EXPECT_EQ(h2.client->active(), 0U);

  auto slow = h2.client->open();
  EXPECT_TRUE(h2.world.await(slow->send(post(), http::Body::of(50000))).ok());
  h2.world.await(receive(*slow, reply));
  EXPECT_EQ(slow->write_side(), WriteSide::open);
  h2.world.loop.advance(std::chrono::seconds(2));
  EXPECT_EQ(slow->write_side(), WriteSide::refused);
  slow.reset();
}

Task<void> big_head(http::ServerExchange& exchange) {
  http::ResponseHead head = status(200);
  for (int i = 0; i < 20; ++i) head.fields.add("x-long", std::string(1000, 'a'));
  Result<void> responded = co_await exchange.respond(head, http::Body::none());
  (void)responded.ok();
}

TEST(H2Exchange, ResponseHeadTooLargeIsA502) {
  Joined h2(big_head);
  const Reply reply = h2.fetch_one(get());
  EXPECT_EQ(http_status(reply.error), 502);
  EXPECT_EQ(h2.count(Counter::heads_too_large), 1U);
}

TEST(H2Exchange, ManyAtOnceUpToTheCapacity) {
  Joined h2(echo);
  const unsigned capacity = h2.client->capacity();
  EXPECT_EQ(capacity, 100U);
  std::vector<std::unique_ptr<http::ClientExchange>> exchanges;
  std::vector<Started<Reply>> replies;
  for (unsigned i = 0; i < capacity; ++i) {
    exchanges.push_back(h2.client->open());
    replies.push_back(start(fetch(*exchanges.back(), post(), pattern(100000, i))));
  }
  EXPECT_EQ(h2.client->capacity(), 0U);
  h2.world.loop.run();
  for (unsigned i = 0; i < capacity; ++i) {
    ASSERT_TRUE(replies[i].done());
    EXPECT_TRUE(replies[i].value().body == pattern(100000, i));
  }
  exchanges.clear();
  h2.world.loop.run();
  EXPECT_EQ(h2.client->active(), 0U);
  EXPECT_EQ(h2.client->capacity(), capacity);
}

TEST(H2Exchange, CloseEndsBothInOrder) {
  Joined h2(answering(200, "x"));
  EXPECT_EQ(h2.fetch_one(get()).status(), 200);
  h2.client->close();
  EXPECT_FALSE(h2.client->usable());
  h2.world.loop.run();
  EXPECT_TRUE(h2.client_run->done());
  EXPECT_TRUE(h2.server_run->done());
  EXPECT_EQ(h2.count(Counter::linger_cut), 0U);
}

}  // namespace
}  // namespace tunnel::test
