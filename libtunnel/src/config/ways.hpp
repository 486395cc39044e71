// SPDX-License-Identifier: Apache-2.0
// The ways connections take through the listeners of a Plan, as numbered steps, and the times that run out on them.
// Refers to the Plan, which must stay.
#pragma once
#include <cstddef>
#include <map>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::config {

// The shortest of several times, and the step that has it. 0: none of them has one.
struct Bound {
  plan::Milliseconds time{0};
  std::size_t step = 0;
};

struct Bounds {
  Bound connect;
  Bound idle;
  Bound half_close;
  Bound lifetime;
};

class Ways {
 public:
  explicit Ways(const plan::Plan& plan) : plan_(plan) {}

  // Numbers `start`, then what it leads to inside the process, each way to its end, if they have no number yet. What is
  // reached over a socket, though of this process, is a way of its own.
  void add(const plan::Listener& start);

  const std::vector<const plan::Listener*>& steps() const { return steps_; }  // the first is step 1
  std::size_t step_of(const plan::Listener& listener) const;                  // 0: it has none
  // Of the steps before it, on the way it was first reached by.
  const Bounds& before(const plan::Listener& listener) const { return before_.at(&listener); }
  // Of all steps from `start` on, itself among them.
  Bounds from(const plan::Listener& start) const;

 private:
  std::vector<const plan::Listener*> inside(const plan::Cluster& cluster) const;

  const plan::Plan& plan_;
  std::vector<const plan::Listener*> steps_;
  std::map<const plan::Listener*, std::size_t> number_;
  std::map<const plan::Listener*, Bounds> before_;
};

bool is_internal(const plan::Listener& listener);

// The clusters a handler leads to, in order, each once.
std::vector<const plan::Cluster*> clusters_of(const plan::Plan& plan, const plan::Handler& handler);

}  // namespace tunnel::config
