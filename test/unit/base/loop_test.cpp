// SPDX-License-Identifier: Apache-2.0
#include "tunnel/loop.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using test::SimLoop;
using test::start;

struct Recorder : Waiter {
  Recorder(std::string& into, char name) : Waiter(&Recorder::run), log(into), letter(name) {}
  static void run(Waiter& self) noexcept {
    auto& recorder = static_cast<Recorder&>(self);
    recorder.log.push_back(recorder.letter);
  }
  std::string& log;
  char letter;
};

TEST(Loop, RunsInOrderOfPostingAndNeverInline) {
  SimLoop loop;
  std::string log;
  Recorder a(log, 'a');
  Recorder b(log, 'b');
  Recorder c(log, 'c');
  loop.post(b);
  loop.post(a);
  loop.post(c);
  EXPECT_EQ(log, "");
  loop.run();
  EXPECT_EQ(log, "bac");
}

TEST(Loop, PostingAQueuedWaiterChangesNothing) {
  SimLoop loop;
  std::string log;
  Recorder a(log, 'a');
  Recorder b(log, 'b');
  loop.post(a);
  loop.post(b);
  loop.post(a);
  EXPECT_TRUE(a.queued());
  EXPECT_EQ(loop.run(), 2U);
  EXPECT_EQ(log, "ab");
  EXPECT_FALSE(a.queued());
  loop.post(a);
  loop.run();
  EXPECT_EQ(log, "aba");
}

TEST(Loop, WakesOnlyWhenTheQueueWasEmpty) {
  SimLoop loop;
  std::string log;
  Recorder a(log, 'a');
  Recorder b(log, 'b');
  loop.post(a);
  loop.post(b);
  EXPECT_EQ(loop.wakes(), 1U);
  loop.run();
  loop.post(b);
  EXPECT_EQ(loop.wakes(), 2U);
  loop.run();
}

TEST(Loop, SeedsPermuteTheOrderAndRepeatIt) {
  auto order = [](std::uint64_t seed) {
    SimLoop loop(seed);
    std::string log;
    std::vector<std::unique_ptr<Recorder>> waiters;
    for (char letter = 'a'; letter <= 'h'; ++letter) {
      waiters.push_back(std::make_unique<Recorder>(log, letter));
      loop.post(*waiters.back());
    }
    loop.run();
    return log;
  };
  EXPECT_EQ(order(0), "abcdefgh");
  EXPECT_EQ(order(5), order(5));
  EXPECT_NE(order(5), order(6));
  EXPECT_EQ(order(5).size(), 8U);
}

#ifndef NDEBUG
TEST(LoopDeathTest, DestroyingAQueuedWaiterIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SimLoop loop;
        std::string log;
        Recorder a(log, 'a');
        loop.post(a);
      },
      "destroyed while it waited");
}
#endif

struct TimerLog {
  explicit TimerLog(SimLoop& on) : loop(on), timer(on, &TimerLog::fire, this) {}
  static void fire(void* self) noexcept {
    auto& log = *static_cast<TimerLog*>(self);
    log.fired_at.push_back(log.loop.now());
  }
  SimLoop& loop;
  Timer timer;
  std::vector<TimePoint> fired_at;
};

TEST(Timer, FiresOnceAtItsTime) {
  SimLoop loop;
  TimerLog one(loop);
  const TimePoint due = loop.now() + milliseconds(10);
  one.timer.arm_after(milliseconds(10));
  EXPECT_TRUE(one.timer.armed());
  loop.advance(milliseconds(9));
  EXPECT_TRUE(one.fired_at.empty());
  loop.advance(milliseconds(100));
  ASSERT_EQ(one.fired_at.size(), 1U);
  EXPECT_EQ(one.fired_at[0], due);
  EXPECT_FALSE(one.timer.armed());
}

