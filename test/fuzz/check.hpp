// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: a claim that ends the run when it does not hold, and the memory an input may take.
#pragma once
#include <sanitizer/allocator_interface.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tunnel::fuzz {

inline void require(bool holds, std::string_view claim) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(claim.size()), claim.data());
  std::abort();
}

// Counts the bytes this program's allocations hold, without what the sanitizers add to them. One while it is main.
class MemoryWatch {
 public:
  MemoryWatch() { __sanitizer_install_malloc_and_free_hooks(&MemoryWatch::taken, &MemoryWatch::given_back); }

  // For one input: at most `most` bytes above what is held now, at any time.
  class Guard {
   public:
    explicit Guard(std::size_t most) { limit_ = held_ + most; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { limit_ = kNoLimit; }
  };

 private:
  static constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);
  static void taken(const volatile void* /*block*/, std::size_t bytes) {
    held_ += bytes;
    if (held_ > limit_) {
      limit_ = kNoLimit;  // what follows needs some
      require(false, "an input takes no more memory than that");
    }
  }
  static void given_back(const volatile void* block) {
    if (block != nullptr) held_ -= __sanitizer_get_allocated_size(const_cast<const void*>(block));
  }
  static inline std::atomic<std::size_t> held_ = 0;
  static inline std::atomic<std::size_t> limit_ = kNoLimit;
};

}  // namespace tunnel::fuzz
