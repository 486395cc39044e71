// SPDX-License-Identifier: Apache-2.0
// RFC 9113 on the wire: what our HTTP/2 client does with a server that keeps to the rules in an unusual way, breaks
// them or goes away.
#include <gtest/gtest.h>

#include <map>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

using Role = RawPeer::Role;

constexpr int kProtocol = 1;

std::unique_ptr<http::ClientExchange> asked(RawPeer& peer, const http::RequestHead& head) {
  auto exchange = peer.client->open();
  EXPECT_TRUE(
      peer.world.await(exchange->send(head, head.is_connect() ? http::Body::tunnel() : http::Body::none())).ok());
  peer.send("");
  return exchange;
}

Task<void> unused(http::ServerExchange& /*exchange*/) { co_return; }

TEST(H2ClientRules, ClientSendsConnectAsItMust) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, connect_to("h.test:443"));
  ASSERT_EQ(peer.decoded.size(), 1U);
  EXPECT_EQ(peer.decoded[0].second, (Pairs{{":method", "CONNECT"}, {":authority", "h.test:443"}}));
  EXPECT_EQ(peer.find(kHeaders, 1)->flags & kEndStream, 0);
  std::map<int, std::uint32_t> values;
  const Frame* settings = peer.find(kSettings);
  ASSERT_NE(settings, nullptr);
  for (std::size_t i = 0; i + 6 <= settings->payload.size(); i += 6)
    values[static_cast<std::uint8_t>(settings->payload[i + 1])] = settings->number(i + 2);
  EXPECT_EQ(values.count(2), 1U);
  EXPECT_EQ(values[2], 0U);
  exchange.reset();
}

TEST(H2ClientRules, Any2xxOpensATunnelWhateverLengthItClaims) {
  RawPeer peer(Role::server, unused);
  for (const char* code : {"200", "201", "299"}) {
    auto exchange = asked(peer, connect_to());
    const std::int32_t id = peer.frames.back().id;
    peer.send(frame(kHeaders, kEndHeaders, id, hpack({{":status", "100"}})) +
              frame(kHeaders, kEndHeaders, id, hpack({{":status", "103"}})) +
              frame(kHeaders, kEndHeaders, id, hpack({{":status", code}, {"content-length", "3"}})) +
              frame(kData, 0, id, "more than three"));
    std::vector<int> statuses;
    for (int i = 0; i < 3; ++i) {
      Result<http::ResponseHead> head = peer.world.await(exchange->head());
      ASSERT_TRUE(head.ok()) << head.error().text();
      statuses.push_back(head->status);
    }
    EXPECT_EQ(statuses, (std::vector<int>{100, 103, std::stoi(code)}));
    EXPECT_EQ(exchange->response_body(), http::Body::tunnel());
    EXPECT_EQ(peer.world.await(read_exactly(*exchange, 15)), "more than three");
    exchange.reset();
    peer.send("");
    EXPECT_EQ(peer.reset_code(id), 8);
  }
}

TEST(H2ClientRules, NoErrorResetAfterTheEndIsARefusalNotAReset) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, connect_to());
  Told told;
  exchange->on_reset(&told);
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "200"}})) + frame(kData, kEndStream, 1, "all of it") +
            frame(kRst, 0, 1, be(0, 4)));
  EXPECT_TRUE(peer.world.await(exchange->head()).ok());
  EXPECT_EQ(exchange->write_side(), WriteSide::refused);
  EXPECT_EQ(exchange->read_side(), ReadSide::open);
  Error failure;
  EXPECT_EQ(peer.world.await(read_all(*exchange, &failure)), "all of it");
  EXPECT_FALSE(failure);
  EXPECT_EQ(exchange->read_side(), ReadSide::ended);
  EXPECT_EQ(told.times, 0);
  EXPECT_FALSE(peer.world.await(write_text(*exchange, "x")).ok());
  exchange.reset();
}

TEST(H2ClientRules, NoErrorResetBeforeTheEndIsAReset) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, connect_to());
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "200"}})) + frame(kData, 0, 1, "part") +
            frame(kRst, 0, 1, be(0, 4)));
  EXPECT_TRUE(peer.world.await(exchange->head()).ok());
  Error failure;
  EXPECT_EQ(peer.world.await(read_all(*exchange, &failure)), "part");
  EXPECT_EQ(failure.kind, Error::Kind::reset);
  exchange.reset();
}

TEST(H2ClientRules, TrailersAfterThe2xxAreAnErrorForTheClientToo) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, connect_to());
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "200"}})) +
            frame(kHeaders, kEndHeaders | kEndStream, 1, hpack({{"x", "y"}})));
  EXPECT_EQ(peer.reset_code(1), kProtocol);
  EXPECT_TRUE(peer.world.await(exchange->head()).ok());
  Error failure;
  EXPECT_EQ(peer.world.await(read_all(*exchange, &failure)), "");
  EXPECT_EQ(failure.kind, Error::Kind::protocol);
  exchange.reset();
}

TEST(H2ClientRules, DataBeforeTheHeadIsAnError) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, connect_to());
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "103"}})) + frame(kData, 0, 1, "too early"));
  Result<http::ResponseHead> head = peer.world.await(exchange->head());
  EXPECT_EQ(head.error().kind, Error::Kind::protocol);
  EXPECT_EQ(peer.reset_code(1), kProtocol);
  exchange.reset();
}

