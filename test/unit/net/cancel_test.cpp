// SPDX-License-Identifier: Apache-2.0
#include "base/cancel.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using std::chrono::milliseconds;

struct Told {
  int times = 0;
  static void call(void* self) noexcept { ++static_cast<Told*>(self)->times; }
};

TEST(Cancel, TellsEveryHookOnceAndKeepsTheFirstReason) {
  test::SimWorld world;
  Cancel cancel(world.loop);
  Told first;
  Told second;
  const Cancel::Hook one(cancel, &Told::call, &first);
  const Cancel::Hook two(cancel, &Told::call, &second);
  EXPECT_FALSE(cancel.cancelled());
  cancel.cancel(Error(Kind::shutdown, "drain"));
  cancel.cancel(Error(Kind::timeout, "late"));
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(second.times, 1);
  EXPECT_EQ(cancel.reason().kind, Kind::shutdown);
  EXPECT_EQ(cancel.reason().text(), "drain");
}

TEST(Cancel, AHookThatWentIsNotTold) {
  test::SimWorld world;
  Cancel cancel(world.loop);
  Told first;
  Told middle;
  Told last;
  auto one = std::make_unique<Cancel::Hook>(cancel, &Told::call, &first);
  auto two = std::make_unique<Cancel::Hook>(cancel, &Told::call, &middle);
  auto three = std::make_unique<Cancel::Hook>(cancel, &Told::call, &last);
  two.reset();
  cancel.cancel(Error(Kind::reset));
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(middle.times, 0);
  EXPECT_EQ(last.times, 1);
}

TEST(Cancel, AHookMayUnhookAnotherWhileTold) {
  test::SimWorld world;
  Cancel cancel(world.loop);
  Told told;
  std::optional<Cancel::Hook> victim;
  victim.emplace(cancel, &Told::call, &told);
  const Cancel::Hook killer(
      cancel, [](void* other) noexcept { static_cast<std::optional<Cancel::Hook>*>(other)->reset(); }, &victim);
  cancel.cancel(Error(Kind::reset));  // hooks are told newest first
  EXPECT_EQ(told.times, 0);
}

TEST(Cancel, AChildGoesWithItsParentAndNotTheOtherWayRound) {
  test::SimWorld world;
  Cancel parent(world.loop);
  Cancel lucky(parent, milliseconds(1000), Error(Kind::timeout));
  {
    Cancel child(parent, milliseconds(1000), Error(Kind::timeout));
    child.cancel(Error(Kind::refused));
    EXPECT_FALSE(parent.cancelled());
  }
  Told told;
  const Cancel::Hook hook(lucky, &Told::call, &told);
  parent.cancel(Error(Kind::shutdown, "drain"));
  EXPECT_EQ(told.times, 1);
  EXPECT_EQ(lucky.reason().kind, Kind::shutdown);
  EXPECT_EQ(lucky.reason().text(), "drain");
  world.loop.advance(milliseconds(2000));
  EXPECT_EQ(lucky.reason().kind, Kind::shutdown);
  EXPECT_EQ(told.times, 1);
}

TEST(Cancel, AChildOfACancelledParentIsBornCancelled) {
  test::SimWorld world;
  Cancel parent(world.loop);
  parent.cancel(Error(Kind::reset));
  const Cancel child(parent, milliseconds(1000), Error(Kind::timeout));
  EXPECT_EQ(child.reason().kind, Kind::reset);
  EXPECT_FALSE(world.loop.has_timers());
}

TEST(Cancel, RunsOutOfTime) {
  test::SimWorld world;
  Cancel parent(world.loop);
  Cancel child(parent, milliseconds(1000), Error(Kind::timeout, "too long").with(504, "dns_timeout"));
  Told told;
  const Cancel::Hook hook(child, &Told::call, &told);
  world.loop.advance(milliseconds(999));
  EXPECT_FALSE(child.cancelled());
  world.loop.advance(milliseconds(1));
  EXPECT_EQ(child.reason().kind, Kind::timeout);
  EXPECT_EQ(child.reason().status, 504);
  EXPECT_EQ(told.times, 1);
  EXPECT_FALSE(parent.cancelled());
}

TEST(Cancel, ItsTimerGoesWithIt) {
  test::SimWorld world;
  Cancel parent(world.loop);
  {
    const Cancel child(parent, milliseconds(1000), Error(Kind::timeout));
  }
  EXPECT_FALSE(world.loop.has_timers());
  parent.cancel(Error(Kind::reset));  // nobody is left to tell
  EXPECT_TRUE(parent.cancelled());
}

}  // namespace
}  // namespace tunnel
