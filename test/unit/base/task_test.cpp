// SPDX-License-Identifier: Apache-2.0
#include "tunnel/task.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using test::SimLoop;
using test::start;
using test::Started;

Task<int> number(int value) { co_return value; }
Task<int> sum(int left, int right) {
  const int first = co_await number(left);
  const int second = co_await number(right);
  co_return first + second;
}
Task<void> throws(const char* what) {
  throw std::runtime_error(what);
  co_return;
}
Task<std::string> calls_thrower(const char* what) {
  co_await throws(what);
  co_return "not reached";
}
Task<void> note_after(Loop& loop, std::string& log, std::string text, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield(loop);
  log += text;
}

TEST(Task, IsLazyAndGivesItsValue) {
  bool ran = false;
  auto flag = [](bool& seen) -> Task<int> {
    seen = true;
    co_return 42;
  };
  Task<int> task = flag(ran);
  EXPECT_FALSE(ran);
  SimLoop loop;
  EXPECT_EQ(loop.await(std::move(task)), 42);
  EXPECT_TRUE(ran);
}

TEST(Task, NeverStartedIsFreedQuietly) {
  auto shared = std::make_shared<int>(1);
  auto hold = [](std::shared_ptr<int> kept) -> Task<int> { co_return *kept; };
  {
    const Task<int> task = hold(shared);
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Task, CarriesMoveOnlyValues) {
  auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  SimLoop loop;
  EXPECT_EQ(*loop.await(make()), 7);
}

TEST(Task, ExceptionLeavesThroughTheAwaitingFrame) {
  SimLoop loop;
  try {
    (void)loop.await(calls_thrower("boom"));
    FAIL() << "the exception was lost";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "boom");
  }
}

TEST(Task, ExceptionCanBeCaughtInACoroutine) {
  auto catches = []() -> Task<bool> {
    bool caught = false;
    try {
      co_await throws("inside");
    } catch (const std::runtime_error&) {
      caught = true;
    }
    co_return caught;
  };
  SimLoop loop;
  EXPECT_TRUE(loop.await(catches()));
}

Task<void> spawned_throw() { co_await throws("out of a spawned task"); }

TEST(TaskDeathTest, ExceptionOutOfASpawnedTaskEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(spawn(spawned_throw()), "");
}

TEST(Task, MillionSynchronousCompletionsNeedNoStack) {
  auto many = []() -> Task<long> {
    long total = 0;
    for (int i = 0; i < 1'000'000; ++i) total += co_await sum(i, 1);
    co_return total;
  };
  SimLoop loop;
  EXPECT_EQ(loop.await(many()), 499'999'500'000L + 1'000'000L);
}

Task<int> descend(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await descend(depth - 1);
  co_return below + 1;
}

TEST(Task, ChainOfAMillionFramesNeedsNoStack) {
  SimLoop loop;
  EXPECT_EQ(loop.await(descend(1'000'000)), 1'000'000);
}

TEST(Join, ContinuesWhenBothHaveEnded) {
  for (const int first_yields : {0, 1, 5})
    for (const int second_yields : {0, 1, 5}) {
      SimLoop loop;
      std::string log;
      auto both = [](Loop& on, std::string& out, int left, int right) -> Task<void> {
        Task<void> first = note_after(on, out, "a", left);
        Task<void> second = note_after(on, out, "b", right);
        co_await join(first, second);
        out += "!";
      };
      loop.await(both(loop, log, first_yields, second_yields));
      EXPECT_EQ(log, first_yields <= second_yields ? "ab!" : "ba!");
    }
}

TEST(Join, ExceptionOfEitherLeavesOnceBothHaveEnded) {
  for (const bool first_throws : {true, false}) {
    SimLoop loop;
    std::string log;
    auto both = [](Loop& on, std::string& out, bool left) -> Task<void> {
      Task<void> slow = note_after(on, out, "slow", 3);
      Task<void> bad = throws("bad");
      if (left)
        co_await join(bad, slow);
      else
        co_await join(slow, bad);
    };
    EXPECT_THROW(loop.await(both(loop, log, first_throws)), std::runtime_error);
    EXPECT_EQ(log, "slow");
  }
}

TEST(Join, MillionTimesNeedsNoStack) {
  auto many = [](Loop& loop) -> Task<int> {
    std::string log;
    for (int i = 0; i < 100'000; ++i) {
      Task<void> first = note_after(loop, log, "", 0);
      Task<void> second = note_after(loop, log, "", 0);
      co_await join(first, second);
    }
    co_return 1;
  };
  SimLoop loop;
  EXPECT_EQ(loop.await(many(loop)), 1);
}

TEST(Spawn, RunsAtOnceAndFreesItsFrame) {
  SimLoop loop;
  auto shared = std::make_shared<int>(0);
  auto hold = [](Loop& on, std::shared_ptr<int> kept) -> Task<void> {
    *kept = 1;
    co_await yield(on);
    *kept = 2;
  };
  spawn(hold(loop, shared));
  EXPECT_EQ(*shared, 1);
  EXPECT_EQ(shared.use_count(), 2);
  loop.run();
  EXPECT_EQ(*shared, 2);
  EXPECT_EQ(shared.use_count(), 1);
}

}  // namespace
}  // namespace tunnel
