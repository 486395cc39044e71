// SPDX-License-Identifier: Apache-2.0
// RFC 9113 on the wire: what our HTTP/2 server does with a client that keeps to the rules in an unusual way, or
// breaks them. The peer writes frames byte by byte.
#include <gtest/gtest.h>

#include <map>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

using Role = RawPeer::Role;

constexpr int kProtocol = 1;

TEST(H2Rules, ServerSpeaksFirstWithItsSettings) {
  RawPeer peer(Role::client, answering(200, "hi"));
  const Frame* settings = peer.find(kSettings);
  ASSERT_NE(settings, nullptr);
  std::map<int, std::uint32_t> values;
  for (std::size_t i = 0; i + 6 <= settings->payload.size(); i += 6)
    values[static_cast<std::uint8_t>(settings->payload[i + 1])] = settings->number(i + 2);
  EXPECT_EQ(values[3], 100U);
  EXPECT_EQ(values[4], 65536U);
  EXPECT_EQ(values[6], 16384U);
  EXPECT_EQ(values.count(8), 0U) << "no extended CONNECT";
  const Frame* window = peer.find(kWindowUpdate, 0);
  ASSERT_NE(window, nullptr);
  EXPECT_EQ(window->number(), 16777216U - 65535U);
}

TEST(H2Rules, AnswersWithoutLosingBytesInOneSegment) {
  RawPeer peer(Role::client, echo);
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack(connect_fields())) + frame(kData, 0, 1, "abc") +
            frame(kData, kEndStream, 1, "def"));
  EXPECT_EQ(peer.status_of(1), "200");
  EXPECT_EQ(peer.field(1, "content-length"), "");
  EXPECT_EQ(peer.data(1), "abcdef");
  EXPECT_EQ(peer.reset_code(1), -1);
  EXPECT_FALSE(peer.ended);
}

TEST(H2Rules, BadConnectRequests) {
  const std::vector<std::pair<Pairs, std::string>> answered{
      {connect_fields("nohost"), "400"},
      {connect_fields("u@a:443"), "400"},
      {connect_fields("a:99999"), "400"},
      {connect_fields("a:0"), "400"},
      {connect_fields("a:+1"), "400"},
      {connect_fields("[::1"), "400"},
      {connect_fields("a:1:2"), "400"},
      {{{":method", "CONNECT"}, {":authority", "a:1"}, {"content-length", "0"}}, "400"},
      {{{":method", "CONNECT"}, {":authority", "a:1"}, {"content-length", "5"}}, "400"},
      {{{":method", "CONNECT"}, {":authority", "a:1"}, {"host", "b:1"}}, "400"},
  };
  const std::vector<Pairs> reset{
      {{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "http"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}},
      {{":method", "CONNECT"}},
      connect_fields("http://a/"),
      {{":method", "CONNECT"}, {":authority", ""}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {":protocol", "websocket"}, {":scheme", "http"}, {":path", "/"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {"Upper", "x"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {"connection", "close"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {"x", "a\nb"}},
      {{":method", "CONNECT"}, {":authority", std::string("a\0:1", 4)}},
      {{":method", "CONNECT"}, {":authority", "a b:1"}},
  };
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  std::int32_t id = 3;
  for (const auto& [fields, status] : answered) {
    peer.headers(id, fields);
    EXPECT_EQ(peer.status_of(id), status) << fields[1].second;
    EXPECT_EQ(peer.field(id, "proxy-status"), "tunnel; error=http_request_error");
    EXPECT_EQ(peer.reset_code(id), 0) << "the request has not ended";
    id += 2;
  }
  for (const Pairs& fields : reset) {
    peer.headers(id, fields);
    EXPECT_EQ(peer.reset_code(id), kProtocol) << fields.size() << fields.back().first;
    EXPECT_EQ(peer.status_of(id), "");
    id += 2;
  }
  EXPECT_EQ(peer.handler.served, 1);
  EXPECT_EQ(peer.handler.rejections.size(), answered.size());
  peer.send(frame(kData, 0, 1, "still here"));
  EXPECT_EQ(peer.data(1), "still here");
  EXPECT_EQ(peer.goaway_code(), -1);
}

TEST(H2Rules, MatchingHostOnConnectIsFine) {
  RawPeer peer(Role::client, echo);
  Pairs fields = connect_fields("A.test:443");
  fields.emplace_back("host", "a.TEST:443");
  peer.headers(1, fields);
  EXPECT_EQ(peer.status_of(1), "200");
}

TEST(H2Rules, RequestsNeedAnAuthorityAndAgreeOnIt) {
  RawPeer peer(Role::client, answering(200));
  peer.headers(1, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, kEndStream);
  EXPECT_EQ(peer.reset_code(1) == kProtocol || peer.status_of(1) == "400", true);
  peer.headers(3, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}}, kEndStream);
  EXPECT_EQ(peer.status_of(3), "200");
  peer.headers(5, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}, {"host", "b"}},
               kEndStream);
  EXPECT_EQ(peer.status_of(5), "400");
  peer.headers(7, {{":method", "GET"}, {":scheme", "ftp"}, {":path", "/"}, {":authority", "a"}}, kEndStream);
  EXPECT_EQ(peer.status_of(7), "400");
  peer.headers(9, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "u@a"}}, kEndStream);
  EXPECT_TRUE(peer.status_of(9) == "400" || peer.reset_code(9) == kProtocol);
}

