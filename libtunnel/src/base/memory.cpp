// SPDX-License-Identifier: Apache-2.0
#include "base/memory.hpp"

#include <new>

namespace tunnel::memory {
namespace {

// Never freed: one for each thread there ever was at a time, given on from thread to thread with what it says.
std::atomic<Part*> parts{nullptr};
// For a thread whose end has begun: its part is another's by now.
Part late;
thread_local bool ended = false;

struct GivesBack {
  bool armed = false;
  ~GivesBack() {
    if (own_part != nullptr && own_part != &late) own_part->taken.store(false, std::memory_order_release);
    own_part = nullptr;
    ended = true;
  }
};
thread_local GivesBack gives_back;

// The parts are read one after the other: bytes that change threads meanwhile may be seen going and not coming.
std::uint64_t sum(std::atomic<std::uint64_t> Part::* of) noexcept {
  std::uint64_t all = (late.*of).load(std::memory_order_relaxed);
  for (const Part* one = parts.load(std::memory_order_acquire); one != nullptr; one = one->next)
    all += (one->*of).load(std::memory_order_relaxed);
  return static_cast<std::int64_t>(all) < 0 ? 0 : all;
}

}  // namespace

Part& take_part() noexcept {
  if (ended) return *(own_part = &late);
  gives_back.armed = true;  // from here on it is destroyed with the thread
  for (Part* one = parts.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    bool taken = false;
    if (one->taken.compare_exchange_strong(taken, true, std::memory_order_acquire)) return *(own_part = one);
  }
  auto* made = new (std::nothrow) Part;
  if (made == nullptr) return *(own_part = &late);
  made->next = parts.load(std::memory_order_relaxed);
  while (!parts.compare_exchange_weak(made->next, made, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return *(own_part = made);
}

std::uint64_t held() noexcept { return sum(&Part::held); }
std::uint64_t promised() noexcept { return sum(&Part::promised); }

}  // namespace tunnel::memory
