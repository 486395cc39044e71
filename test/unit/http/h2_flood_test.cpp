// SPDX-License-Identifier: Apache-2.0
// Attacks on our HTTP/2 server (test/RULES.md section 2): each is cut with GOAWAY(ENHANCE_YOUR_CALM), counted once, and
// what honest peers do stays below every limit.
#include <gtest/gtest.h>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

using Role = RawPeer::Role;
constexpr int kCalm = 11;

void expect_cut(RawPeer& peer, Counter counter) {
  peer.take();
  EXPECT_EQ(peer.goaway_code(), kCalm);
  EXPECT_EQ(peer.count(counter), 1U);
  peer.world.loop.advance(std::chrono::seconds(3));
  EXPECT_TRUE(peer.run->done());
}

Task<void> until_reset(http::ServerExchange& exchange) {
  Task<std::string> reading = read_all(exchange);
  const std::string unused = co_await reading;
  EXPECT_EQ(unused, "");
}

TEST(H2Flood, RapidReset) {
  RawPeer peer(Role::client, until_reset);
  std::int32_t id = 1;
  for (; id < 20000 && peer.goaway_code() < 0; id += 2)
    peer.send(frame(kHeaders, kEndHeaders, id, hpack(connect_fields())) + frame(kRst, 0, id, be(8, 4)));
  EXPECT_GE(id / 2, 200);
  EXPECT_LE(id / 2, 203);
  expect_cut(peer, Counter::h2_rapid_resets);
}

TEST(H2Flood, SlowResetsAndResetsAfterTheAnswerAreFine) {
  RawPeer peer(Role::client, echo);
  for (std::int32_t id = 1; id < 3000; id += 2) {
    peer.headers(id, connect_fields());
    peer.send(frame(kRst, 0, id, be(8, 4)));
  }
  EXPECT_EQ(peer.goaway_code(), -1);
  RawPeer slow(Role::client, until_reset);
  for (std::int32_t id = 1; id < 2000; id += 2) {
    slow.send(frame(kHeaders, kEndHeaders, id, hpack(connect_fields())) + frame(kRst, 0, id, be(8, 4)));
    slow.world.loop.advance(std::chrono::milliseconds(31));
  }
  EXPECT_EQ(slow.goaway_code(), -1);
}

TEST(H2Flood, ResetsWeAreMadeToSend) {
  RawPeer peer(Role::client, until_reset);
  std::int32_t id = 1;
  for (; id < 20000 && peer.goaway_code() < 0; id += 2)
    peer.headers(id, {{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}});
  EXPECT_GE(id / 2, 100);
  EXPECT_LE(id / 2, 103);
  expect_cut(peer, Counter::h2_own_resets);
}

TEST(H2Flood, WindowOverflowOfStreamsIsCountedToo) {
  RawPeer peer(Role::client, until_reset);
  for (std::int32_t id = 1; id < 20000 && peer.goaway_code() < 0; id += 2) {
    peer.headers(id, connect_fields());
    peer.send(frame(kWindowUpdate, 0, id, be(0x7fffffff, 4)));
  }
  expect_cut(peer, Counter::h2_own_resets);
}

TEST(H2Flood, ResetsForRefusedTunnelsAreNotTheClientsFault) {
  RawPeer peer(Role::client, answering(403));
  for (std::int32_t id = 1; id < 1000; id += 2) peer.headers(id, connect_fields());
  EXPECT_EQ(peer.number_of(kRst), 500U);
  EXPECT_EQ(peer.goaway_code(), -1);
}

TEST(H2Flood, Continuations) {
  RawPeer peer(Role::client, answering(200));
  peer.send(frame(kHeaders, kEndStream, 1, hpack(get_fields())));
  for (int i = 0; i < 8; ++i) peer.send(frame(kContinuation, 0, 1, hpack({{"x", "y"}})));
  EXPECT_EQ(peer.goaway_code(), -1);
  for (int i = 0; i < 100 && peer.goaway_code() < 0; ++i) peer.send(frame(kContinuation, 0, 1, hpack({{"x", "y"}})));
  expect_cut(peer, Counter::h2_continuations);
  EXPECT_EQ(peer.handler.served, 0);
}

