// SPDX-License-Identifier: Apache-2.0
// A Plan as a bootstrap configuration of Envoy 1.40, in YAML. What becomes of each field: export_table.hpp.
#pragma once
#include <string>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::envoy {

struct Exported {
  std::string text;                     // only if `problems` is empty
  std::vector<plan::Problem> problems;  // fields that fail, or are lossy without `lossy`
  std::vector<std::string> losses{};    // what the comments of `text` say is left out
};

// `plan` has passed plan::check(). `lossy`: what Envoy has no field for is left out, with a comment for each.
Exported export_plan(const plan::Plan& plan, bool lossy);

}  // namespace tunnel::envoy
