// SPDX-License-Identifier: Apache-2.0
#include "stream/flow.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FlowTimers : public testing::Test {
 protected:
  static void expired(void* self, const Error& reason) noexcept {
    auto& test = *static_cast<FlowTimers*>(self);
    test.reasons.emplace_back(reason.text());
    test.expired_at = test.world.loop.now();
    EXPECT_EQ(reason.kind, Error::Kind::timeout);
  }
  std::uint64_t count(Counter counter) const { return world.counters.value(counter); }
  Duration since_start() const { return expired_at - start; }

  test::SimWorld world;
  TimePoint start = world.loop.now();
  TimePoint expired_at{};
  std::vector<std::string> reasons;
  Flow flow{world.context, FlowTimeouts{seconds(100), seconds(10), seconds(5)}, &FlowTimers::expired, this};
};

TEST_F(FlowTimers, IdleCountsFromTheLastByteOfEitherDirection) {
  world.loop.advance(seconds(60));
  flow.moved(Direction::up, 10);
  world.loop.advance(seconds(60));
  flow.moved(Direction::down, 20);
  world.loop.advance(seconds(99));
  EXPECT_TRUE(reasons.empty());
  world.loop.advance(seconds(1));
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(since_start(), seconds(220));
  EXPECT_EQ(count(Counter::idle_timeouts), 1U);
  EXPECT_EQ(count(Counter::half_close_timeouts), 0U);
  EXPECT_EQ(flow.bytes(Direction::up), 10U);
  EXPECT_EQ(flow.bytes(Direction::down), 20U);
  world.loop.advance(seconds(1000));
  EXPECT_EQ(reasons.size(), 1U);
}

TEST_F(FlowTimers, BytesStoreATimeStampAndArmNothing) {
  // One timer at most, however many bytes.
  for (int i = 0; i < 1000; ++i) {
    flow.moved(Direction::up, 1);
    world.loop.advance(milliseconds(1));
  }
  EXPECT_EQ(world.loop.run(), 0U);
}

TEST_F(FlowTimers, HalfCloseIsRestartedByBytes) {
  world.loop.advance(seconds(5));
  flow.ended(Direction::up);
  world.loop.advance(seconds(9));
  flow.moved(Direction::down, 1);
  world.loop.advance(seconds(9));
  EXPECT_TRUE(reasons.empty());
  world.loop.advance(seconds(1));
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(since_start(), seconds(24));
  EXPECT_EQ(count(Counter::half_close_timeouts), 1U);
}

TEST_F(FlowTimers, BothEndedIsNotHalfClosed) {
  flow.ended(Direction::up);
  flow.ended(Direction::down);
  world.loop.advance(seconds(99));
  EXPECT_TRUE(reasons.empty());
}

TEST_F(FlowTimers, WriteStallCountsFromTheLastByteTaken) {
  world.limits.write_time = seconds(20);
  flow.blocked(Direction::down);
  world.loop.advance(seconds(15));
  flow.unblocked(Direction::down);
  flow.blocked(Direction::down);
  world.loop.advance(seconds(15));
  flow.blocked(Direction::down);  // still the same stall
  world.loop.advance(seconds(4));
  EXPECT_TRUE(reasons.empty());
  world.loop.advance(seconds(1));
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(since_start(), seconds(35));
  EXPECT_EQ(count(Counter::write_timeouts), 1U);
}

TEST_F(FlowTimers, ASlowReceiverIsNotIdle) {
  world.limits.write_time = seconds(80);
  for (int i = 0; i < 5; ++i) {
    flow.blocked(Direction::down);
    world.loop.advance(seconds(70));
    flow.unblocked(Direction::down);
  }
  EXPECT_TRUE(reasons.empty());
}

TEST_F(FlowTimers, AResetOfTheSourceGivesAStalledSinkShortTime) {
  flow.blocked(Direction::up);
  world.loop.advance(seconds(2));
  flow.source_reset(Direction::up);
  world.loop.advance(seconds(4));
  EXPECT_TRUE(reasons.empty());
  world.loop.advance(seconds(1));
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(since_start(), seconds(7));
  EXPECT_EQ(count(Counter::write_timeouts), 1U);
}

TEST_F(FlowTimers, AResetOfTheSourceAloneIsNoTimer) {
  flow.source_reset(Direction::up);
  world.loop.advance(seconds(99));
  EXPECT_TRUE(reasons.empty());
}

TEST_F(FlowTimers, TheCounterIsAddedToOnce) {
  world.loop.advance(seconds(100));
  EXPECT_EQ(reasons.size(), 1U);
  flow.blocked(Direction::down);  // what was done about it did not help
  world.loop.advance(seconds(1));
  EXPECT_EQ(reasons.size(), 2U);
  EXPECT_EQ(count(Counter::idle_timeouts) + count(Counter::write_timeouts), 1U);
}

