// SPDX-License-Identifier: Apache-2.0
// The Date field (RFC 9110 section 5.6.7), made once a second and thread. The wall clock, not a loop's.
#pragma once
#include <ctime>
#include <string>
#include <string_view>

namespace tunnel::http {

// "Sun, 06 Nov 1994 08:49:37 GMT" for now. Valid until the next call on the same thread.
std::string_view current_date();
std::string format_date(std::time_t when);

}  // namespace tunnel::http
