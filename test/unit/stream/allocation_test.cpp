// SPDX-License-Identifier: Apache-2.0
// abort() must work when memory is what has run out. This file replaces operator new of its program by one that counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "stream/user_space_pair.hpp"
#include "support/pattern.hpp"
#include "support/reset_counter.hpp"
#include "support/sim_loop.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace tunnel {
namespace {

using std::chrono::seconds;
using test::start;
using Kind = Error::Kind;

void fill(Stream& to) {
  for (;;) {
    Buffer buffer(std::string(1000, 'x'));
    if (to.try_write(buffer, More::no).state != Io::State::done || !buffer.empty()) return;
  }
}

TEST(UserSpacePair, Invariant17_AbortAllocatesNothingAndCompletesEachCallOnce) {
  test::SimWorld world;
  auto [a, b] = make_user_space_pair(world.context, 4096);
  fill(*a);
  Buffer into;
  int completions = 0;
  const auto count = [&completions] { ++completions; };
  auto reading = start(a->read(into, 10), count);
  auto writing = start(test::send(*a, "more"), count);
  world.loop.run();
  auto peer_reading = start(
      [](Stream& stream) -> Task<Result<std::size_t>> {
        Buffer rest;
        Result<std::size_t> n = co_await stream.read(rest, 100'000);
        while (n.ok() && *n > 0) n = co_await stream.read(rest, 100'000);
        co_return n;
      }(*b),
      count);
  fill(*a);
  const Error reason(Kind::shutdown, "going down");
  test::ResetCounter observer;
  b->on_reset(&observer);
  const std::size_t before = allocations.load();
  a->abort(reason);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(observer.told, 1);
  EXPECT_FALSE(reading.done());  // posted, not inline
  world.loop.run();
  EXPECT_EQ(completions, 3);
  EXPECT_EQ(reading.value().error().kind, Kind::shutdown);
  EXPECT_EQ(writing.value().error().kind, Kind::shutdown);
  EXPECT_EQ(peer_reading.value().error().kind, Kind::shutdown);
  // Nothing touches the object after abort and join.
  a.reset();
  world.loop.run();
}

TEST(UserSpacePair, Invariant17_AbortWakesAFlushWithoutAllocating) {
  test::SimWorld world;
  auto [a, b] = make_user_space_pair(world.context, 4096);
  fill(*a);
  auto flushing = start(a->flush(world.loop.now() + seconds(5)));
  const Error reason(Kind::shutdown, "going down");
  const std::size_t before = allocations.load();
  a->abort(reason);
  EXPECT_EQ(allocations.load(), before);
  world.loop.run();
  ASSERT_TRUE(flushing.done());
  EXPECT_EQ(flushing.value().error().kind, Kind::shutdown);
}

TEST(UserSpacePair, AWaitingReadHoldsNoMemoryOfItsOwn) {
  test::SimWorld world;
  auto [a, b] = make_user_space_pair(world.context, 4096);
  Buffer into;
  auto reading = start(a->read(into, 65536));
  world.loop.run();
  EXPECT_FALSE(reading.done());
  EXPECT_EQ(into.capacity_held(), 0U);
  a->abort(Error(Kind::cancelled));
  world.loop.run();
}

}  // namespace
}  // namespace tunnel