TEST(H2Rules, CookieCrumbsAreJoined) {
  std::string cookie;
  RawPeer peer(Role::client, [&cookie](http::ServerExchange& exchange) {
    cookie = *exchange.request().fields.find("cookie");
    return answer(exchange, 200, "");
  });
  Pairs fields = get_fields();
  fields.emplace_back("cookie", "a=1");
  fields.emplace_back("cookie", "b=2");
  peer.headers(1, fields, kEndStream);
  EXPECT_EQ(cookie, "a=1; b=2");
}

TEST(H2Rules, HeadersInsideATunnelResetItAndNothingElse) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  peer.headers(3, connect_fields());
  peer.headers(5, connect_fields());
  const std::string trailer = hpack({{"x-trailer", "1"}}, 0x40);  // into the dynamic table
  peer.send(frame(kHeaders, kEndHeaders | kEndStream, 1, trailer));
  EXPECT_EQ(peer.reset_code(1), kProtocol);
  peer.send(frame(kHeaders, kEndStream, 3, trailer.substr(0, 4)) +
            frame(kContinuation, kEndHeaders, 3, trailer.substr(4)));
  EXPECT_EQ(peer.reset_code(3), kProtocol);
  peer.send(frame(kData, 0, 5, "sibling"));
  EXPECT_EQ(peer.data(5), "sibling");
  // The table is in step: its newest entry is x-trailer.
  peer.headers(7, connect_fields());
  EXPECT_EQ(peer.status_of(7), "200");
  peer.send(frame(kHeaders, kEndHeaders, 9, hpack(connect_fields()) + std::string(1, static_cast<char>(0x80 | 62))));
  EXPECT_EQ(peer.status_of(9), "200");
  EXPECT_EQ(peer.goaway_code(), -1);
}

TEST(H2Rules, UnknownFramesInATunnelAreIgnored) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  peer.send(frame(0x55, 0, 1, "whatever") + frame(kPriority, 0, 1, be(0, 4) + be(9, 1)) + frame(kData, 0, 1, "on"));
  EXPECT_EQ(peer.data(1), "on");
}

TEST(H2Rules, EmptyDataMayCarryTheEnd) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  peer.send(frame(kData, 0, 1, "x") + frame(kData, kEndStream, 1));
  ASSERT_NE(peer.find(kData, 1), nullptr);
  EXPECT_EQ(peer.frames.back().flags & kEndStream, kEndStream);
}