TEST(Timer, ArmReplacesArmAtLatestOnlyMovesForward) {
  SimLoop loop;
  TimerLog one(loop);
  const TimePoint start_time = loop.now();
  one.timer.arm(start_time + milliseconds(20));
  one.timer.arm_at_latest(start_time + milliseconds(30));
  EXPECT_EQ(one.timer.when(), start_time + milliseconds(20));
  one.timer.arm_at_latest(start_time + milliseconds(10));
  EXPECT_EQ(one.timer.when(), start_time + milliseconds(10));
  one.timer.arm(start_time + milliseconds(40));
  loop.advance(milliseconds(39));
  EXPECT_TRUE(one.fired_at.empty());
  loop.advance(milliseconds(1));
  EXPECT_EQ(one.fired_at.size(), 1U);
}

TEST(Timer, DestroyingDisarms) {
  SimLoop loop;
  {
    TimerLog one(loop);
    one.timer.arm_after(milliseconds(1));
    EXPECT_TRUE(loop.has_timers());
  }
  EXPECT_FALSE(loop.has_timers());
  loop.advance(milliseconds(5));
}

TEST(Timer, RandomArmingAgainstAModel) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    SimLoop loop;
    constexpr std::size_t kTimers = 64;
    std::vector<std::unique_ptr<TimerLog>> timers;
    for (std::size_t i = 0; i < kTimers; ++i) timers.push_back(std::make_unique<TimerLog>(loop));
    std::map<std::size_t, TimePoint> armed;
    std::vector<std::vector<TimePoint>> expected(kTimers);
    for (int step = 0; step < 400; ++step) {
      const std::size_t i = random() % kTimers;
      switch (random() % 4) {
        case 0:
        case 1: {
          const TimePoint when = loop.now() + milliseconds(1 + random() % 50);
          timers[i]->timer.arm(when);
          armed[i] = when;
          break;
        }
        case 2:
          timers[i]->timer.disarm();
          armed.erase(i);
          break;
        default: {
          const auto by = milliseconds(random() % 10);
          for (auto it = armed.begin(); it != armed.end();) {
            if (it->second > loop.now() + by) {
              ++it;
              continue;
            }
            expected[it->first].push_back(it->second);
            it = armed.erase(it);
          }
          loop.advance(by);
          break;
        }
      }
      EXPECT_EQ(timers[i]->timer.armed(), armed.count(i) == 1);
    }
    for (std::size_t i = 0; i < kTimers; ++i) EXPECT_EQ(timers[i]->fired_at, expected[i]) << "timer " << i;
  }
}

Task<void> set_after(Loop& loop, Notify& notify, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield(loop);
  notify.set();
}

TEST(Notify, SetBeforeWaitIsNotLost) {
  for (const int yields : {0, 1, 3}) {
    SimLoop loop;
    Notify notify(loop);
    spawn(set_after(loop, notify, yields));
    auto waits = [](Notify& on) -> Task<int> {
      co_await on.wait();
      co_return 1;
    };
    EXPECT_EQ(loop.await(waits(notify)), 1);
    EXPECT_FALSE(notify.is_set());
  }
}

TEST(Notify, ManySetsBeforeTheWaiterRunsCountOnce) {
  SimLoop loop;
  Notify notify(loop);
  auto counts = [](Notify& on, int& count) -> Task<void> {
    for (;;) {
      co_await on.wait();
      if (++count == 3) co_return;
    }
  };
  int count = 0;
  auto counting = start(counts(notify, count));
  for (int i = 1; i <= 3; ++i) {
    notify.set();
    notify.set();
    loop.run();
    EXPECT_EQ(count, i);
  }
  EXPECT_TRUE(counting.done());
}

TEST(Sleep, WaitsOnTheHandMovedClock) {
  SimLoop loop;
  auto sleeps = [](Loop& on) -> Task<int> {
    co_await Sleep(on, on.now() + std::chrono::hours(3));
    co_return 1;
  };
  auto sleeping = start(sleeps(loop));
  loop.advance(std::chrono::hours(3) - milliseconds(1));
  EXPECT_FALSE(sleeping.done());
  loop.advance(milliseconds(1));
  EXPECT_TRUE(sleeping.done());
}

}  // namespace
}  // namespace tunnel
