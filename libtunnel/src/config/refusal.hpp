// SPDX-License-Identifier: Apache-2.0
// How configuration is refused: one sentence, the place it is about, and an exit status (sysexits.h); and how several
// refusals are gathered, so that all are told at once.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

  const plan::Place& place() const { return place_; }
  plan::Problem problem() const { return {place_, what()}; }
  int status_or(int otherwise) const { return status_ != 0 ? status_ : otherwise; }

 private:
  plan::Place place_;
  int status_;
};

// What is wrong with one source: a step that is refused is noted, and reading goes on behind it.
class Faults {
 public:
  // `status`: of the refusals that leave it open.
  explicit Faults(int status) : status_(status) {}

  // Whether `step` was not refused.
  template <class Step>
  bool attempt(const Step& step) {
    try {
      step();
      return true;
    } catch (const Refusal& refusal) {
      add(refusal);
      return false;
    }
  }

  void add(const Refusal& refusal);
  // Moves everything of `other` here; what it leaves open has this one's status.
  void take(Faults& other);
  std::size_t count() const { return refusals_.size(); }
  bool empty() const { return refusals_.empty(); }

  // Moves everything to the end of `problems` and sets `status`, if it was 0, to that of the first.
  void tell(std::vector<plan::Problem>& problems, int& status);

 private:
  int status_;
  std::vector<Refusal> refusals_;  // in the order of their lines and columns
};

}  // namespace tunnel::config
