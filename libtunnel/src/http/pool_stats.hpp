// SPDX-License-Identifier: Apache-2.0
// What one worker's pools of a cluster hold now, and what they had; written by that worker, read by any thread.
#pragma once
#include "base/counters.hpp"

namespace tunnel::http {

struct PoolStats {
  Cell connections;
  Cell exchanges;        // on them
  Cell exchanges_begun;  // ever
};

}  // namespace tunnel::http