TEST(H2Rules, PaddingIsCreditedToo) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  const std::string padded = be(200, 1) + "abc" + std::string(200, '\0');
  for (int i = 0; i < 1000; ++i) {  // 204 KB through a window of 64 KiB
    peer.send(frame(kData, 8, 1, padded));
    if (peer.number_of(kWindowUpdate, 1) > 0) break;
  }
  EXPECT_GT(peer.number_of(kWindowUpdate, 1), 0U);
  EXPECT_EQ(peer.reset_code(1), -1);
}

TEST(H2Rules, ConnectionCreditComesOnReceiptStreamCreditWhenRead) {
  Tunnels far;
  RawPeer peer(Role::client, far.serve(), [](Limits& limits) { limits.h2_server_streams = 1000; });
  const std::size_t before = peer.number_of(kWindowUpdate, 0);
  const std::string piece(16384, 'x');
  // More than the connection window has room for, and nobody reads.
  for (std::int32_t id = 1; id < 800; id += 2) {
    peer.headers(id, connect_fields());
    for (int i = 0; i < 4; ++i) peer.send(frame(kData, 0, id, piece));
    EXPECT_EQ(peer.number_of(kWindowUpdate, id), 0U);
  }
  EXPECT_GT(peer.number_of(kWindowUpdate, 0), before);
  EXPECT_EQ(peer.goaway_code(), -1);
  Buffer bytes;
  EXPECT_EQ(far[0].try_read(bytes, 65536).bytes, 65536U);
  peer.send("");
  EXPECT_GE(peer.number_of(kWindowUpdate, 1), 1U);
  EXPECT_EQ(peer.number_of(kWindowUpdate, 3), 0U);
  peer.send(frame(kData, 0, 3, "one too many"));
  EXPECT_EQ(peer.reset_code(3), 3);
  EXPECT_EQ(peer.count(Counter::h2_stream_flow_errors), 1U);
  EXPECT_EQ(far[1].read_side(), ReadSide::reset);
  far.release();
}

TEST(H2Rules, StreamsBeyondTheLimitAreRefused) {
  Tunnels far;
  RawPeer peer(Role::client, far.serve(), [](Limits& limits) { limits.h2_server_streams = 3; });
  for (std::int32_t id = 1; id <= 9; id += 2) peer.headers(id, connect_fields());
  EXPECT_EQ(peer.status_of(5), "200");
  EXPECT_EQ(peer.reset_code(7), 7);
  EXPECT_EQ(peer.reset_code(9), 7);
  EXPECT_EQ(peer.handler.served, 3);
  EXPECT_EQ(peer.count(Counter::h2_streams_refused), 2U);
  EXPECT_EQ(peer.goaway_code(), -1);
  far.release();
}

TEST(H2Rules, AListenersOwnNumberOfStreamsIsAnnouncedAndKept) {
  Tunnels far;
  http::ServerOptions two;
  two.streams = 2;
  RawPeer peer(Role::client, far.serve(), {}, {}, two);
  const Frame* settings = peer.find(kSettings);
  ASSERT_NE(settings, nullptr);
  EXPECT_NE(settings->payload.find(std::string("\0\3\0\0\0\2", 6)), std::string::npos);
  for (std::int32_t id = 1; id <= 5; id += 2) peer.headers(id, connect_fields());
  EXPECT_EQ(peer.status_of(3), "200");
  EXPECT_EQ(peer.reset_code(5), 7);
  EXPECT_EQ(peer.count(Counter::h2_streams_refused), 1U);
  far.release();
}

