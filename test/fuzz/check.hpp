// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: a claim that ends the run when it does not hold, and the memory an input may take.
#pragma once
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tunnel::fuzz {

inline void require(bool holds, std::string_view claim) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(claim.size()), claim.data());
  std::abort();
}

// Counts the bytes the program's allocations hold, without what the sanitizers add to them (which is why the resident
// memory of a fuzz target says nothing), and tells at exit the most an input took. A static of the target's entry.
class MemoryWatch {
 public:
  MemoryWatch() {
    require(__sanitizer_install_malloc_and_free_hooks(&MemoryWatch::taken, &MemoryWatch::given_back) != 0,
            "allocations can be counted");
    std::atexit([] { std::fprintf(stderr, "most memory of an input: %lld bytes\n", static_cast<long long>(most_)); });
  }

  // For one input: at most `most` bytes above what is held now, at any time.
  class Guard {
   public:
    explicit Guard(std::size_t most) {
      base_ = held_.load();
      limit_ = static_cast<std::int64_t>(most);
      watching_ = true;
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { watching_ = false; }
  };

 private:
  static void taken(const volatile void* /*block*/, std::size_t bytes) {
    const std::int64_t now = held_ += static_cast<std::int64_t>(bytes);
    if (!watching_) return;
    most_ = std::max(most_, now - base_);
    if (now - base_ <= limit_) return;
    watching_ = false;  // what follows needs some
    require(false, "an input takes no more memory than that");
  }
  static void given_back(const volatile void* block) {
    if (block != nullptr)
      held_ -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(block)));
  }
  // Signed: blocks from before the watch are given back, too.
  static inline std::atomic<std::int64_t> held_ = 0;
  static inline std::int64_t base_ = 0;
  static inline std::int64_t limit_ = 0;
  static inline std::int64_t most_ = 0;
  static inline bool watching_ = false;
};

}  // namespace tunnel::fuzz
