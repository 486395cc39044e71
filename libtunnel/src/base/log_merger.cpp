// SPDX-License-Identifier: Apache-2.0
#include "base/log_merger.hpp"

namespace tunnel::log {

void Merger::write(Level level, const std::string& kind, const std::string& line) {
  if (!enabled(level)) return;
  const auto [entry, first] = repeats_.try_emplace(kind, Repeats{level, 0});
  if (!first) {
    ++entry->second.count;
    return;
  }
  log::write(level, line);
  if (!timer_.armed()) timer_.arm_after(std::chrono::seconds(1));
}

void Merger::tell_repeats() noexcept {
  for (const auto& [kind, more] : repeats_)
    if (more.count > 0) log::write(more.level, fmt::format("{}: {} more within a second", kind, more.count));
  repeats_.clear();
}

}  // namespace tunnel::log
