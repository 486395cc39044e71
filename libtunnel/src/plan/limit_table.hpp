// SPDX-License-Identifier: Apache-2.0
// The one table of `--limit KEY=N`: parsing, --help, check() and the running process all read it. Every field of
// tunnel::Limits a user may set has a row; the row's default is the field's initialiser.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::plan {

struct LimitKey {
  std::string_view key;
  std::string_view unit;  // "ms", "s", "bytes", or "" for a count
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  std::string_view help;
  std::uint64_t (*get)(const Limits&) = nullptr;
  void (*set)(Limits&, std::uint64_t) = nullptr;  // `value` lies within min..max
};

// In the order --help prints it. Static storage.
std::span<const LimitKey> limit_table();

const LimitKey* find_limit(std::string_view key);
std::vector<std::string> limit_keys();

// Why KEY=value cannot be, with the remedy; "" if it can.
std::string limit_fault(std::string_view key, std::uint64_t value);

// The defaults with the process's --limit values laid over them. Throws std::invalid_argument for a value that check()
// would have refused.
Limits limits_of(const Process& process);

}  // namespace tunnel::plan
