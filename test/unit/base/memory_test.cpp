// SPDX-License-Identifier: Apache-2.0
// What all buffers of the process hold, whichever thread took or freed it.
#include "base/memory.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tunnel/buffer.hpp"

namespace tunnel {
namespace {

constexpr std::size_t kMiB = 1 << 20;

TEST(Memory, IsWhatBuffersHold) {
  const std::uint64_t before = memory::held();
  Buffer buffer(std::string(100'000, 'x'));
  EXPECT_EQ(memory::held() - before, buffer.capacity_held());
  EXPECT_GE(buffer.capacity_held(), 100'000U);
  // A chunk two buffers share counts once, and one that only waits to be used again does not count.
  Buffer other;
  buffer.move_to(other, 50'000);
  EXPECT_GE(memory::held() - before, 100'000U);
  EXPECT_LE(memory::held() - before, 100'000U + 4 * Buffer::kChunkBytes);
  buffer.clear();
  other.clear();
  EXPECT_EQ(memory::held(), before);
  Buffer again(std::string(10, 'x'));
  EXPECT_EQ(memory::held() - before, again.capacity_held());
}

TEST(Memory, OfAllThreadsWhoeverFrees) {
  const std::uint64_t before = memory::held();
  std::vector<Buffer> made(8);
  std::vector<std::thread> threads;
  threads.reserve(made.size());
  for (Buffer& buffer : made) threads.emplace_back([&buffer] { buffer = Buffer(std::string(kMiB, 'x')); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(memory::held() - before, 8 * kMiB);
  EXPECT_LE(memory::held() - before, 9 * kMiB);
  // The threads are gone; what they took is freed here and there.
  std::thread([&made] { made.resize(4); }).join();
  EXPECT_LE(memory::held() - before, 5 * kMiB);
  made.clear();
  EXPECT_EQ(memory::held(), before);
}

TEST(Memory, IsUsedUpAboveTheLimitOnly) {
  Limits limits;
  Buffer ballast(std::string(2 * kMiB, 'x'));
  EXPECT_FALSE(memory::used_up(limits));
  limits.memory_bytes = memory::held();
  EXPECT_FALSE(memory::used_up(limits));
  limits.memory_bytes -= 1;
  EXPECT_TRUE(memory::used_up(limits));
}

TEST(Memory, WindowsMayPromiseOnlyWhatBuffersLeave) {
  Limits limits;
  EXPECT_TRUE(memory::allows(limits, UINT32_MAX));
  const std::uint64_t before = memory::promised();
  limits.memory_bytes = memory::held() + before + 3 * kMiB;
  EXPECT_TRUE(memory::allows(limits, 3 * kMiB));
  EXPECT_FALSE(memory::allows(limits, 3 * kMiB + 1));
  memory::promise(2 * kMiB);
  EXPECT_EQ(memory::promised() - before, 2 * kMiB);
  EXPECT_TRUE(memory::allows(limits, kMiB));
  EXPECT_FALSE(memory::allows(limits, 2 * kMiB));
  EXPECT_FALSE(memory::used_up(limits));  // a promise takes no memory yet
  memory::take_back(2 * kMiB);
  EXPECT_EQ(memory::promised(), before);
}

}  // namespace
}  // namespace tunnel
