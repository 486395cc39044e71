// SPDX-License-Identifier: Apache-2.0
// The user-space socket, invariant by invariant; the numbers are those of the list of invariants of a user-space socket
// pair, E… are Envoy's tests of the same socket.
#include "stream/user_space_pair.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "support/pattern.hpp"
#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pattern;
using test::read_all;
using test::read_exactly;
using test::Received;
using test::send;
using test::send_pattern;
using test::start;
using Kind = Error::Kind;

struct Observer final : ResetObserver {
  void on_stream_reset(Stream& stream) noexcept override {
    ++told;
    if (abort_inside) stream.abort(Error(Kind::cancelled));
  }
  int told = 0;
  bool abort_inside = false;
};

class UserSpacePair : public testing::TestWithParam<std::uint64_t> {
 protected:
  explicit UserSpacePair(std::size_t high = 65536) : world(GetParam()) { make(high); }
  ~UserSpacePair() override {
    a.reset();
    b.reset();
    EXPECT_TRUE(world.gauges_are_zero());
  }
  void make(std::size_t high) {
    a.reset();
    b.reset();
    auto pair = make_user_space_pair(world.context, high);
    a = std::move(pair.first);
    b = std::move(pair.second);
  }
  void write_all(Stream& to, const std::string& text) { EXPECT_TRUE(world.await(send(to, text)).ok()); }
  std::string read_now(Stream& from, std::size_t max = 1 << 20) {
    Buffer buffer;
    Result<std::size_t> n = world.await(from.read(buffer, max));
    EXPECT_TRUE(n.ok());
    return buffer.to_string();
  }
  Kind read_error(Stream& from) {
    Buffer buffer;
    Result<std::size_t> n = world.await(from.read(buffer, 100));
    return n.ok() ? Kind::none : n.error().kind;
  }
  Kind write_error(Stream& to) {
    Result<void> result = world.await(send(to, "x"));
    return result.ok() ? Kind::none : result.error().kind;
  }
  void finish(Stream& stream) { EXPECT_TRUE(world.await(stream.shutdown_write()).ok()); }
  // Writes until the pair takes no more; returns how many bytes it took.
  static std::size_t fill(Stream& to, std::size_t piece = 1000) {
    std::size_t total = 0;
    for (;;) {
      Buffer buffer(pattern(total, piece));
      const Io io = to.try_write(buffer, More::no);
      if (io.state != Io::State::done) return total;
      total += io.bytes;
      if (!buffer.empty()) return total;
    }
  }

  test::SimWorld world;
  StreamPtr a;
  StreamPtr b;
};

INSTANTIATE_TEST_SUITE_P(Order, UserSpacePair, testing::Values(0, 1, 2, 3));

