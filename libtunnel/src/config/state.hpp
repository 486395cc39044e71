// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// --state "KEY=VALUE", "once:KEY=VALUE" or "none:KEY=VALUE": how far it goes; without a word over every hop.
plan::State parse_state(const Given& given);

}  // namespace tunnel::config
