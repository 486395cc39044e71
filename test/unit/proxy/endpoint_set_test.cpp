// SPDX-License-Identifier: Apache-2.0
// Who is picked, who is set aside for how long, and who comes back.
#include "proxy/endpoint_set.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/sim_loop.hpp"

namespace tunnel::proxy {
namespace {

using plan::Lb;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::SimWorld;
using Pick = EndpointSet::Pick;

const Error kRefused(Error::Kind::refused, "connect: Connection refused");

// A set of endpoints "a:1", "b:1", ... and connects to it, each of which knows what it has tried.
struct Fixture {
  explicit Fixture(Lb lb, std::size_t size, std::size_t first = 0)
      : stats(plan_of(lb, size)), set(world.context, plan_of(lb, size), board, stats, first) {}

  static plan::Cluster plan_of(Lb lb, std::size_t size) {
    plan::Cluster cluster;
    cluster.name = "c";
    cluster.lb = lb;
    for (std::size_t i = 0; i < size; ++i)
      cluster.endpoints.push_back({plan::Tcp{std::string(1, static_cast<char>('a' + i)), 1}});
    return cluster;
  }

  Pick pick() {
    std::vector<bool> tried(set.size());
    return *set.pick(tried);
  }
  // The order in which one connect that always fails goes through them; nothing is remembered.
  std::string order() {
    std::vector<bool> tried(set.size());
    std::string names;
    while (const auto pick = set.pick(tried)) {
      names += name(*pick);
      set.given_up(*pick);
    }
    return names;
  }
  // One connect after the other, each successful and closed at once.
  std::string sequence(std::size_t connects) {
    std::string names;
    for (std::size_t i = 0; i < connects; ++i) {
      const Pick one = pick();
      set.succeeded(one);
      names += name(one);
    }
    return names;
  }
  void fail(std::size_t index, const Error& why = kRefused) {
    Pick one = pick();
    while (one.index != index) one = pick();
    set.failed(one, why);
  }
  static char name(const Pick& pick) { return static_cast<char>('a' + pick.index); }

