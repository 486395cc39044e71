// SPDX-License-Identifier: Apache-2.0
// --help: examples first, then the addresses, the options and the limits, the last two straight from their tables.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/option_table.hpp"

namespace tunnel::config {

// Plain text, lines of at most 100 columns.
std::string help_text(Program program);

// The commands of the help's examples, each as it would be typed; the tests run them through --check.
std::vector<std::string> help_examples(Program program);

// The forms of an address as the help shows them, one or more words a line of it: "[tcp:][HOST:]PORT", "internal:NAME"
// for LISTEN, and so for DIAL and PROXY; nothing for another label.
std::vector<std::string> address_forms(std::string_view label);

}  // namespace tunnel::config