TEST_F(FlowTimers, StoppedIsStopped) {
  flow.stop();
  flow.ended(Direction::up);
  flow.blocked(Direction::down);
  flow.source_reset(Direction::down);
  world.loop.advance(seconds(1000));
  EXPECT_TRUE(reasons.empty());
  EXPECT_FALSE(world.loop.has_timers());
}

TEST_F(FlowTimers, StallsAddUpPerDirection) {
  flow.blocked(Direction::up);
  world.loop.advance(seconds(2));
  flow.unblocked(Direction::up);
  world.loop.advance(seconds(5));
  flow.blocked(Direction::up);
  flow.blocked(Direction::down);
  world.loop.advance(seconds(1));
  EXPECT_EQ(flow.stalled(Direction::up), seconds(3)) << "one that lasts counts too";
  flow.ended(Direction::down);
  world.loop.advance(seconds(4));
  EXPECT_EQ(flow.stalled(Direction::down), seconds(1));
  EXPECT_EQ(flow.age(), seconds(12));
}

class FlowSilence : public testing::Test {
 protected:
  void watch(Flow& watched) {
    watched.on_silence([](void* self) noexcept { ++static_cast<FlowSilence*>(self)->told; }, this);
  }
  static void expired(void* /*self*/, const Error& /*reason*/) noexcept {}
  test::SimWorld world;
  int told = 0;
  Flow flow{world.context, FlowTimeouts{seconds(100), seconds(10), seconds(5), seconds(3)}, &FlowSilence::expired,
            this};
};

TEST_F(FlowSilence, IsToldOnceWhenBytesWentUpAndNoneCameDown) {
  watch(flow);
  world.loop.advance(seconds(2));
  flow.moved(Direction::up, 1);
  world.loop.advance(milliseconds(999));
  EXPECT_EQ(told, 0);
  world.loop.advance(milliseconds(1));
  EXPECT_EQ(told, 1);
  world.loop.advance(seconds(50));
  EXPECT_EQ(told, 1);
}

TEST_F(FlowSilence, IsNoneWhenNobodySpokeOrSomethingCameBack) {
  watch(flow);
  Flow answered(world.context, flow.timeouts(), &FlowSilence::expired, this);
  watch(answered);
  answered.moved(Direction::up, 1);
  answered.moved(Direction::down, 1);
  world.loop.advance(seconds(50));
  EXPECT_EQ(told, 0);
}

TEST_F(FlowSilence, WithoutATimeNobodyWaits) {
  Flow patient(world.context, FlowTimeouts{seconds(100), seconds(10)}, &FlowSilence::expired, this);
  watch(patient);
  patient.moved(Direction::up, 1);
  world.loop.advance(seconds(50));
  EXPECT_EQ(told, 0);
}

// A flow with a time for the response, of 5 s.
class FlowResponse : public FlowTimers {
 protected:
  static FlowTimeouts times(Duration idle) {
    FlowTimeouts timeouts{idle, seconds(10)};
    timeouts.response = seconds(5);
    return timeouts;
  }
  Flow answered{world.context, times(seconds(100)), &FlowResponse::expired, this};
};

TEST_F(FlowResponse, CountsFromTheEndOfWhatGoesUpHoweverBusyTheResponse) {
  flow.stop();
  world.loop.advance(seconds(50));
  EXPECT_TRUE(reasons.empty());
  answered.ended(Direction::up);
  for (int i = 0; i < 4; ++i) {
    world.loop.advance(seconds(1));
    answered.moved(Direction::down, 1);
  }
  EXPECT_TRUE(reasons.empty());
  world.loop.advance(seconds(1));
  ASSERT_EQ(reasons.size(), 1U);
  EXPECT_EQ(since_start(), seconds(55));
  EXPECT_EQ(count(Counter::response_timeouts), 1U);
}

TEST_F(FlowResponse, IsOverWhenTheResponseHasEnded) {
  flow.stop();
  answered.ended(Direction::up);
  world.loop.advance(seconds(4));
  answered.ended(Direction::down);
  world.loop.advance(seconds(90));
  EXPECT_TRUE(reasons.empty());
}

TEST_F(FlowResponse, IsNoneForAResponseThatEndedFirst) {
  flow.stop();
  answered.ended(Direction::down);
  world.loop.advance(seconds(4));
  answered.ended(Direction::up);
  world.loop.advance(seconds(90));
  EXPECT_TRUE(reasons.empty());
}

TEST_F(FlowTimers, WithoutAnIdleTimeNoTimerIsArmed) {
  flow.stop();
  Flow patient(world.context, FlowTimeouts{Duration::zero(), seconds(10)}, &FlowTimers::expired, this);
  patient.moved(Direction::up, 1);
  EXPECT_FALSE(world.loop.has_timers());
  patient.ended(Direction::up);
  world.loop.advance(seconds(10));
  EXPECT_EQ(reasons, (std::vector<std::string>{"half-closed and idle for too long"}));
}

}  // namespace
}  // namespace tunnel
