// SPDX-License-Identifier: Apache-2.0
// The part of check() that is about tunnels and endpoint ids: what stands in them, and whether what is to be taken from
// a connection can be there at all.
#pragma once
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

void check_tunnels(const Plan& plan, std::vector<Problem>& problems);

}  // namespace tunnel::plan
