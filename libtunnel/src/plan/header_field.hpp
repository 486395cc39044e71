// SPDX-License-Identifier: Apache-2.0
// What a header field that a user adds to tunnel requests may be. Stands beside the checks the codecs make of
// everything they send, so that a fault is told when the plan is checked and not with every tunnel.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace tunnel::plan {

// All that one tunnel's fields may take (name + value + 32 a field); proxies take 8 KiB to 16 KiB in a head.
inline constexpr std::size_t kMostHeaderBytes = 8192;

// A clause, or "": `name` is a token in lower case and none of the fields that routing, framing and the connection
// depend on.
std::string field_name_fault(std::string_view name);
// The same: no control character but tab, no blank at either end.
std::string field_value_fault(std::string_view value);

// True for fields whose value is a secret: never printed, never typed.
bool is_secret_field(std::string_view name);

}  // namespace tunnel::plan
