// SPDX-License-Identifier: Apache-2.0
// The part of check() that is about the process: its limits and its admin server.
#pragma once
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

void check_process(const Plan& plan, std::vector<Problem>& problems);

}  // namespace tunnel::plan
