// SPDX-License-Identifier: Apache-2.0
// Shapes of known attacks that h2_flood_test.cpp has not: header fields that libraries drop before they count them,
// resets a peer makes us send, what follows a fatal frame, and heads that would become something else in HTTP/1.1.
#include <gtest/gtest.h>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

using Role = RawPeer::Role;

Pairs with(Pairs fields, const std::string& name, const std::string& value, int times = 1) {
  for (int i = 0; i < times; ++i) fields.emplace_back(name, value);
  return fields;
}

// CVE-2026-73550: Host fields that are thrown away cost as much as others.
TEST(H2Attack, DroppedHostFieldsAreCounted) {
  RawPeer peer(Role::client, echo);
  peer.headers(1, with(get_fields(), "host", "example.test", 1000));
  EXPECT_TRUE(peer.status_of(1) == "431" || peer.reset_code(1) > 0);
  EXPECT_EQ(peer.handler.served, 0);
  peer.headers(3, get_fields(), kEndStream);
  EXPECT_EQ(peer.status_of(3), "200");
  EXPECT_EQ(peer.goaway_code(), -1);
}

// CVE-2019-9516: names and values of length 0, which some servers kept for ever.
TEST(H2Attack, EmptyNamesAreRefusedEachTime) {
  RawPeer peer(Role::client, echo);
  std::int32_t id = 1;
  for (; id < 20000 && peer.goaway_code() < 0; id += 2) {
    peer.headers(id, with(get_fields(), "", "", 50));
    EXPECT_EQ(peer.status_of(id), "");
  }
  EXPECT_EQ(peer.goaway_code(), 11);
  EXPECT_EQ(peer.count(Counter::h2_own_resets), 1U);
  EXPECT_EQ(peer.handler.served, 0);
}

// CVE-2025-8671 (MadeYouReset): each of these makes a server reset a stream of its own. Every round opens a stream and
// breaks it; at 100 in 10 s the connection ends.
struct Provocation {
  const char* name;
  std::function<std::string(std::int32_t)> frames;
};

void PrintTo(const Provocation& provocation, std::ostream* out) { *out << provocation.name; }

class MadeYouReset : public testing::TestWithParam<Provocation> {};

TEST_P(MadeYouReset, IsCutAtAHundred) {
  RawPeer peer(Role::client, echo);
  std::int32_t id = 1;
  for (; id < 20000 && peer.goaway_code() < 0 && !peer.ended; id += 2) {
    peer.headers(id, connect_fields());
    peer.send(GetParam().frames(id));
  }
  EXPECT_LE(id / 2, 103);
  EXPECT_GT(peer.goaway_code(), 0);
  // An error of the whole connection (RFC 9113 says which) ends it at the first; else the limit does.
  EXPECT_EQ(peer.count(Counter::h2_own_resets), id / 2 > 1 ? 1U : 0U);
  peer.world.loop.advance(std::chrono::seconds(3));
  EXPECT_TRUE(peer.run->done());
}

const Provocation kProvocations[] = {
    {"ZeroWindowUpdate", [](std::int32_t id) { return frame(kWindowUpdate, 0, id, be(0, 4)); }},
    {"WindowOverflow", [](std::int32_t id) { return frame(kWindowUpdate, 0, id, be(0x7fffffff, 4)); }},
    {"ShortPriority", [](std::int32_t id) { return frame(kPriority, 0, id, be(0, 4)); }},
    {"PriorityOnItself",
     [](std::int32_t id) { return frame(kPriority, 0, id, be(static_cast<std::uint64_t>(id), 4) + be(1, 1)); }},
    {"TrailersInATunnel",
     [](std::int32_t id) { return frame(kHeaders, kEndHeaders | kEndStream, id, hpack({{"x", "y"}})); }},
    {"DataAfterTheEnd",
     [](std::int32_t id) { return frame(kData, kEndStream, id, "x") + frame(kData, 0, id, "beyond"); }},
};

INSTANTIATE_TEST_SUITE_P(H2Attack, MadeYouReset, testing::ValuesIn(kProvocations),
                         [](const auto& one) { return std::string(one.param.name); });

