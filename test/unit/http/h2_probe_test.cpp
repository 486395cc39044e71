// SPDX-License-Identifier: Apache-2.0
// An HTTP/2 connection whose peer falls silent: when it is asked, when it is given up, and what becomes of its streams.
#include <gtest/gtest.h>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Health = http::ClientConnection::Health;

Task<void> unused(http::ServerExchange& /*exchange*/) { co_return; }

http::RequestHead request(const std::string& method) {
  http::RequestHead head = method == "CONNECT" ? connect_to() : get();
  head.method = method;
  return head;
}

struct H2Probe : testing::Test {
  explicit H2Probe(Duration interval = Duration::zero())
      : peer(RawPeer::Role::server, unused, {}, {.streams = 0, .window_bytes = 0, .ping = interval}) {}

  std::unique_ptr<http::ClientExchange> ask(const http::RequestHead& head) {
    auto exchange = peer.client->open();
    EXPECT_TRUE(
        peer.world.await(exchange->send(head, head.is_connect() ? http::Body::tunnel() : http::Body::none())).ok());
    peer.send("");
    last_id = peer.decoded.back().first;
    return exchange;
  }
  std::unique_ptr<http::ClientExchange> tunnel() {
    auto exchange = ask(connect_to());
    peer.send(frame(kHeaders, kEndHeaders, last_id, hpack({{":status", "200"}})));
    EXPECT_TRUE(peer.world.await(exchange->head()).ok());
    return exchange;
  }
  void advance(Duration by) {
    peer.world.loop.advance(by);
    peer.send("");
  }
  void answer_ping() { peer.send(frame(kPing, kAck, 0, peer.find(kPing)->payload)); }
  std::size_t pings() const { return peer.number_of(kPing); }
  Error error_of(http::ClientExchange& exchange) {
    Started<Result<http::ResponseHead>> head = start(exchange.head());
    peer.world.loop.run();
    if (!head.done()) return {};
    return head.value().error();
  }

  RawPeer peer;
  std::int32_t last_id = 0;
};

TEST_F(H2Probe, ARequestAfterASilenceIsAPingToo) {
  advance(seconds(5));
  EXPECT_EQ(pings(), 0U);
  auto exchange = ask(connect_to());
  EXPECT_EQ(pings(), 1U);
  EXPECT_EQ(peer.client->health(), Health::asked);
  answer_ping();
  EXPECT_EQ(peer.client->health(), Health::well);
  advance(seconds(5));  // a slow target is no dead proxy: one answer is enough
  EXPECT_EQ(pings(), 1U);
  EXPECT_TRUE(peer.client->usable());
  exchange.reset();
}

TEST_F(H2Probe, ARequestOverALivelyConnectionIsFollowedByOneIfNothingComes) {
  auto standing = tunnel();
  auto exchange = ask(connect_to());
  advance(milliseconds(249));
  EXPECT_EQ(pings(), 0U);
  advance(milliseconds(1));
  EXPECT_EQ(pings(), 1U);
  advance(milliseconds(999));
  EXPECT_EQ(peer.client->health(), Health::asked);
  advance(milliseconds(1));
  EXPECT_EQ(peer.client->health(), Health::doubtful);
  EXPECT_EQ(peer.count(Counter::pool_ping_timeouts), 1U);
  const Error error = error_of(*exchange);
  EXPECT_EQ(error.kind, Error::Kind::timeout);
  EXPECT_TRUE(error.retry_safe);
  EXPECT_EQ(peer.reset_code(last_id), 8);
  exchange.reset();
  standing.reset();
}

TEST_F(H2Probe, WhatStandsLivesOnAndALateAnswerEndsTheDoubt) {
  auto standing = tunnel();
  auto exchange = ask(connect_to());
  advance(seconds(3));
  EXPECT_TRUE(peer.client->usable());
  EXPECT_EQ(peer.client->capacity(), 0U);
  EXPECT_EQ(standing->read_side(), ReadSide::open);
  EXPECT_EQ(pings(), 1U) << "asked once, not over and over";
  answer_ping();
  EXPECT_EQ(peer.client->health(), Health::well);
  EXPECT_GT(peer.client->capacity(), 0U);
  peer.send(frame(kData, 0, 1, "still here"));
  EXPECT_EQ(peer.world.await(read_exactly(*standing, 10)), "still here");
  exchange.reset();
  standing.reset();
}

TEST_F(H2Probe, WithNothingElseOnItItIsAborted) {
  auto exchange = ask(connect_to());
  advance(milliseconds(1250));
  EXPECT_FALSE(peer.client->usable());
  EXPECT_TRUE(error_of(*exchange).retry_safe);
  EXPECT_TRUE(peer.ended);
  exchange.reset();
}

TEST_F(H2Probe, ItIsAbortedWhenTheLastTunnelLeavesIt) {
  auto standing = tunnel();
  auto exchange = ask(connect_to());
  advance(seconds(2));
  exchange.reset();
  EXPECT_TRUE(peer.client->usable());
  standing->abort(Error(Error::Kind::cancelled));
  standing.reset();
  advance(milliseconds(1));
  EXPECT_FALSE(peer.client->usable());
}

