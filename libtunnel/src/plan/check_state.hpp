// SPDX-License-Identifier: Apache-2.0
// The part of check() that judges filter state, and what formats take from connections: it must be there.
#pragma once
#include <string>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// What listeners set and clusters pass on.
void check_state(const Plan& plan, std::vector<Problem>& problems);

// A format without a fault of `listener`, called `what`, a "target" among them. In a target all that it takes is
// needed; a header without a value is left out, but one that never has one is a mistake.
void check_format(const Plan& plan, const Listener& listener, const std::string& what, const std::string& text,
                  std::vector<Problem>& problems);

}  // namespace tunnel::plan
