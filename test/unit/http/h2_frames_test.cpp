// SPDX-License-Identifier: Apache-2.0
// The frame walker and the counters that stand in front of nghttp2.
#include "http/h2_frames.hpp"

#include <gtest/gtest.h>

#include "h2_support.hpp"

namespace tunnel::test {
namespace {

std::vector<std::string> walk(std::size_t preface, const std::string& bytes, std::size_t cut) {
  h2::FrameReader reader(preface);
  std::vector<std::string> seen;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view piece = std::string_view(bytes).substr(at, cut);
    const h2::FrameReader::Step step = reader.step(piece);
    EXPECT_GE(step.bytes, 1U);
    EXPECT_LE(step.bytes, piece.size());
    at += step.bytes;
    if (!step.new_frame) continue;
    seen.push_back(std::to_string(static_cast<int>(reader.type())) + ":" + std::to_string(reader.length()) + ":" +
                   std::to_string(reader.stream_id()) + (reader.ends_stream() ? "E" : "") +
                   (reader.is_empty_window_update() ? "0" : ""));
  }
  EXPECT_FALSE(reader.inside_head());
  return seen;
}

TEST(H2Frames, AreSeenHoweverTheBytesAreCut) {
  const std::string bytes = std::string(24, 'p') + frame(kSettings, 0, 0) + frame(kHeaders, 1, 1, "head") +
                            frame(kContinuation, 4, 1, "more") + frame(kWindowUpdate, 0, 1, be(0, 4)) +
                            frame(kWindowUpdate, 0, 0, be(9, 4)) + frame(kWindowUpdate, 0, 3, "bad") +
                            frame(kData, 1, 5, std::string(70000, 'd')) + frame(kPing, 0, 0, "12345678");
  const std::vector<std::string> expected{"4:0:0", "1:4:1E", "9:4:1",      "8:4:10",
                                          "8:4:0", "8:3:3",  "0:70000:5E", "6:8:0"};
  for (const std::size_t cut : {1, 2, 3, 5, 8, 9, 10, 13, 14, 100, 16384, 1000000})
    EXPECT_EQ(walk(24, bytes, cut), expected) << cut;
}

TEST(H2Frames, AHeadIsOpenUntilItsLastByte) {
  h2::FrameReader reader(0);
  const std::string bytes = frame(kHeaders, 0, 1, "ab") + frame(kContinuation, kEndHeaders, 1, "cd");
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    EXPECT_EQ(reader.step(std::string_view(bytes).substr(at, 1)).bytes, 1U);
    const bool between = at >= 11 && at < 19;  // the header of CONTINUATION is not complete
    if (at < 8 || between) continue;
    EXPECT_EQ(reader.inside_head(), at + 1 < bytes.size()) << at;
  }
}

TEST(H2Frames, PendingOnesAreAnUpperBoundThatFalls) {
  h2::PendingFrames pending;
  for (int i = 0; i < 10; ++i) pending.add(i % 2 == 0);
  EXPECT_EQ(pending.frames(), 10U);
  EXPECT_EQ(pending.control(), 5U);
  // An output that always holds something: what left long ago is not counted for ever.
  std::uint64_t queued = 1000;
  for (std::uint64_t written = 100; written < 100000; written += 100, queued += 100) {
    pending.add(true);
    pending.written(written, queued);
    EXPECT_LE(pending.control(), 30U);
  }
  pending.written(queued, queued);
  EXPECT_EQ(pending.frames(), 0U);
}

TEST(H2Frames, OneByteAtATimeIsServed) {
  RawPeer peer(RawPeer::Role::client, echo);
  const std::string bytes = frame(kHeaders, kEndHeaders, 1, hpack(connect_fields())) + frame(kData, 0, 1, "hello") +
                            frame(kPing, 0, 0, "12345678") + frame(kData, kEndStream, 1, " there");
  for (const char c : bytes) peer.send(std::string_view(&c, 1));
  EXPECT_EQ(peer.data(1), "hello there");
  EXPECT_NE(peer.find(kPing), nullptr);
}

}  // namespace
}  // namespace tunnel::test
