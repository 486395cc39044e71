// SPDX-License-Identifier: Apache-2.0
#include "tunnel/buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "support/pattern.hpp"

namespace tunnel {
namespace {

using test::pattern;

std::string pieces_of(const Buffer& buffer) {
  std::array<iovec, 4096> pieces;
  const std::size_t n = buffer.gather(pieces);
  std::string text;
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_GT(pieces[i].iov_len, 0U);
    text.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return text;
}

TEST(Buffer, StartsEmptyAndHoldsNothing) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity_held(), 0U);
  EXPECT_EQ(buffer.front(), "");
  EXPECT_EQ(buffer.linearise(0), "");
  Buffer other;
  EXPECT_EQ(buffer.move_to(other), 0U);
  buffer.append("");
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, AppendConsumeToString) {
  Buffer buffer("hello ");
  buffer.append("world");
  EXPECT_EQ(buffer.to_string(), "hello world");
  buffer.consume(6);
  EXPECT_EQ(buffer.to_string(), "world");
  EXPECT_EQ(buffer.front(), "world");
  buffer.consume(5);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity_held(), 0U);
}

TEST(Buffer, MovingTakesTheBytesAlong) {
  Buffer from(pattern(0, 100000));
  Buffer to(std::move(from));
  EXPECT_EQ(to.to_string(), pattern(0, 100000));
  Buffer third;
  third.append("gone");
  third = std::move(to);
  EXPECT_EQ(third.to_string(), pattern(0, 100000));
}

TEST(Buffer, LinearisesAcrossChunks) {
  Buffer buffer;
  for (int i = 0; i < 40; ++i) buffer.append(pattern(static_cast<std::uint64_t>(i) * 1000, 1000));
  const std::string_view head = buffer.linearise(35000);
  EXPECT_EQ(head, pattern(0, 35000));
  EXPECT_EQ(buffer.to_string(), pattern(0, 40000));
  EXPECT_EQ(buffer.size(), 40000U);
  EXPECT_EQ(buffer.linearise(10), pattern(0, 10));
}

TEST(Buffer, PrepareThenCommitNothingGivesTheChunkBack) {
  Buffer buffer;
  EXPECT_GE(buffer.prepare(16384).size(), 1U);
  buffer.commit(0);
  EXPECT_EQ(buffer.capacity_held(), 0U);
  buffer.append("x");
  const std::size_t held = buffer.capacity_held();
  const std::span<char> room = buffer.prepare(65536);
  EXPECT_GE(room.size(), 1U);
  buffer.commit(0);
  EXPECT_EQ(buffer.capacity_held(), held);
  EXPECT_EQ(buffer.to_string(), "x");
}

TEST(Buffer, LargePiecesAreRelinkedNotCopied) {
  Buffer from(pattern(0, 16384));
  const char* where = from.front().data();
  Buffer to("small");
  EXPECT_EQ(from.move_to(to), 16384U);
  to.consume(5);
  EXPECT_EQ(to.front().data(), where);
}

TEST(Buffer, SmallPiecesArePackedNotPinned) {
  Buffer to;
  for (std::size_t i = 0; i < 20000; ++i) {
    Buffer one;
    std::memcpy(one.prepare(16384).data(), "z", 1);
    one.commit(1);
    EXPECT_EQ(one.move_to(to), 1U);
  }
  EXPECT_EQ(to.size(), 20000U);
  EXPECT_LE(to.capacity_held(), 20000U + 3 * Buffer::kChunkBytes);
}

TEST(Buffer, SharingAChunkNeverWritesIntoTheOther) {
  Buffer first(pattern(0, 12000));
  Buffer second;
  EXPECT_EQ(first.move_to(second, 6000), 6000U);
  second.append(std::string(4000, 'B'));
  first.append(std::string(4000, 'A'));
  EXPECT_EQ(second.to_string(), pattern(0, 6000) + std::string(4000, 'B'));
  EXPECT_EQ(first.to_string(), pattern(6000, 6000) + std::string(4000, 'A'));
}

TEST(Buffer, MoveWithinStopsAtTheLimitAndWastesAtMostAQuarter) {
  for (const std::size_t limit : {1024U, 5120U, 16384U, 65536U, 1048576U}) {
    for (const std::size_t piece : {1U, 100U, 1024U, 5000U, 16384U, 65536U}) {
      SCOPED_TRACE(testing::Message() << "limit " << limit << " piece " << piece);
      Buffer to;
      std::size_t written = 0;
      for (;;) {
        Buffer from;
        const std::span<char> room = from.prepare(piece);
        const std::string bytes = pattern(written, std::min(piece, room.size()));
        std::memcpy(room.data(), bytes.data(), bytes.size());
        from.commit(bytes.size());
        const std::size_t moved = from.move_to_within(to, from.size(), limit);
        written += moved;
        EXPECT_LE(to.capacity_held(), limit);
        if (!from.empty()) break;
      }
      EXPECT_EQ(to.to_string(), pattern(0, written));
      // Full means used: of what it may hold at least three quarters are bytes, but for one chunk's end.
      EXPECT_GE(to.size() + 1024, limit - limit / 4) << to.capacity_held();
    }
  }
}