TEST_F(H2Probe, OnlyWhatMetSilenceAndMayBeRepeatedIsGivenUp) {
  auto early = ask(get());
  advance(milliseconds(10));
  peer.send(frame(kPing, 0, 0, "12345678"));  // lives: the request may be being served
  advance(milliseconds(10));
  auto late = ask(get());
  auto post = ask(request("POST"));
  advance(milliseconds(1250));
  EXPECT_EQ(peer.client->health(), Health::doubtful);
  EXPECT_TRUE(error_of(*late).retry_safe);
  EXPECT_EQ(error_of(*early).kind, Error::Kind::none) << "waits on";
  EXPECT_EQ(error_of(*post).kind, Error::Kind::none) << "waits on";
  late.reset();
  for (auto* exchange : {&early, &post}) (*exchange)->abort(Error(Error::Kind::cancelled));
  peer.world.loop.run();
  early.reset();
  post.reset();
}

TEST_F(H2Probe, BytesOfATunnelAreAnOccasionToAskAndAnyFrameIsAnAnswer) {
  auto standing = tunnel();
  advance(seconds(30));
  EXPECT_EQ(pings(), 0U);
  Started<void> writing = start(write_all(*standing, "anybody there?", false));
  advance(milliseconds(200));
  peer.send(frame(kData, 0, 1, "yes"));
  advance(seconds(30));
  EXPECT_EQ(pings(), 0U);
  const TimePoint asked = peer.world.loop.now();
  Started<void> again = start(write_all(*standing, "still there?", false));
  advance(milliseconds(1249));
  EXPECT_EQ(pings(), 1U);
  EXPECT_FALSE(standing->silent_since(asked));
  advance(milliseconds(1));
  EXPECT_TRUE(standing->silent_since(asked));
  EXPECT_EQ(standing->write_side(), WriteSide::open) << "it may be only slow";
  peer.send(frame(kWindowUpdate, 0, 0, be(1, 4)));
  EXPECT_FALSE(standing->silent_since(asked));
  EXPECT_EQ(peer.client->health(), Health::well);
  standing.reset();
}

TEST_F(H2Probe, APeerThatHasNotSpokenYetIsNotJudged) {
  SimWorld world;
  auto [near, far] = make_user_space_pair(world.context, 65536);
  auto client = h2::make_client(world.context, std::move(near), {.streams = 0, .window_bytes = 0, .ping = seconds(2)});
  Started<void> run = start(client->run());
  auto exchange = client->open();
  EXPECT_TRUE(world.await(exchange->send(connect_to(), http::Body::tunnel())).ok());
  world.loop.advance(seconds(8));
  EXPECT_TRUE(client->usable());
  EXPECT_EQ(client->health(), Health::well);
  exchange.reset();
  client->abort(Error(Error::Kind::shutdown));
  world.loop.run();
  EXPECT_TRUE(run.done());
}

struct H2ProbeInterval : H2Probe {
  H2ProbeInterval() : H2Probe(seconds(15)) {}
};

TEST_F(H2ProbeInterval, AnIdleConnectionIsAskedNowAndThen) {
  for (std::size_t i = 1; i <= 3; ++i) {
    advance(milliseconds(14'999));
    EXPECT_EQ(pings(), i - 1);
    advance(milliseconds(1));
    EXPECT_EQ(pings(), i);
    answer_ping();
  }
  EXPECT_TRUE(peer.client->usable());
  advance(seconds(15) + milliseconds(999));
  EXPECT_TRUE(peer.client->usable());
  advance(milliseconds(1));
  EXPECT_FALSE(peer.client->usable());
  EXPECT_TRUE(peer.ended);
  EXPECT_EQ(peer.count(Counter::pool_ping_timeouts), 1U);
}

TEST_F(H2ProbeInterval, QuietTunnelsAreNotCutByIt) {
  auto standing = tunnel();
  advance(seconds(60));
  EXPECT_EQ(peer.client->health(), Health::doubtful);
  EXPECT_EQ(standing->read_side(), ReadSide::open);
  peer.send(frame(kData, 0, 1, "awake"));
  EXPECT_EQ(peer.world.await(read_exactly(*standing, 5)), "awake");
  EXPECT_EQ(peer.client->health(), Health::well);
  standing.reset();
}

TEST(H2Connection, ThatDiesUnderARequestItNeverAnsweredWasDeadBefore) {
  for (const bool heard_since : {false, true}) {
    for (const char* method : {"CONNECT", "GET", "POST"}) {
      RawPeer peer(RawPeer::Role::server, unused);
      auto exchange = peer.client->open();
      const bool connect = method == std::string_view("CONNECT");
      EXPECT_TRUE(
          peer.world.await(exchange->send(request(method), connect ? http::Body::tunnel() : http::Body::none())).ok());
      peer.send("");
      peer.world.loop.advance(milliseconds(1));
      if (heard_since) peer.send(frame(kPing, kAck, 0, "notasked"));
      peer.wire->abort(Error(Error::Kind::reset));
      const Result<http::ResponseHead> head = peer.world.await(exchange->head());
      EXPECT_EQ(head.error().retry_safe, !heard_since && method != std::string_view("POST")) << method << heard_since;
      exchange.reset();
    }
  }
}

}  // namespace
}  // namespace tunnel::test
