// SPDX-License-Identifier: Apache-2.0
// How configuration is refused: one sentence, the place it is about, and an exit status of cli.md.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include "tunnel/plan.hpp"

namespace tunnel::config {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;      // at run time
inline constexpr int kUsage = 64;      // what was typed is wrong
inline constexpr int kNoInput = 66;    // a file cannot be read
inline constexpr int kBadConfig = 78;  // a pipeline file is wrong, or the whole does not fit together

// Thrown by every parser here. `status` 0 leaves it to the reader of the source: 64 for words typed, 78 for a file.
class Refusal : public std::runtime_error {
 public:
  Refusal(plan::Place place, const std::string& text, int status = 0)
      : std::runtime_error(text), place_(std::move(place)), status_(status) {}

  plan::Problem problem() const { return {place_, what()}; }
  int status_or(int otherwise) const { return status_ != 0 ? status_ : otherwise; }

 private:
  plan::Place place_;
  int status_;
};

}  // namespace tunnel::config