TEST(H2ClientRules, A101IsAnError) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, get());
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "101"}})));
  EXPECT_FALSE(peer.world.await(exchange->head()).ok());
  exchange.reset();
}

TEST(H2ClientRules, BodyThatContradictsItsLengthIsAnError) {
  for (const char* body : {"1234", "123456"}) {
    RawPeer peer(Role::server, unused);
    auto exchange = asked(peer, get());
    peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "200"}, {"content-length", "5"}})) +
              frame(kData, kEndStream, 1, body));
    EXPECT_TRUE(peer.world.await(exchange->head()).ok());
    EXPECT_EQ(exchange->response_body(), http::Body::of(5));
    Error failure;
    peer.world.await(read_all(*exchange, &failure));
    EXPECT_TRUE(failure) << body;
    exchange.reset();
  }
}

TEST(H2ClientRules, WhatTheServerNeverTookIsSafeToRetry) {
  {
    RawPeer peer(Role::server, unused);
    auto exchange = asked(peer, get());
    peer.send(frame(kRst, 0, 1, be(7, 4)));
    Result<http::ResponseHead> head = peer.world.await(exchange->head());
    EXPECT_EQ(head.error().kind, Error::Kind::refused);
    EXPECT_TRUE(head.error().retry_safe);
    EXPECT_TRUE(peer.client->usable());
    exchange.reset();
  }
  {
    RawPeer peer(Role::server, unused);
    auto first = asked(peer, connect_to());
    auto second = asked(peer, connect_to());
    peer.send(frame(kGoaway, 0, 0, be(1, 4) + be(0, 4)));
    EXPECT_FALSE(peer.client->usable());
    Result<http::ResponseHead> head = peer.world.await(second->head());
    EXPECT_TRUE(head.error().retry_safe);
    peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "200"}})) + frame(kData, kEndStream, 1, "fine"));
    EXPECT_TRUE(peer.world.await(first->head()).ok());
    EXPECT_EQ(peer.world.await(read_all(*first)), "fine");
    EXPECT_TRUE(peer.world.await(first->shutdown_write()).ok());
    first.reset();
    second.reset();
    peer.send("");
    EXPECT_TRUE(peer.ended);
  }
  {
    RawPeer peer(Role::server, unused);
    auto exchange = asked(peer, get());
    peer.send(frame(kRst, 0, 1, be(2, 4)));
    EXPECT_FALSE(peer.world.await(exchange->head()).error().retry_safe);
    exchange.reset();
  }
}

TEST(H2ClientRules, HeadersThatNeverLeftAreSafeToRetry) {
  SimWorld world;
  auto [near, far] = make_user_space_pair(world.context, 65536);
  auto client = h2::make_client(world.context, std::move(near));
  Started<void> run = start(client->run());
  world.loop.run();
  auto exchange = client->open();
  EXPECT_TRUE(world
                  .await([](http::ClientExchange& e, Stream& peer) -> Task<Result<void>> {
                    Result<void> sent = co_await e.send(get(), http::Body::none());
                    peer.abort(Error(Error::Kind::reset));  // before the flush of this turn
                    co_return sent;
                  }(*exchange, *far))
                  .ok());
  Result<http::ResponseHead> head = world.await(exchange->head());
  EXPECT_TRUE(head.error().retry_safe);
  exchange.reset();
  world.loop.run();
  EXPECT_TRUE(run.done());
  client.reset();
}

Task<void> ask_and_give_up(std::unique_ptr<http::ClientExchange> exchange, bool abort_first) {
  Result<void> sent = co_await exchange->send(connect_to(), http::Body::tunnel());
  EXPECT_TRUE(sent.ok());
  if (abort_first) exchange->abort(Error(Error::Kind::cancelled));
}

TEST(H2ClientRules, RequestsGivenUpBeforeTheyLeftNeverLeave) {
  RawPeer peer(Role::server, unused);
  for (const bool abort_first : {true, false}) {
    peer.world.await(ask_and_give_up(peer.client->open(), abort_first));
    peer.send("");
    EXPECT_EQ(peer.number_of(kHeaders), 0U);
    EXPECT_EQ(peer.client->active(), 0U);
  }
  auto exchange = asked(peer, connect_to());
  EXPECT_EQ(peer.number_of(kHeaders), 1U);
  exchange.reset();
}

TEST(H2ClientRules, PeersStreamLimitIsTheCapacity) {
  RawPeer peer(Role::server, unused);
  peer.send(frame(kSettings, 0, 0, be(3, 2) + be(2, 4)));
  EXPECT_EQ(peer.client->capacity(), 2U);
  auto exchange = asked(peer, get());
  EXPECT_EQ(peer.client->capacity(), 1U);
  EXPECT_EQ(peer.client->active(), 1U);
  exchange.reset();
  peer.send("");
  EXPECT_EQ(peer.client->capacity(), 2U);
}

TEST(H2ClientRules, RefusedTunnelKeepsItsAnswer) {
  RawPeer peer(Role::server, unused);
  auto exchange = asked(peer, connect_to());
  Started<void> writing = start(write_all(*exchange, "never sent"));
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack({{":status", "503"}, {"content-length", "4"}})) +
            frame(kData, kEndStream, 1, "busy"));
  Result<http::ResponseHead> head = peer.world.await(exchange->head());
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->status, 503);
  EXPECT_EQ(peer.world.await(read_all(*exchange)), "busy");
  peer.send("");
  EXPECT_EQ(peer.data(1), "");
  exchange.reset();
}

}  // namespace
}  // namespace tunnel::test
