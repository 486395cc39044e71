// SPDX-License-Identifier: Apache-2.0
// Tunnels by POST over HTTP/2: DATA both ways behind a 2xx without a length.
#include <gtest/gtest.h>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

using Role = RawPeer::Role;

Pairs post_fields(const Pairs& more = {}) {
  Pairs fields{{":method", "POST"}, {":scheme", "http"}, {":path", "/t"}, {":authority", "h.test"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::unique_ptr<http::ClientExchange> asked(RawPeer& peer) {
  auto exchange = peer.client->open();
  EXPECT_TRUE(peer.world.await(exchange->send(post(), http::Body::tunnel())).ok());
  peer.send("");
  return exchange;
}

Task<void> unused(http::ServerExchange& /*exchange*/) { co_return; }

// Opens the tunnel and echoes; what respond() said goes into `told`.
Serve tunnelling(std::uint16_t code, Error& told) {
  return [code, &told](http::ServerExchange& exchange) -> Task<void> {
    Result<void> responded = co_await exchange.respond(status(code), http::Body::tunnel());
    told = responded.error();
    if (!responded.ok()) {
      Task<void> refusing = answer(exchange, 400, "no tunnel");
      co_await refusing;
      co_return;
    }
    Error failure;
    Task<std::string> reading = read_all(exchange, &failure);
    const std::string all = co_await reading;
    Task<void> writing = write_all(exchange, all);
    co_await writing;
  };
}

TEST(H2Post, TheServerOpensOneForABodyWithoutALength) {
  Error told;
  RawPeer peer(Role::client, tunnelling(200, told));
  peer.headers(1, post_fields());
  EXPECT_EQ(peer.status_of(1), "200");
  EXPECT_EQ(peer.field(1, "content-length"), "");
  EXPECT_EQ(peer.find(kHeaders, 1)->flags & kEndStream, 0);
  peer.send(frame(kData, 0, 1, "both ") + frame(kData, kEndStream, 1, "ways"));
  EXPECT_EQ(peer.data(1), "both ways");
  EXPECT_EQ(peer.reset_code(1), -1);
  EXPECT_FALSE(told);
}

TEST(H2Post, TheServerOpensNoneForAnythingElse) {
  struct Case {
    Pairs fields;
    std::uint16_t status;
    int flags;
  };
  Pairs put = post_fields();
  put[0].second = "PUT";
  for (const Case& each : {Case{post_fields({{"content-length", "4"}}), 200, 0}, Case{post_fields(), 200, kEndStream},
                           Case{put, 200, 0}, Case{post_fields(), 403, 0}}) {
    Error told;
    RawPeer peer(Role::client, tunnelling(each.status, told));
    peer.headers(1, each.fields, kEndHeaders | each.flags);
    EXPECT_EQ(told.kind, Error::Kind::internal) << each.status;
    EXPECT_EQ(peer.status_of(1), "400");
    EXPECT_EQ(peer.data(1), "no tunnel");
  }
}

TEST(H2Post, TheClientAnnouncesNoLengthAndSendsNothingBeforeThe2xx) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer);
  ASSERT_EQ(peer.decoded.size(), 1U);
  for (const auto& [name, value] : peer.decoded[0].second) EXPECT_NE(name, "content-length") << value;
  EXPECT_EQ(peer.find(kHeaders, 1)->flags & kEndStream, 0);
  Started<void> writing = start(write_all(*exchange, "payload"));
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "103"}})));
  EXPECT_EQ(peer.number_of(kData, 1), 0U);  // held here, whoever waits for it
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "200"}})) + frame(kData, kEndStream, 1, "down"));
  EXPECT_EQ(peer.data(1), "payload");
  EXPECT_TRUE(writing.done());
  EXPECT_EQ(peer.world.await(exchange->head())->status, 103);
  EXPECT_EQ(peer.world.await(exchange->head())->status, 200);
  EXPECT_EQ(exchange->response_body(), http::Body::tunnel());
  EXPECT_EQ(peer.world.await(read_all(*exchange)), "down");
  exchange.reset();
  peer.send("");
  EXPECT_EQ(peer.reset_code(1), -1);
}

TEST(H2Post, APageIsNoTunnelAndNothingIsSentToIt) {
  struct Case {
    Pairs fields;
    std::string text;
  };
  for (const Case& each : {Case{{{":status", "200"}, {"content-length", "4"}}, "page"}, Case{{{":status", "200"}}, ""},
                           Case{{{":status", "204"}}, ""}, Case{{{":status", "403"}}, "gone"}}) {
    RawPeer peer(Role::server, unused);
    auto exchange = asked(peer);
    Started<void> writing = start(write_all(*exchange, "never", false));
    const int end = each.text.empty() ? kEndStream : 0;
    peer.send(frame(kHeaders, kEndHeaders | end, 1, hpack(each.fields)));
    if (end == 0) peer.send(frame(kData, kEndStream, 1, each.text));
    EXPECT_TRUE(peer.world.await(exchange->head()).ok());
    EXPECT_NE(exchange->response_body().kind, http::Body::Kind::tunnel) << each.fields[0].second;
    EXPECT_EQ(peer.world.await(read_all(*exchange)), each.text);
    EXPECT_EQ(exchange->write_side(), WriteSide::refused);
    peer.send("");
    EXPECT_TRUE(writing.done());
    EXPECT_EQ(peer.data(1), "");
    exchange.reset();
    peer.send("");
  }
}

TEST(H2Post, OursToOursCarriesMuchBothWaysAtOnce) {
  const std::string bulk = pattern(3'000'000);
  Joined h2([&](http::ServerExchange& exchange) -> Task<void> {
    Result<void> responded = co_await exchange.respond(status(200), http::Body::tunnel());
    EXPECT_TRUE(responded.ok());
    for (;;) {
      Buffer piece;
      Result<std::size_t> n = co_await exchange.read(piece, 65536);
      if (!n.ok() || *n == 0) break;
      Result<void> written = co_await exchange.write(piece);
      if (!written.ok()) break;
    }
    Result<void> ended = co_await exchange.shutdown_write();
    EXPECT_TRUE(ended.ok());
  });
  auto exchange = h2.client->open();
  EXPECT_TRUE(h2.world.await(exchange->send(post(), http::Body::tunnel())).ok());
  Started<void> writing = start(write_all(*exchange, bulk));
  Reply reply;
  Task<void> receiving = receive(*exchange, reply);
  h2.world.await(std::move(receiving));
  EXPECT_TRUE(writing.done());
  EXPECT_EQ(reply.body, bulk);
  EXPECT_FALSE(reply.error);
  exchange.reset();
}

}  // namespace
}  // namespace tunnel::test