TEST_P(UserSpacePair, Invariant01_BytesAreAPrefixInOrder) {
  auto sending = start(send_pattern(*a, 1'000'000, 7777));
  Received received = world.await(read_exactly(*b, 600'000));
  EXPECT_EQ(received.bytes, pattern(0, 600'000));
  a->abort(Error(Kind::cancelled));
  world.loop.run();
  EXPECT_TRUE(sending.done());
}

TEST_P(UserSpacePair, Invariant02_BytesWrittenBeforeTheEndAreReadableAfterIt) {
  write_all(*a, pattern(0, 30'000));
  finish(*a);
  EXPECT_EQ(world.await(read_all(*b, 999)).bytes, pattern(0, 30'000));
}

TEST_P(UserSpacePair, Invariant02_FlushWaitsForTheQueueToEmpty) {
  EXPECT_TRUE(world.await(a->flush(world.loop.now())).ok());  // nothing to flush: at once, whatever the deadline
  write_all(*a, "0123456789");
  auto flushing = start(a->flush(world.loop.now() + seconds(1)));
  world.loop.run();
  EXPECT_FALSE(flushing.done());
  EXPECT_EQ(read_now(*b, 9), "012345678");
  EXPECT_FALSE(flushing.done());
  EXPECT_EQ(read_now(*b, 9), "9");
  ASSERT_TRUE(flushing.done());
  EXPECT_TRUE(flushing.value().ok());
}

TEST_P(UserSpacePair, Invariant02_FlushFailsAtItsDeadline) {
  write_all(*a, "x");
  auto flushing = start(a->flush(world.loop.now() + seconds(1)));
  world.loop.advance(milliseconds(999));
  EXPECT_FALSE(flushing.done());
  world.loop.advance(milliseconds(1));
  ASSERT_TRUE(flushing.done());
  EXPECT_EQ(flushing.value().error().kind, Kind::timeout);
  // The stream is as it was.
  EXPECT_EQ(read_now(*b), "x");
  write_all(*a, "y");
  EXPECT_EQ(read_now(*b), "y");
}

TEST_P(UserSpacePair, Invariant03_TheEndComesLastAndStays) {
  write_all(*a, "abc");
  finish(*a);
  EXPECT_EQ(b->read_side(), ReadSide::open);
  EXPECT_EQ(read_now(*b, 2), "ab");
  EXPECT_EQ(read_now(*b, 2), "c");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read_now(*b), "");
  EXPECT_EQ(b->read_side(), ReadSide::ended);
}

TEST_P(UserSpacePair, Invariant03_AnEndSeenStaysTheEndWhateverThePeerDoesNext) {
  for (const bool aborts : {true, false}) {
    make(65536);
    finish(*a);
    EXPECT_EQ(read_now(*b), "");
    if (aborts) a->abort(Error(Kind::reset));
    a.reset();
    EXPECT_EQ(read_now(*b), "");
    EXPECT_EQ(b->read_side(), ReadSide::ended);
    EXPECT_EQ(b->write_side(), WriteSide::refused);
    EXPECT_NE(write_error(*b), Kind::none);
  }
}

TEST_P(UserSpacePair, Invariant04_HalfCloseLeavesTheOtherDirectionAlone) {
  finish(*a);
  auto sending = start(send_pattern(*b, 3'000'000));
  Received received = world.await(read_exactly(*a, 3'000'000));
  EXPECT_EQ(received.bytes, pattern(0, 3'000'000));
  EXPECT_TRUE(sending.value().ok());
  EXPECT_EQ(b->write_side(), WriteSide::open);
  finish(*b);
  EXPECT_EQ(read_now(*a), "");
}

TEST_P(UserSpacePair, Invariant05_WriteAfterOwnEndFailsAndDeliversNothing) {
  write_all(*a, "before");
  finish(*a);
  EXPECT_EQ(write_error(*a), Kind::closed);
  EXPECT_EQ(world.await(read_all(*b)).bytes, "before");
}

TEST_P(UserSpacePair, Invariant06_WriteAfterThePeerClosedFailsAndNeverWaits) {
  finish(*b);
  b.reset();
  EXPECT_EQ(write_error(*a), Kind::closed);
  EXPECT_EQ(a->write_side(), WriteSide::refused);
  EXPECT_EQ(read_now(*a), "");  // refused is not reset: the end is still an end
  EXPECT_TRUE(world.await(a->shutdown_write()).ok());
}

TEST_P(UserSpacePair, Invariant07_PendingCallsCompleteWhenThePeerLeaves) {
  for (const bool closes : {true, false}) {
    make(4096);
    fill(*a);
    Buffer into;
    auto reading = start(a->read(into, 10));
    auto writing = start(send(*a, "more"));
    world.loop.run();
    EXPECT_FALSE(reading.done());
    EXPECT_FALSE(writing.done());
    if (closes) finish(*b);
    b.reset();  // with unread bytes of a: a reset either way
    world.loop.run();
    ASSERT_TRUE(reading.done());
    ASSERT_TRUE(writing.done());
    EXPECT_EQ(writing.value().error().kind, Kind::reset);
    const Result<std::size_t> read = reading.value();
    // The end was sent before the close: a reader that was already waiting may be told that first.
    EXPECT_TRUE(closes ? (!read.ok() || *read == 0) : !read.ok());
  }
}

TEST_P(UserSpacePair, Invariant07_PendingFlushCompletesWhenThePeerLeaves) {
  for (const bool closes : {true, false}) {
    make(65536);
    write_all(*a, "queued");
    auto flushing = start(a->flush(world.loop.now() + seconds(9)));
    world.loop.run();
    EXPECT_FALSE(flushing.done());
    if (closes) finish(*b);
    b.reset();
    world.loop.run();
    ASSERT_TRUE(flushing.done());
    EXPECT_EQ(flushing.value().error().kind, Kind::reset);
    EXPECT_FALSE(world.loop.has_timers());
  }
}

TEST_P(UserSpacePair, Invariant08_CloseWithUnreadBytesIsAReset) {
  write_all(*a, "nobody reads this");
  write_all(*b, "last words");
  finish(*b);
  b.reset();
  EXPECT_EQ(read_now(*a), "last words");
  EXPECT_EQ(read_error(*a), Kind::reset);
  EXPECT_EQ(a->read_side(), ReadSide::reset);
  EXPECT_EQ(write_error(*a), Kind::reset);
}

TEST_P(UserSpacePair, Invariant09_TheObserverIsToldOnceOfCloseAndReset) {
  for (const bool closes : {true, false}) {
    make(65536);
    Observer observer;
    a->on_reset(&observer);
    write_all(*b, "stays readable");
    if (closes) {
      finish(*b);
      EXPECT_EQ(observer.told, 0);  // an end alone is none
    }
    b.reset();
    EXPECT_EQ(observer.told, 1);
    Received received = world.await(read_all(*a));
    EXPECT_EQ(received.bytes, closes ? "stays readable" : "");
    EXPECT_EQ(received.ended, closes);
    EXPECT_EQ(observer.told, 1);
  }
}

TEST_P(UserSpacePair, Invariant09_NeverOnBothEndsAlone) {
  Observer observer;
  a->on_reset(&observer);
  finish(*a);
  finish(*b);
  EXPECT_EQ(read_now(*a), "");
  EXPECT_EQ(read_now(*b), "");
  world.loop.advance(seconds(100));
  EXPECT_EQ(observer.told, 0);
}

TEST_P(UserSpacePair, Invariant09_ToldLateIfArmedLateAndNotAfterDisarming) {
  Observer late;
  Observer disarmed;
  a->on_reset(&disarmed);
  a->on_reset(nullptr);
  b.reset();
  EXPECT_EQ(disarmed.told, 0);
  a->on_reset(&late);
  EXPECT_EQ(late.told, 1);
  Observer own;
  make(65536);
  a->on_reset(&own);
  a->abort(Error(Kind::cancelled));
  EXPECT_EQ(own.told, 0);  // one's own abort is no news
}

TEST_P(UserSpacePair, Invariant10_AbortDiscardsWhatIsQueuedAndKeepsWhatWasRead) {
  write_all(*a, "read");
  EXPECT_EQ(read_now(*b), "read");
  write_all(*a, "queued");
  a->abort(Error(Kind::timeout, "of a"));
  EXPECT_EQ(read_error(*b), Kind::timeout);  // an Error crosses a pair unchanged
  EXPECT_EQ(b->error().text(), "of a");
  EXPECT_EQ(read_error(*a), Kind::timeout);
  EXPECT_EQ(write_error(*a), Kind::timeout);
  EXPECT_EQ(write_error(*b), Kind::timeout);
}

TEST_P(UserSpacePair, Invariant10_FlushThenAbortLosesNothing) {
  auto flush_and_abort = [](Stream& stream) -> Task<bool> {
    Result<void> written = co_await send_pattern(stream, 500'000);
    Result<void> flushed = co_await stream.flush(stream.loop().now() + seconds(1));
    stream.abort(Error(Kind::reset));
    co_return written.ok() && flushed.ok();
  };
  auto sending = start(flush_and_abort(*a));
  Received received = world.await(read_all(*b));
  EXPECT_EQ(received.bytes, pattern(0, 500'000));
  EXPECT_FALSE(received.ended);
  EXPECT_TRUE(sending.value());
}

TEST_P(UserSpacePair, Invariant10_AbortDiscardsUnreadBytesToo) {
  write_all(*b, "abc");
  Buffer buffer;
  EXPECT_EQ(a->try_read(buffer, 3).bytes, 3U);
  a->unread(std::move(buffer));
  a->abort(Error(Kind::cancelled));
  EXPECT_EQ(read_error(*a), Kind::cancelled);
  a->unread(Buffer("late"));
  EXPECT_EQ(read_error(*a), Kind::cancelled);
}

TEST_P(UserSpacePair, Invariant11_CapacityHeldStaysUnderTheMark) {
  for (const std::size_t high : {1024U, 5000U, 65536U, 1048576U}) {
    for (const std::size_t piece : {1U, 100U, 5000U, 16384U, 65536U}) {
      SCOPED_TRACE(testing::Message() << high << " " << piece);
      make(high);
      const std::size_t taken = fill(*a, piece);
      EXPECT_LE(taken, high);
      EXPECT_GE(taken + 1024, high - high / 4);  // and the room is used
      Buffer into;
      std::size_t held = 0;
      while (b->try_read(into, 1).state == Io::State::done) held = std::max(held, into.capacity_held());
      EXPECT_EQ(into.to_string(), pattern(0, taken));
    }
  }
}

TEST_P(UserSpacePair, Invariant11_OneByteInALargeChunkDoesNotPinIt) {
  make(65536);
  std::size_t taken = 0;
  for (;;) {
    Buffer one;
    std::memcpy(one.prepare(16384).data(), "z", 1);
    one.commit(1);
    if (a->try_write(one, More::no).state != Io::State::done) break;
    ++taken;
  }
  EXPECT_GE(taken, 65536U * 3 / 4);
}

TEST_P(UserSpacePair, Invariant12_AWriterGoesOnAtHalfOnceACrossing) {
  make(65536);
  fill(*a);
  EXPECT_EQ(world.counters.value(Counter::internal_paused), 1U);
  auto writing = start(send(*a, "tail"));
  std::size_t read = 0;
  Buffer into;
  int posted = 0;
  while (!writing.done()) {
    const Io io = b->try_read(into, 1000);
    ASSERT_EQ(io.state, Io::State::done);
    read += io.bytes;
    into.clear();
    const std::size_t ran = world.loop.run();
    posted += static_cast<int>(ran);
    // Above half the writer is left alone; just below it goes on.
    if (read < 65536 / 2 - 16384) {
      EXPECT_FALSE(writing.done()) << read;
    }
    ASSERT_LE(read, 65536U / 2 + 16384) << "a lost wake-up";
  }
  EXPECT_EQ(posted, 1);
  EXPECT_EQ(world.counters.value(Counter::internal_paused), 1U);
}

TEST_P(UserSpacePair, Invariant13_AnEmptyWriteIsNothing) {
  Buffer into;
  auto reading = start(b->read(into, 10));
  Buffer none;
  EXPECT_TRUE(world.await(a->write(none)).ok());
  EXPECT_EQ(a->try_write(none, More::no).state, Io::State::done);
  EXPECT_EQ(world.loop.run(), 0U);  // nobody was woken
  EXPECT_FALSE(reading.done());
  write_all(*a, "x");
  EXPECT_EQ(*reading.value(), 1U);
  finish(*a);
  EXPECT_TRUE(world.await(a->write(none)).ok());
}

TEST_P(UserSpacePair, Invariant14_AWriteTakesAllOrFails) {
  make(4096);
  Buffer large(pattern(0, 100'000));
  auto writing = start(a->write(large));
  Received part = world.await(read_exactly(*b, 50'000));
  EXPECT_EQ(part.bytes, pattern(0, 50'000));
  EXPECT_FALSE(writing.done());
  b.reset();
  world.loop.run();
  ASSERT_TRUE(writing.done());
  EXPECT_FALSE(writing.value().ok());
  EXPECT_EQ(a->write_side(), WriteSide::refused);

  make(4096);
  Buffer whole(pattern(0, 100'000));
  auto all = start(a->write(whole));
  EXPECT_EQ(world.await(read_exactly(*b, 100'000)).bytes, pattern(0, 100'000));
  ASSERT_TRUE(all.done());
  EXPECT_TRUE(all.value().ok());
  EXPECT_TRUE(whole.empty());
}

#ifndef NDEBUG
TEST(UserSpacePairDeathTest, Invariant17_DestroyingWithAPendingCallIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test::SimWorld world;
        auto pair = make_user_space_pair(world.context, 65536);
        Buffer into;
        auto reading = start(pair.first->read(into, 10));
        pair.first.reset();
      },
      "a call is pending");
}

TEST(UserSpacePairDeathTest, Invariant20_ASecondPendingCallIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test::SimWorld world;
        auto pair = make_user_space_pair(world.context, 65536);
        Buffer into;
        auto first = start(pair.first->read(into, 10));
        auto second = start(pair.first->read(into, 10));
      },
      "a second read is pending");
  EXPECT_DEATH(
      {
        test::SimWorld world;
        auto pair = make_user_space_pair(world.context, 1024);
        auto first = start(send(*pair.first, pattern(0, 5000)));
        auto second = start(send(*pair.first, pattern(0, 5000)));
      },
      "a second write is pending");
}
#endif

TEST_P(UserSpacePair, Invariant18_APeerIsNeverResumedInline) {
  Buffer into;
  auto reading = start(b->read(into, 10));
  Buffer text("hello");
  EXPECT_EQ(a->try_write(text, More::no).bytes, 5U);
  EXPECT_FALSE(reading.done());
  world.loop.run();
  EXPECT_TRUE(reading.done());
}

TEST_P(UserSpacePair, Invariant18_HundredThousandPingPongsInASmallStack) {
  struct Play {
    static Task<bool> side(Stream& stream, bool serves, int rounds) {
      Buffer buffer;
      for (int i = 0; i < rounds; ++i) {
        if (serves || i > 0) {
          buffer.append("x");
          Result<void> written = co_await stream.write(buffer);
          if (!written.ok()) co_return false;
        }
        Result<std::size_t> n = co_await stream.read(buffer, 10);
        if (!n.ok() || *n != 1) co_return false;
        buffer.clear();
      }
      if (!serves) {
        buffer.append("x");
        Result<void> written = co_await stream.write(buffer);
        if (!written.ok()) co_return false;
      }
      co_return true;
    }
    static void* run(void* self) {
      auto& play = *static_cast<Play*>(self);
      auto first = start(side(play.a, true, 100'000));
      auto second = start(side(play.b, false, 100'000));
      play.world.loop.run();
      play.good = first.done() && second.done() && first.value() && second.value();
      return nullptr;
    }
    test::SimWorld& world;
    Stream& a;
    Stream& b;
    bool good = false;
  };
  Play play{world, *a, *b};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &attributes, &Play::run, &play), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_TRUE(play.good);
}

TEST_P(UserSpacePair, Invariant21_AbortAndEndAreIdempotentInAnyOrder) {
  finish(*a);
  finish(*a);
  EXPECT_EQ(a->write_side(), WriteSide::finished);
  a->abort(Error(Kind::reset, "first"));
  a->abort(Error(Kind::timeout, "second"));
  EXPECT_EQ(a->error().text(), "first");
  EXPECT_FALSE(world.await(a->shutdown_write()).ok());
  a->abort(Error(Kind::reset));
  EXPECT_EQ(read_error(*b), Kind::reset);
  b->abort(Error(Kind::reset));
  b->abort(Error(Kind::reset));
}

TEST_P(UserSpacePair, Invariant21_AlsoFromInsideAnObserver) {
  for (int how = 0; how < 3; ++how) {
    make(65536);
    Observer of_a;
    Observer of_b;
    of_a.abort_inside = of_b.abort_inside = true;
    a->on_reset(&of_a);
    b->on_reset(&of_b);
    Buffer into;
    auto reading = start(a->read(into, 10));
    if (how == 0) b->abort(Error(Kind::reset));
    if (how == 1) finish(*b);
    b.reset();  // 1: a close, 2: an abort
    world.loop.run();
    EXPECT_TRUE(reading.done());
    EXPECT_EQ(of_a.told, 1);
    EXPECT_EQ(of_b.told, 0);
    EXPECT_EQ(a->read_side(), ReadSide::reset);
  }
}

TEST_P(UserSpacePair, Invariant23_BytesAndAReaderNeedNoClock) {
  const TimePoint before = world.loop.now();
  auto sending = start(send_pattern(*a, 5'000'000, 65536));
  EXPECT_EQ(world.await(read_exactly(*b, 5'000'000)).bytes.size(), 5'000'000U);
  EXPECT_EQ(world.loop.now(), before);
  EXPECT_FALSE(world.loop.has_timers());
}

TEST_P(UserSpacePair, Invariant26_NothingIsLeftInAnyOrderOfDestruction) {
  EXPECT_EQ(world.counters.value(Gauge::pairs), 1U);
  fill(*a);
  fill(*b);
  a.reset();
  EXPECT_EQ(world.counters.value(Gauge::pairs), 1U);
  b.reset();
  EXPECT_EQ(world.counters.value(Gauge::pairs), 0U);
  make(65536);
  fill(*a);
  b.reset();
  a.reset();
  EXPECT_EQ(world.counters.value(Gauge::pairs), 0U);
}

TEST_P(UserSpacePair, E26_PeerCloseGivesPendingBytesThenTheEnd) {
  write_all(*b, "4byt");
  finish(*b);
  b.reset();
  EXPECT_EQ(read_now(*a), "4byt");
  EXPECT_EQ(read_now(*a), "");
  EXPECT_EQ(a->read_side(), ReadSide::ended);
}

TEST_P(UserSpacePair, E18_WriteAfterEndAndAfterPeerClose) {
  finish(*a);
  EXPECT_EQ(write_error(*a), Kind::closed);
  finish(*b);
  b.reset();
  EXPECT_EQ(write_error(*a), Kind::closed);
}

TEST_P(UserSpacePair, E16_AFullPairLeavesTheSourceUntouched) {
  make(4096);
  fill(*a);
  Buffer kept("kept");
  EXPECT_EQ(a->try_write(kept, More::no).state, Io::State::would_block);
  EXPECT_EQ(kept.to_string(), "kept");
}

TEST_P(UserSpacePair, UnreadComesFirstAndIsReadableAtOnce) {
  write_all(*a, "cdef");
  b->unread(Buffer("ab"));
  b->unread(Buffer("01"));
  EXPECT_EQ(read_now(*b, 3), "01a");
  EXPECT_EQ(read_now(*b, 3), "b");
  EXPECT_EQ(read_now(*b), "cdef");
  finish(*a);
  EXPECT_EQ(read_now(*b), "");
  b->unread(Buffer("again"));
  EXPECT_EQ(read_now(*b), "again");
  EXPECT_EQ(read_now(*b), "");
  // Bytes put back keep a reader from waiting.
  make(65536);
  b->unread(Buffer("x"));
  Slot slot;
  bool woken = false;
  auto wait = [](Stream& stream, bool& out) -> Task<void> {
    co_await Readable(stream);
    out = true;
  };
  auto waiting = start(wait(*b, woken));
  world.loop.run();
  EXPECT_TRUE(woken);
}

}  // namespace
}  // namespace tunnel