TEST(Buffer, MoveWithinAlwaysMovesIntoAnEmptyBuffer) {
  for (const std::size_t size : {1U, 1000U, 5000U, 70000U, 300000U}) {
    Buffer from(pattern(0, size));
    Buffer to;
    EXPECT_GE(from.move_to_within(to, from.size(), 1024), 1U);
  }
}

TEST(Buffer, RandomOperationsAgainstStrings) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::array<Buffer, 3> buffers;
    std::array<std::string, 3> models;
    const auto size = [&random]() -> std::size_t {
      switch (random() % 5) {
        case 0:
          return 1;
        case 1:
          return random() % 64;
        case 2:
          return random() % 5000;
        case 3:
          return random() % 40000;
        default:
          return random() % 100000;
      }
    };
    std::uint64_t next = 0;
    for (int step = 0; step < 120; ++step) {
      const std::size_t a = random() % 3;
      const std::size_t b = (a + 1 + random() % 2) % 3;
      switch (random() % 10) {
        case 0:
        case 1: {
          const std::string bytes = pattern(next, size());
          next += bytes.size();
          buffers[a].append(bytes);
          models[a] += bytes;
          break;
        }
        case 2:
        case 3: {
          const std::size_t n = size();
          const std::size_t moved = buffers[a].move_to(buffers[b], n);
          EXPECT_EQ(moved, std::min(n, models[a].size()));
          models[b] += models[a].substr(0, moved);
          models[a].erase(0, moved);
          break;
        }
        case 4: {
          const std::size_t limit = 1024 + random() % 100000;
          const std::size_t n = size();
          const std::size_t held = buffers[b].capacity_held();
          const std::size_t moved = buffers[a].move_to_within(buffers[b], n, limit);
          EXPECT_LE(moved, std::min(n, models[a].size()));
          EXPECT_LE(buffers[b].capacity_held(), std::max(held, limit));
          models[b] += models[a].substr(0, moved);
          models[a].erase(0, moved);
          break;
        }
        case 5:
          buffers[a].prepend(std::move(buffers[b]));
          models[a] = models[b] + models[a];
          models[b].clear();
          break;
        case 6: {
          const std::size_t n = std::min(size(), models[a].size());
          buffers[a].consume(n);
          models[a].erase(0, n);
          break;
        }
        case 7: {
          const std::size_t n = std::min(size(), models[a].size());
          EXPECT_EQ(buffers[a].linearise(n), models[a].substr(0, n));
          break;
        }
        case 8: {
          const std::span<char> room = buffers[a].prepare(1 + size());
          ASSERT_GE(room.size(), 1U);
          const std::string bytes = pattern(next, random() % (room.size() + 1));
          next += bytes.size();
          std::memcpy(room.data(), bytes.data(), bytes.size());
          buffers[a].commit(bytes.size());
          models[a] += bytes;
          break;
        }
        default:
          if (random() % 8 == 0) {
            buffers[a].clear();
            models[a].clear();
          } else {
            Buffer moved(std::move(buffers[a]));
            buffers[a] = std::move(moved);
          }
          break;
      }
      for (std::size_t i = 0; i < 3; ++i) {
        ASSERT_EQ(buffers[i].size(), models[i].size());
        ASSERT_EQ(buffers[i].empty(), models[i].empty());
        // Held is never less than what is in it, and nothing is held by nothing.
        ASSERT_GE(buffers[i].capacity_held(), buffers[i].size());
        if (models[i].empty()) {
          ASSERT_EQ(buffers[i].capacity_held(), 0U);
        }
      }
      if (step % 10 == 9)
        for (std::size_t i = 0; i < 3; ++i) {
          ASSERT_EQ(buffers[i].to_string(), models[i]);
          ASSERT_EQ(pieces_of(buffers[i]), models[i]);
        }
    }
  }
}

// capacity_held() counted again from outside: pieces that lie within one chunk are neighbours in memory, so with
// buffers that were only ever filled by append() the chunks can be told apart by their size class.
TEST(Buffer, CapacityHeldIsTheSumOfItsChunks) {
  Buffer buffer;
  buffer.append(std::string(1000, 'a'));  // a chunk of 1 KiB
  EXPECT_EQ(buffer.capacity_held(), 1024U);
  buffer.append(std::string(24, 'b'));  // fills it
  EXPECT_EQ(buffer.capacity_held(), 1024U);
  buffer.append("c");  // a full-sized one
  EXPECT_EQ(buffer.capacity_held(), 1024U + 16384U);
  buffer.append(std::string(16383, 'd'));
  EXPECT_EQ(buffer.capacity_held(), 1024U + 16384U);
  buffer.consume(1023);
  EXPECT_EQ(buffer.capacity_held(), 1024U + 16384U);
  buffer.consume(1);
  EXPECT_EQ(buffer.capacity_held(), 16384U);
  Buffer half;
  EXPECT_EQ(buffer.move_to(half, 8192), 8192U);  // shared: each keeps the whole chunk alive
  EXPECT_EQ(buffer.capacity_held(), 16384U);
  EXPECT_EQ(half.capacity_held(), 16384U);
  half.prepend(Buffer());
  EXPECT_EQ(buffer.move_to(half), 8192U);  // neighbours again: counted once
  EXPECT_EQ(half.capacity_held(), 16384U);
  EXPECT_EQ(buffer.capacity_held(), 0U);
  EXPECT_EQ(half.size(), 16384U);
}

}  // namespace
}  // namespace tunnel
