// SPDX-License-Identifier: Apache-2.0
// Memory that peers can make grow, summed over all threads of the process: what buffers hold, and what windows of
// HTTP/2 have grown by. A thread adds to its own part without a locked operation; whoever asks sums the parts.
#pragma once
#include <atomic>
#include <cstdint>

#include "base/limits.hpp"

namespace tunnel::memory {

// What one thread has added. Freed on another thread than it was taken, bytes make one part wrap: only the sum counts.
struct alignas(64) Part {
  std::atomic<std::uint64_t> held{0};
  std::atomic<std::uint64_t> promised{0};
  std::atomic<bool> taken{true};
  Part* next = nullptr;

  static void add(std::atomic<std::uint64_t>& sum, std::uint64_t change) noexcept {
    sum.store(sum.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }
};

// This thread's.
Part& take_part() noexcept;
inline constinit thread_local Part* own_part = nullptr;
inline Part& part() noexcept { return own_part != nullptr ? *own_part : take_part(); }

inline void hold(std::uint64_t bytes) noexcept { Part::add(part().held, bytes); }
inline void let_go(std::uint64_t bytes) noexcept { Part::add(part().held, -bytes); }
inline void promise(std::uint64_t bytes) noexcept { Part::add(part().promised, bytes); }
inline void take_back(std::uint64_t bytes) noexcept { Part::add(part().promised, -bytes); }

// Any thread.
std::uint64_t held() noexcept;
std::uint64_t promised() noexcept;

// Nothing new may come: buffers hold more than --mem-limit.
inline bool used_up(const Limits& limits) noexcept { return limits.memory_bytes > 0 && held() > limits.memory_bytes; }
// A window may grow by `bytes`: buffers would still be within the limit if everything promised came at once.
inline bool allows(const Limits& limits, std::uint64_t bytes) noexcept {
  return limits.memory_bytes == 0 || held() + promised() + bytes <= limits.memory_bytes;
}

}  // namespace tunnel::memory
