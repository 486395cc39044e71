// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// --access-log. Throws the option's Refusal, as the other does.
std::string parse_access_log(const Given& given);

// --access-log-format: text with operators, which is a line each, a JSON object of such texts, or @FILE with one of
// them.
plan::AccessFormat parse_access_format(const Given& given);

}  // namespace tunnel::config
