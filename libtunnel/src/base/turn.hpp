// SPDX-License-Identifier: Apache-2.0
// Turn: how much one coroutine does before everything else that is ready on its loop. A peer as fast as we are leaves
// no gap in which the others would get on by themselves.
#pragma once
#include <cstddef>

namespace tunnel {

class Turn {
 public:
  // Counts one round, and what it moved; true if the others come next: then `co_await yield(loop)`.
  bool over(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ < kBytes && ++rounds_ < kRounds) return false;
    restart();
    return true;
  }
  // After a wait, in which the others got on.
  void restart() {
    bytes_ = 0;
    rounds_ = 0;
  }

 private:
  static constexpr std::size_t kBytes = 262144;  // some 50 us of copying
  static constexpr unsigned kRounds = 16;        // of a few system calls each, however little they move
  std::size_t bytes_ = 0;
  unsigned rounds_ = 0;
};

}  // namespace tunnel
