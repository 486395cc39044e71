// SPDX-License-Identifier: Apache-2.0
// Lines about things peers can cause as often as they like: the first of a kind is written at once, what follows within
// a second becomes one line with a count, at the latest when the worker ends. Of one worker.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "base/log.hpp"
#include "tunnel/loop.hpp"

namespace tunnel::log {

class Merger {
 public:
  explicit Merger(Loop& loop)
      : timer_(loop, [](void* self) noexcept { static_cast<Merger*>(self)->tell_repeats(); }, this) {}
  ~Merger() { tell_repeats(); }
  // `kind` is ours, of a small set ("NAME refused") and always of the same level; `line` may be about one peer and is
  // escaped already.
  void write(Level level, const std::string& kind, const std::string& line);

 private:
  void tell_repeats() noexcept;
  struct Repeats {
    Level level;
    std::uint64_t count;  // beyond the line that was written
  };
  std::map<std::string, Repeats> repeats_;  // by kind
  Timer timer_;
};

}  // namespace tunnel::log
