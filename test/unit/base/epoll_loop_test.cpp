// SPDX-License-Identifier: Apache-2.0
// EpollLoop on real descriptors and the real clock; nothing here waits longer than a few milliseconds on purpose.
#include "base/epoll_loop.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/tcp_pair.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::run_on;

TEST(EpollLoop, StopsAndRunsAgain) {
  EpollLoop loop;
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    loop.post_remote([&] {
      ++runs;
      loop.stop();
    });
    loop.run();
  }
  EXPECT_EQ(runs, 3);
}

TEST(EpollLoop, PostRemoteFromOtherThreadsLosesNothing) {
  EpollLoop loop;
  constexpr int kThreads = 4;
  constexpr int kCalls = 5000;
  int calls = 0;  // only the loop's thread touches it
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&loop, &calls] {
      for (int i = 0; i < kCalls; ++i)
        loop.post_remote([&loop, &calls] {
          if (++calls == kThreads * kCalls) loop.stop();
        });
    });
  loop.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, kThreads * kCalls);
}

// Else a timer a call arms would be early by as long as the loop had waited.
TEST(EpollLoop, ACallFromAnotherThreadKnowsTheTime) {
  EpollLoop loop;
  TimePoint posted;
  TimePoint known;
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(30));
    posted = Clock::now();
    loop.post_remote([&] {
      known = loop.now();
      loop.stop();
    });
  });
  loop.run();
  other.join();
  EXPECT_GE(known, posted);
}

TEST(EpollLoop, ARemoteMayOutliveTheLoop) {
  auto loop = std::make_unique<EpollLoop>();
  auto remote = loop->remote();
  loop.reset();
  bool ran = false;
  remote->post([&ran] { ran = true; });
  EXPECT_FALSE(ran);
}

TEST(EpollLoop, TimersFireInOrderAndNeverEarly) {
  EpollLoop loop;
  struct Entry {
    static void fire(void* self) noexcept {
      auto& entry = *static_cast<Entry*>(self);
      EXPECT_GE(Clock::now(), entry.timer->when());
      entry.order->push_back(entry.name);
      if (entry.order->size() == 3) entry.loop->stop();
    }
    EpollLoop* loop;
    std::vector<int>* order;
    int name;
    Timer* timer = nullptr;
  };
  std::vector<int> order;
  std::array<Entry, 3> entries{Entry{&loop, &order, 3}, Entry{&loop, &order, 1}, Entry{&loop, &order, 2}};
  Timer late(loop, &Entry::fire, &entries[0]);
  Timer early(loop, &Entry::fire, &entries[1]);
  Timer middle(loop, &Entry::fire, &entries[2]);
  entries[0].timer = &late;
  entries[1].timer = &early;
  entries[2].timer = &middle;
  const TimePoint start = Clock::now();
  late.arm(start + milliseconds(15));
  middle.arm(start + milliseconds(10));
  early.arm(start + milliseconds(5));
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(EpollLoop, AnEarlierTimerOvertakesAWaitAlreadyBegun) {
  EpollLoop loop;
  Timer far(loop, [](void*) noexcept { ADD_FAILURE() << "the far timer fired"; }, nullptr);
  far.arm(Clock::now() + seconds(30));
  Timer near(loop, [](void* context) noexcept { static_cast<EpollLoop*>(context)->stop(); }, &loop);
  // Armed from within, once the loop already waits for the far one.
  std::thread later([&loop, &near] { loop.post_remote([&loop, &near] { near.arm(loop.now() + milliseconds(2)); }); });
  const TimePoint start = Clock::now();
  loop.run();
  later.join();
  EXPECT_LT(Clock::now() - start, seconds(20));
}

Task<void> sleep_for(Loop& loop, Duration length) { co_await Sleep(loop, loop.now() + length); }

TEST(EpollLoop, RunOnGivesUpOnATaskThatHangs) {
  EpollLoop loop;
  EXPECT_TRUE(run_on(loop, sleep_for(loop, milliseconds(2))));
}

Task<void> many_yields(Loop& loop, std::uint64_t& count, const bool& stop) {
  while (!stop) {
    ++count;
    co_await yield(loop);
  }
}
Task<void> read_while_busy(EpollLoop& loop, int fd, bool& stop, std::uint64_t& count) {
  Readiness ready(loop, fd);
  ready.readable = false;
  struct Wait {
    Readiness& on;
    Slot slot;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) {
      slot.handle = caller;
      on.wait_readable(slot);
    }
    void await_resume() const noexcept {}
  };
  Wait wait{ready, {}};
  co_await wait;
  EXPECT_GT(count, 0U);
  stop = true;
  co_await yield(loop);
}

TEST(EpollLoop, ABusyReadyQueueDoesNotStarveDescriptors) {
  EpollLoop loop;
  auto [one, two] = test::tcp_socket_pair();
  std::uint64_t count = 0;
  bool stop = false;
  spawn(many_yields(loop, count, stop));
  ASSERT_EQ(::send(two, "x", 1, MSG_NOSIGNAL), 1);
  EXPECT_TRUE(run_on(loop, read_while_busy(loop, one, stop, count), seconds(20)));
  ::close(one);
  ::close(two);
}

}  // namespace
}  // namespace tunnel