// CVE-2026-27135: frames behind a fatal one, in the same segment, met a session already torn down.
TEST(H2Attack, FramesBehindAFatalOneAreHarmless) {
  const std::string fatal[] = {
      frame(kSettings, 0, 0, "odd"),
      frame(kPing, 0, 0, "short"),
      frame(kWindowUpdate, 0, 0, be(0, 4)),
      frame(kData, 0, 0, "on no stream"),
      frame(kPush, kEndHeaders, 1, be(2, 4)),
      std::string("\xff\xff\xff\0\0\0\0\0\1", 9),
      frame(kHeaders, kEndHeaders, 2, hpack(get_fields())),
  };
  const std::string behind[] = {
      frame(kHeaders, kEndHeaders, 3, "\xff\xff\xff\xff\xff\xff"),
      frame(kContinuation, 0, 1, "x"),
      frame(kSettings, 0, 0, "odd"),
      frame(kRst, 0, 1, "1"),
      frame(kGoaway, 0, 0, "tiny"),
      frame(kData, 8, 1, "\xff"),
  };
  for (const std::string& first : fatal)
    for (const std::string& second : behind) {
      RawPeer peer(Role::client, echo);
      peer.headers(1, connect_fields());
      peer.send(first + second + second);
      EXPECT_GT(peer.goaway_code(), 0);
      EXPECT_EQ(peer.number_of(kGoaway), 1U);
      peer.world.loop.advance(std::chrono::seconds(3));
      EXPECT_TRUE(peer.run->done());
      EXPECT_EQ(peer.handler.served, 1);
    }
}

// What HTTP/2 frames safely would be two requests, or another target, once written as HTTP/1.1.
TEST(H2Attack, NothingThatWouldInjectIntoHttp1IsServed) {
  const Pairs base = get_fields();
  const auto replaced = [&base](const std::string& name, const std::string& value) {
    Pairs fields = base;
    for (auto& [n, v] : fields)
      if (n == name) v = value;
    return fields;
  };
  const std::vector<Pairs> heads{
      replaced(":path", "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /x"),
      replaced(":path", "/a b"),
      replaced(":path", "/a\tb"),
      replaced(":path", ""),
      replaced(":path", "relative"),
      replaced(":path", std::string("/\0", 2)),
      replaced(":path", "/\x80"),
      replaced(":authority", "a\r\nX: y"),
      replaced(":authority", "a b"),
      replaced(":authority", "a/b"),
      replaced(":method", "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"),
      replaced(":method", "G T"),
      replaced(":scheme", "ht tp"),
      with(base, "x", "a\r\nTransfer-Encoding: chunked"),
      with(base, "x", "a\nb"),
      with(base, "x", "a\rb"),
      with(base, "x", std::string("a\0b", 3)),
      with(base, "x\r\ny", "a"),
      with(base, "x y", "a"),
      with(base, "x:", "a"),
      with(base, "Transfer-Encoding", "chunked"),
      with(base, "transfer-encoding", "chunked"),
      with(base, "connection", "x"),
      with(base, "upgrade", "websocket"),
      with(base, "proxy-connection", "keep-alive"),
      with(base, "te", "gzip"),
      with(base, "content-length", "+3"),
      with(with(base, "content-length", "3"), "content-length", "4"),
      with(base, ":path", "/again"),
      with(with(base, "x", "y"), ":late", "pseudo"),
  };
  for (const Pairs& head : heads) {
    RawPeer peer(Role::client, answering(200));
    peer.headers(1, head, kEndStream);
    EXPECT_TRUE(peer.status_of(1) == "400" || peer.reset_code(1) > 0) << head.back().first << ": " << head[2].second;
    EXPECT_EQ(peer.handler.served, 0) << head.back().first << ": " << head[2].second;
    EXPECT_EQ(peer.goaway_code(), -1);
    peer.headers(3, base, kEndStream);
    EXPECT_EQ(peer.status_of(3), "200") << "the connection lives";
  }
}

}  // namespace
}  // namespace tunnel::test