TEST(H2Flood, PingsToAPeerThatReadsNothing) {
  RawPeer peer(Role::client, answering(200));
  peer.deaf = true;
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += frame(kPing, 0, 0, "12345678");
  std::size_t sent = 0;
  while (peer.count(Counter::h2_floods) == 0 && sent < 100'000'000) {
    peer.send(pings);
    sent += pings.size();
  }
  EXPECT_EQ(peer.count(Counter::h2_floods), 1U);
  EXPECT_LT(sent, 8'000'000U);
  peer.world.loop.advance(std::chrono::seconds(3));
  EXPECT_TRUE(peer.run->done());
}

TEST(H2Flood, SettingsToAPeerThatReadsNothing) {
  RawPeer peer(Role::client, answering(200));
  peer.deaf = true;
  std::string settings;
  for (int i = 0; i < 1000; ++i) settings += frame(kSettings, 0, 0);
  for (int i = 0; i < 1000 && peer.count(Counter::h2_floods) == 0; ++i) peer.send(settings);
  EXPECT_EQ(peer.count(Counter::h2_floods), 1U);
}

TEST(H2Flood, PingsThatAreReadAreFine) {
  RawPeer peer(Role::client, answering(200));
  for (int i = 0; i < 20000; ++i) peer.send(frame(kPing, 0, 0, "12345678"));
  EXPECT_EQ(peer.number_of(kPing), 20000U);
  EXPECT_EQ(peer.goaway_code(), -1);
}

TEST(H2Flood, EmptyData) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  peer.send(frame(kData, 0, 1) + frame(kData, 0, 1, "x") + frame(kData, 0, 1));
  EXPECT_EQ(peer.goaway_code(), -1);
  peer.send(frame(kData, 0, 1));
  expect_cut(peer, Counter::framing_floods);
}

TEST(H2Flood, EmptyDataOnAClosedStream) {
  RawPeer peer(Role::client, answering(403));
  peer.headers(1, connect_fields());
  peer.send(frame(kData, 0, 1) + frame(kData, 0, 1));
  expect_cut(peer, Counter::framing_floods);
}

TEST(H2Flood, Priorities) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  const std::string priority = frame(kPriority, 0, 1, be(0, 4) + be(9, 1));
  for (int i = 0; i < 200; ++i) peer.send(priority);
  EXPECT_EQ(peer.goaway_code(), -1);
  for (int i = 0; i < 10 && peer.goaway_code() < 0; ++i) peer.send(priority);
  expect_cut(peer, Counter::h2_floods);
}

TEST(H2Flood, WindowUpdates) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, connect_fields());
  for (int i = 0; i < 7; ++i) peer.send(frame(kWindowUpdate, 0, 1, be(1, 4)));
  EXPECT_EQ(peer.goaway_code(), -1);
  peer.send(frame(kData, 0, 1, "earns twenty"));
  for (int i = 0; i < 20; ++i) peer.send(frame(kWindowUpdate, 0, 0, be(1, 4)));
  EXPECT_EQ(peer.goaway_code(), -1);
  for (int i = 0; i < 5 && peer.goaway_code() < 0; ++i) peer.send(frame(kWindowUpdate, 0, 0, be(1, 4)));
  expect_cut(peer, Counter::h2_floods);
}

TEST(H2Flood, HeadsBeyondTheLimitsAre431) {
  std::vector<Pairs> heads;
  Pairs tiny = get_fields();
  for (int i = 0; i < 400; ++i) tiny.emplace_back("a", "");
  heads.push_back(tiny);
  Pairs long_one = get_fields();
  long_one.emplace_back("x", std::string(16384, 'v'));
  heads.push_back(long_one);
  Pairs crumbs = get_fields();
  for (int i = 0; i < 200; ++i) crumbs.emplace_back("cookie", "c");
  heads.push_back(crumbs);
  RawPeer peer(Role::client, echo);
  std::int32_t id = 1;
  for (const Pairs& head : heads) {
    peer.headers(id, head);
    EXPECT_EQ(peer.status_of(id), "431");
    EXPECT_EQ(peer.reset_code(id), 0);
    id += 2;
  }
  EXPECT_EQ(peer.count(Counter::heads_too_large), heads.size());
  EXPECT_EQ(peer.handler.served, 0);
  Pairs within = get_fields();
  for (int i = 0; i < 96; ++i) within.emplace_back("a", "");
  peer.headers(id, within, kEndStream);
  EXPECT_EQ(peer.status_of(id), "200");
}