  SimWorld world;
  EndpointBoard board;
  ClusterStats stats;
  EndpointSet set;
};

TEST(EndpointSet, RoundRobinGivesEachItsTurn) {
  Fixture of(Lb::round_robin, 3);
  EXPECT_EQ(of.sequence(7), "abcabca");
}

TEST(EndpointSet, RoundRobinBeginsAtTheWorkersNumber) {
  EXPECT_EQ(Fixture(Lb::round_robin, 3, 1).sequence(4), "bcab");
  EXPECT_EQ(Fixture(Lb::round_robin, 3, 5).sequence(4), "cabc");
}

TEST(EndpointSet, FirstIsFirstWhileItIsUp) {
  Fixture of(Lb::first, 3, 2);
  EXPECT_EQ(of.sequence(3), "aaa");
  EXPECT_EQ(of.order(), "abc");
}

TEST(EndpointSet, LeastGoesWhereFewestAreOpen) {
  Fixture of(Lb::least, 3);
  std::vector<Pick> open;
  for (int i = 0; i < 6; ++i) open.push_back(of.pick());  // those on their way count, too
  EXPECT_EQ(of.set.open(0) + of.set.open(1) + of.set.open(2), 6U);
  EXPECT_EQ(of.set.open(1), 2U);
  open.erase(open.begin() + 1);  // the first of b
  EXPECT_EQ(of.set.open(1), 1U);
  EXPECT_EQ(Fixture::name(of.pick()), 'b');
  open.clear();
  // Equally loaded ones take turns: short connections spread, too.
  EXPECT_EQ(of.sequence(6), "cabcab");
}

TEST(EndpointSet, AConnectTriesEachOnce) {
  Fixture of(Lb::round_robin, 3);
  EXPECT_EQ(of.order(), "abc");
  std::vector<bool> tried(3, true);
  EXPECT_FALSE(of.set.pick(tried));
  EXPECT_EQ(of.world.counters.value(Counter::endpoint_tries), 3U);
}

TEST(EndpointSet, OneThatFailedIsLeftOutForASecondAndThenTried) {
  Fixture of(Lb::round_robin, 3);
  of.fail(1);
  EXPECT_TRUE(of.set.set_aside(1));
  EXPECT_EQ(of.world.counters.value(Counter::endpoint_ejections), 1U);
  EXPECT_EQ(of.sequence(4), "caca");
  of.world.loop.advance(milliseconds(999));
  EXPECT_EQ(of.sequence(4), "caca");
  of.world.loop.advance(milliseconds(1));
  EXPECT_EQ(of.sequence(6), "bcabca");
  EXPECT_FALSE(of.set.set_aside(1));
}

TEST(EndpointSet, ItsTimeDoublesUpTo30SecondsAndStartsAnewOnceItWasBack) {
  Fixture of(Lb::first, 2);
  for (const int expected : {1, 2, 4, 8, 16, 30, 30}) {
    of.fail(0);
    of.world.loop.advance(seconds(expected) - milliseconds(1));
    EXPECT_EQ(of.sequence(1), "b") << expected;
    of.world.loop.advance(milliseconds(1));
    EXPECT_EQ(of.order(), "ab") << expected;
  }
  EXPECT_EQ(of.sequence(1), "a");
  of.fail(0);
  of.world.loop.advance(seconds(1));
  EXPECT_EQ(of.sequence(1), "a");
  EXPECT_EQ(of.world.counters.value(Counter::endpoint_ejections), 8U);
}

TEST(EndpointSet, OnlyOneConnectTriesWhetherItIsBack) {
  Fixture of(Lb::first, 2);
  of.fail(0);
  of.world.loop.advance(seconds(1));
  Pick trial = of.pick();
  EXPECT_EQ(Fixture::name(trial), 'a');
  EXPECT_TRUE(trial.on_trial);
  EXPECT_EQ(of.sequence(3), "bbb");
  of.set.given_up(trial);  // its client left
  trial = of.pick();
  EXPECT_EQ(Fixture::name(trial), 'a');
  of.set.succeeded(trial);
  EXPECT_EQ(of.sequence(3), "aaa");
}

// A hundred clients that meet one dead server are one failure.
TEST(EndpointSet, ManyFailuresOfOneCauseAreOne) {
  Fixture of(Lb::first, 2);
  std::vector<Pick> picks;
  for (int i = 0; i < 100; ++i) picks.push_back(of.pick());
  for (const Pick& pick : picks) of.set.failed(pick, kRefused);
  EXPECT_EQ(of.world.counters.value(Counter::endpoint_ejections), 1U);
  of.world.loop.advance(seconds(1));
  EXPECT_EQ(of.sequence(1), "a");
}

// A connect begun before others got through says nothing about now.
TEST(EndpointSet, AnOldFailureIsNoNews) {
  Fixture of(Lb::first, 2);
  const Pick slow = of.pick();
  of.world.loop.advance(seconds(5));
  EXPECT_EQ(of.sequence(1), "a");
  of.set.failed(slow, Error(Error::Kind::timeout, "late"));
  EXPECT_FALSE(of.set.set_aside(0));
}

TEST(EndpointSet, WithAllDownTheOneDueSoonestIsTakenFirst) {
  Fixture of(Lb::round_robin, 3);
  of.fail(2);
  of.world.loop.advance(milliseconds(100));
  of.fail(0);
  of.world.loop.advance(milliseconds(100));
  of.fail(1);
  EXPECT_EQ(of.order(), "cab");
  // That they fail again before their time changes nothing.
  std::vector<bool> tried(3);
  while (const auto pick = of.set.pick(tried)) of.set.failed(*pick, kRefused);
  EXPECT_EQ(of.world.counters.value(Counter::endpoint_ejections), 3U);
  of.world.loop.advance(milliseconds(800));
  EXPECT_EQ(of.sequence(2), "cc");  // its second is over, and it is back
}

TEST(EndpointSet, OneThatAnswersBeforeItsTimeIsBack) {
  Fixture of(Lb::first, 1);
  of.fail(0);
  const Pick early = of.pick();
  EXPECT_FALSE(early.on_trial);
  of.set.succeeded(early);
  EXPECT_FALSE(of.set.set_aside(0));
}

TEST(EndpointSet, FailuresOfOurOwnSetNobodyAside) {
  using Kind = Error::Kind;
  for (const Kind kind : {Kind::internal, Kind::limit, Kind::denied, Kind::loop, Kind::shutdown, Kind::cancelled}) {
    Fixture of(Lb::first, 2);
    of.fail(0, Error(kind, "ours"));
    EXPECT_FALSE(of.set.set_aside(0)) << to_string(kind);
  }
  {
    Fixture of(Lb::first, 2);
    of.fail(0, Error(Kind::protocol, "the client's").on(Error::Side::downstream));
    EXPECT_FALSE(of.set.set_aside(0));
  }
  for (const Kind kind : {Kind::refused, Kind::timeout, Kind::unreachable, Kind::dns, Kind::reset, Kind::closed,
                          Kind::protocol, Kind::unknown_destination}) {
    Fixture of(Lb::first, 2);
    of.fail(0, Error(kind, "theirs"));
    EXPECT_TRUE(of.set.set_aside(0)) << to_string(kind);
  }
}

TEST(EndpointSet, AnyThreadCanReadWhatBecameOfEach) {
  Fixture of(Lb::first, 2);
  const EndpointStats& first = of.stats.endpoints[0];
  of.fail(0);
  EXPECT_EQ(first.tries.value(), 1U);
  EXPECT_EQ(first.failures.value(), 1U);
  EXPECT_EQ(first.aside.value(), 1U);
  EXPECT_EQ(of.stats.endpoints[1].aside.value(), 0U);
  of.world.loop.advance(seconds(1));
  of.set.succeeded(of.pick());
  EXPECT_EQ(first.tries.value(), 2U);
  EXPECT_EQ(first.aside.value(), 0U);
  of.fail(0, Error(Error::Kind::cancelled));  // its client went away: no fault of the endpoint
  EXPECT_EQ(first.failures.value(), 1U);
}

TEST(EndpointSet, WhatAClientNamesIsNotTheEndpointsFault) {
  for (const char* id : {"@authority", "@endpoint", "@orig-dst"}) {
    plan::Cluster cluster;
    cluster.name = "c";
    cluster.endpoints = {{plan::Internal{"one", id}}, {plan::Internal{"two", id}}};
    SimWorld world;
    EndpointBoard board;
    ClusterStats stats(cluster);
    EndpointSet set(world.context, cluster, board, stats, 0);
    std::vector<bool> tried(2);
    for (const Error::Kind kind : {Error::Kind::refused, Error::Kind::dns, Error::Kind::timeout, Error::Kind::reset,
                                   Error::Kind::unreachable, Error::Kind::protocol, Error::Kind::closed}) {
      tried.assign(2, false);
      const Pick pick = *set.pick(tried);
      set.failed(pick, Error(kind));
      EXPECT_FALSE(set.set_aside(pick.index)) << id << ' ' << to_string(kind);
    }
    tried.assign(2, false);
    const Pick pick = *set.pick(tried);
    set.failed(pick, Error(Error::Kind::unknown_destination));
    EXPECT_TRUE(set.set_aside(pick.index)) << id;
    EXPECT_EQ(world.counters.value(Counter::endpoint_ejections), 1U);
  }
  // An id that is written is a part of the endpoint.
  plan::Cluster cluster;
  cluster.name = "c";
  cluster.endpoints = {{plan::Internal{"one", "a:1"}}, {plan::Internal{"one", "b:1"}}};
  SimWorld world;
  EndpointBoard board;
  ClusterStats stats(cluster);
  EndpointSet set(world.context, cluster, board, stats, 0);
  std::vector<bool> tried(2);
  set.failed(*set.pick(tried), kRefused);
  EXPECT_TRUE(set.set_aside(0));
}

TEST(EndpointSet, LimitsSetTheTimes) {
  Fixture of(Lb::first, 2);
  of.world.limits.aside = milliseconds(50);
  of.world.limits.aside_most = milliseconds(80);
  for (const int expected : {50, 80, 80}) {
    of.fail(0);
    of.world.loop.advance(milliseconds(expected - 1));
    EXPECT_EQ(of.order(), "ba");
    of.world.loop.advance(milliseconds(1));
    EXPECT_EQ(of.order(), "ab");
  }
  // A longest time below the first one is no reason to ask more often.
  of.world.limits.aside_most = milliseconds(1);
  of.fail(0);
  of.world.loop.advance(milliseconds(49));
  EXPECT_EQ(of.order(), "ba");
}

// What the log tells, once for all workers.
TEST(EndpointBoard, TellsEachChangeOnce) {
  EndpointBoard board;
  EXPECT_TRUE(board.down("c a:1"));
  EXPECT_FALSE(board.down("c a:1"));
  EXPECT_TRUE(board.down("c b:1"));
  EXPECT_TRUE(board.up("c a:1"));
  EXPECT_FALSE(board.up("c a:1"));
  EXPECT_TRUE(board.down("c a:1"));
}

}  // namespace
}  // namespace tunnel::proxy
