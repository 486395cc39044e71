// SPDX-License-Identifier: Apache-2.0
// How many cores this process may run on.
#pragma once
#include <sched.h>

#include <algorithm>

namespace tunnel {

// At least 1.
inline unsigned allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(std::max(1, CPU_COUNT(&set))) : 1U;
}

}  // namespace tunnel