TEST(H2Rules, BadPrefaceEndsTheConnection) {
  SimWorld world;
  auto [near, far] = make_user_space_pair(world.context, 65536);
  Handler handler(answering(200));
  auto server = h2::make_server(world.context, *far, handler, {});
  Started<void> run = start(server->run());
  Buffer bytes(std::string_view("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(near->try_write(bytes, More::no).state, Io::State::done);
  world.loop.advance(std::chrono::seconds(5));
  EXPECT_TRUE(run.done());
  EXPECT_EQ(handler.served, 0);
  server.reset();
}

TEST(H2Rules, SettingsMustBeAcknowledged) {
  SimWorld world;
  auto [near, far] = make_user_space_pair(world.context, 65536);
  Handler handler(answering(200));
  auto server = h2::make_server(world.context, *far, handler, {});
  Started<void> run = start(server->run());
  world.loop.advance(std::chrono::seconds(9));
  EXPECT_FALSE(run.done());
  world.loop.advance(std::chrono::seconds(3));
  EXPECT_TRUE(run.done());
  EXPECT_EQ(world.counters.value(Counter::h2_settings_timeouts), 1U);
  server.reset();
}

TEST(H2Rules, AHeadHasTenSecondsInAll) {
  RawPeer peer(Role::client, answering(200));
  peer.send(frame(kHeaders, 0, 1, hpack(get_fields())));
  for (int i = 0; i < 8; ++i) {
    peer.world.loop.advance(std::chrono::seconds(1));
    peer.send(frame(kContinuation, 0, 1, hpack({{"x", "y"}})));
  }
  EXPECT_EQ(peer.count(Counter::head_timeouts), 0U);
  peer.world.loop.advance(std::chrono::milliseconds(2500));
  peer.take();
  EXPECT_EQ(peer.count(Counter::head_timeouts), 1U);
  EXPECT_EQ(peer.goaway_code(), 11);
}

TEST(H2Rules, GracefulGoawayGoesTwice) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  peer.server->drain();
  peer.send("");
  ASSERT_EQ(peer.number_of(kGoaway), 1U);
  EXPECT_EQ(peer.find(kGoaway)->number(), 0x7fffffffU);
  peer.headers(3, connect_fields());  // sent before the GOAWAY was read: still served
  EXPECT_EQ(peer.status_of(3), "200");
  const Frame* ping = peer.find(kPing);
  ASSERT_NE(ping, nullptr);
  peer.send(frame(kPing, kAck, 0, ping->payload));
  ASSERT_EQ(peer.number_of(kGoaway), 2U);
  EXPECT_EQ(peer.frames.back().number(), 3U);
  peer.headers(5, connect_fields());
  EXPECT_EQ(peer.status_of(5), "");
  peer.send(frame(kData, kEndStream, 1, "a") + frame(kData, kEndStream, 3, "b"));
  EXPECT_EQ(peer.data(3), "b");
  EXPECT_TRUE(peer.ended);
  peer.wire.reset();
  peer.world.loop.run();
  EXPECT_TRUE(peer.run->done());
}

TEST(H2Rules, LateFramesOnStreamsThePeerClosed) {
  {
    RawPeer peer(Role::client, answering(200, "x"));
    peer.headers(1, get_fields(), kEndStream);
    peer.send(frame(kData, 0, 1, "late"));
    EXPECT_EQ(peer.goaway_code(), 5);
  }
  {
    RawPeer peer(Role::client, echo);
    peer.headers(1, connect_fields());
    peer.send(frame(kRst, 0, 1, be(8, 4)));
    peer.headers(1, connect_fields());
    EXPECT_EQ(peer.goaway_code(), 5);
  }
  {
    RawPeer peer(Role::client, echo);
    peer.headers(5, connect_fields());
    peer.headers(3, connect_fields());
    EXPECT_EQ(peer.goaway_code(), kProtocol);
  }
  {
    RawPeer peer(Role::client, answering(403));  // answered, and the rest refused: the peer cannot know yet
    peer.headers(1, connect_fields());
    EXPECT_EQ(peer.reset_code(1), 0);
    peer.send(frame(kData, 0, 1, "crossed") + frame(kData, kEndStream, 1, "crossed"));
    peer.headers(3, get_fields(), kEndStream);
    EXPECT_EQ(peer.status_of(3), "403");
    EXPECT_EQ(peer.goaway_code(), -1);
  }
}

TEST(H2Rules, ZeroWindowUpdateIsAnErrorOnAnyStream) {
  RawPeer peer(Role::client, answering(200, "x"));
  peer.headers(1, get_fields(), kEndStream);
  peer.send(frame(kWindowUpdate, 0, 1, be(0, 4)));
  EXPECT_EQ(peer.goaway_code(), kProtocol);
}

}  // namespace
}  // namespace tunnel::test
