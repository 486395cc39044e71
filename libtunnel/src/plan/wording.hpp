// SPDX-License-Identifier: Apache-2.0
// The wording every refusal shares: quoted input, the nearest known name, a place. Pure functions, safe from any
// thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// `text` in single quotes, fit for one line of a terminal: control bytes and bytes above 0x7e as \xNN, cut after 80
// bytes.
std::string in_quotes(std::string_view text);

// The member of `known` nearest to `word` by edits (insert, delete, replace, swap of neighbours); "" if none is near
// enough to be a slip of the finger.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// ", did you mean X?" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

// 90s, 5m, 2h, 1500ms.
std::string duration_text(Milliseconds duration);

// "file:line:column", or "" for what was typed on the command line itself (line 0).
std::string to_string(const Place& place);

}  // namespace tunnel::plan