TEST(H2Flood, HpackBombs) {
  RawPeer peer(Role::client, echo);
  // One entry of almost 4 KiB put into the table, then named by one byte, 16,000 times.
  peer.send(frame(kHeaders, kEndHeaders, 1, hpack(get_fields()) + hpack({{"b", std::string(4000, 'b')}}, 0x40)));
  const std::string reference(1, static_cast<char>(0x80 | 62));
  std::string bomb = hpack(get_fields());
  for (int i = 0; i < 16000; ++i) bomb += reference;
  peer.send(frame(kHeaders, kEndHeaders, 3, bomb));
  EXPECT_EQ(peer.status_of(1), "200");
  EXPECT_EQ(peer.status_of(3), "431");
  std::string small = hpack(get_fields());
  for (int i = 0; i < 30000; ++i) small += static_cast<char>(0x80 | 16);
  peer.send(frame(kHeaders, 0, 5, small.substr(0, 16384)) + frame(kContinuation, kEndHeaders, 5, small.substr(16384)));
  EXPECT_EQ(peer.status_of(5), "431");
  EXPECT_EQ(peer.goaway_code(), -1);
  const std::string huge(16384, static_cast<char>(0x80 | 16));
  peer.send(frame(kHeaders, 0, 7, huge));
  for (int i = 0; i < 4; ++i) peer.send(frame(kContinuation, 0, 7, huge));
  EXPECT_EQ(peer.goaway_code(), kCalm);
}

TEST(H2Flood, TrailersTooLargeAreReset) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, get_fields());
  Pairs trailers;
  for (int i = 0; i < 200; ++i) trailers.emplace_back("t", "");
  peer.headers(1, trailers, kEndStream);
  EXPECT_GE(peer.reset_code(1), 0);
  EXPECT_EQ(peer.count(Counter::heads_too_large), 1U);
}

TEST(H2Flood, OutputIsBoundedForAPeerThatStopsReading) {
  RawPeer peer(Role::client, echo, [](Limits& limits) { limits.h2_server_streams = 100; });
  peer.send(frame(kSettings, 0, 0, be(4, 2) + be(0x7fffffff, 4)) + frame(kWindowUpdate, 0, 0, be(0x7f000000, 4)));
  for (std::int32_t id = 1; id < 101; id += 2) peer.headers(id, connect_fields());
  peer.deaf = true;
  const std::string piece(16384, 'x');
  std::size_t sent = 0;
  for (int round = 0; round < 4; ++round)
    for (std::int32_t id = 1; id < 101; id += 2) {
      peer.send(frame(kData, 0, id, piece));
      sent += piece.size();
    }
  peer.deaf = false;
  peer.send("");
  std::size_t came = 0;
  for (const Frame& f : peer.frames) came += f.type == kData ? f.payload.size() : 0;
  EXPECT_EQ(came, sent) << "all of it, once it reads again";
  EXPECT_EQ(peer.goaway_code(), -1);
}

TEST(H2Flood, TransportThatTakesNothingIsGivenUp) {
  RawPeer peer(Role::client, echo);
  peer.send(frame(kSettings, 0, 0, be(4, 2) + be(0x7fffffff, 4)) + frame(kWindowUpdate, 0, 0, be(0x7f000000, 4)));
  for (std::int32_t id = 1; id < 101; id += 2) peer.headers(id, connect_fields());
  peer.deaf = true;
  const std::string piece(16384, 'x');
  for (int i = 0; i < 3; ++i)
    for (std::int32_t id = 1; id < 101; id += 2) peer.send(frame(kData, 0, id, piece));
  peer.world.loop.advance(std::chrono::seconds(59));
  EXPECT_FALSE(peer.run->done());
  peer.world.loop.advance(std::chrono::seconds(2));
  EXPECT_EQ(peer.count(Counter::write_timeouts), 1U);
  EXPECT_TRUE(peer.run->done());
}

TEST(H2Flood, GarbageNeverEndsTheProcess) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    RawPeer peer(Role::client, echo);
    peer.headers(1, connect_fields());
    peer.headers(3, get_fields(), seed % 2 == 0 ? kEndStream : 0);
    const std::string noise = pattern(3000, seed);
    std::string bytes;
    for (std::size_t at = 0; at + 40 < noise.size(); at += 40) {
      const int type = noise[at] & 0xf;
      bytes += frame(type, noise[at + 1], noise[at + 2] & 7,
                     noise.substr(at + 3, static_cast<std::size_t>(noise[at + 4] & 31)));
    }
    peer.send(seed % 3 == 0 ? noise : bytes);
    peer.world.loop.advance(std::chrono::seconds(1));
  }
}

}  // namespace
}  // namespace tunnel::test
