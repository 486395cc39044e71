// SPDX-License-Identifier: Apache-2.0
// Values of options: numbers, durations, sizes, one of a few words. All throw the option's Refusal.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// A decimal number without sign.
std::uint64_t parse_number(const Given& given, std::uint64_t min, std::uint64_t max);

// The same from 1.
unsigned parse_count(const Given& given, unsigned max);

// 500ms, 10s, 5m, 1h; a plain number is seconds. At most 8760h, a year.
plan::Milliseconds parse_duration(const Given& given, plan::Milliseconds min);

// Bytes: 65536, 64K, 1M (1024 and 1048576).
std::size_t parse_size(const Given& given, std::size_t min, std::size_t max);

// The permissions of a file, in octal: 600, 0660.
unsigned parse_mode(const Given& given);

// KEY=N of the limit table.
plan::Limit parse_limit(const Given& given);

plan::LogFormat parse_log_format(const Given& given);

plan::Lb parse_lb(const Given& given);

// What the file of "@FILE" says, without the end of its last line.
std::string parse_file(const Given& given, const std::string& path);

// The name of a line, for -l internal: too.
std::string parse_name(const Given& given);

}  // namespace tunnel::config
