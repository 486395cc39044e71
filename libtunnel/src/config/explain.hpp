// SPDX-License-Identifier: Apache-2.0
// --explain: a Plan told as the way of a connection, hop by hop, with everything that applies to it there and whether
// it was given or is the default. Given means: another value than the default's; the Plan does not know who wrote it.
// No secret is shown: of the fields a tunnel adds, the names only.
#pragma once
#include <string>

#include "tunnel/plan.hpp"

namespace tunnel::config {

struct ExplainStyle {
  bool colour = false;
  bool unicode = false;
  unsigned cores = 1;  // workers there are if the plan does not say
};

// From `only` on, or (nullptr) from every listener with an address outside of this process.
std::string explain(const plan::Plan& plan, const plan::Listener* only, const ExplainStyle& style);

// The listener somebody means by its name, by an address as -l takes it, or by its port alone; nullptr: there is none.
const plan::Listener* listener_called(const plan::Plan& plan, const std::string& text);

}  // namespace tunnel::config
