// SPDX-License-Identifier: Apache-2.0
// Lines about things peers can cause as often as they like: the first of a kind is written at once, what follows within
// a second becomes one line with a count. Of one worker.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "base/loop.hpp"

namespace tunnel::log {

class Merger {
 public:
  explicit Merger(Loop& loop)
      : timer_(loop, [](void* self) noexcept { static_cast<Merger*>(self)->second_over(); }, this) {}
  // At info level. `kind` is ours and of a small set ("NAME refused"); `line` may be about one peer and is escaped
  // already.
  void info(const std::string& kind, const std::string& line);

 private:
  void second_over() noexcept;
  std::map<std::string, std::uint64_t> repeats_;  // by kind, beyond the line that was written
  Timer timer_;
};

}  // namespace tunnel::log
