// SPDX-License-Identifier: Apache-2.0
// Random plans for tests of what prints, writes or reads one: listeners that lead to each other in every way the schema
// knows, never in a circle, with values far from the defaults. The same seed gives the same plan. Nothing here is meant
// to be run: hosts do not exist, files are not there.
#pragma once
#include <cstdint>

#include "tunnel/plan.hpp"

namespace tunnel::test {

struct PlanTaste {
  unsigned most_listeners = 8;
  bool unix_sockets = true;
  bool handed_over = true;        // stdio, descriptors, sockets of systemd
  bool several_endpoints = true;  // of a cluster
  bool found_targets = true;      // tunnels to @authority, @endpoint, @orig-dst
};

plan::Plan random_plan(std::uint64_t seed, const PlanTaste& taste = {});

}  // namespace tunnel::test
