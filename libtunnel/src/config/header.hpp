// SPDX-License-Identifier: Apache-2.0
// --header 'NAME: VALUE', or 'NAME: @FILE' for what should not be typed.
#pragma once
#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// Reads the file, if one is named: its text without the newline at its end. Throws the option's Refusal, which for a
// field that holds secrets does not repeat the value.
plan::Header parse_header(const Given& given);

}  // namespace tunnel::config
