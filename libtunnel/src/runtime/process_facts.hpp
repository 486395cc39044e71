// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this process. Reads /proc; any thread.
#pragma once
#include <cstdint>

namespace tunnel::runtime {

struct ProcessFacts {
  double cpu_seconds = 0;  // user and system
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t most_descriptors = 0;
};

// What cannot be read stays 0.
ProcessFacts process_facts();

}  // namespace tunnel::runtime
