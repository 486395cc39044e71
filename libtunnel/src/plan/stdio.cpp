// SPDX-License-Identifier: Apache-2.0
#include "plan/stdio.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

bool is_stdio(const Address& address) { return std::holds_alternative<Stdio>(address); }
bool is_internal(const Address& address) { return std::holds_alternative<Internal>(address); }

bool has_stdio(const Listener& listener) {
  return std::any_of(listener.addresses.begin(), listener.addresses.end(), is_stdio);
}

bool only_inside(const Listener& listener) {
  return std::all_of(listener.addresses.begin(), listener.addresses.end(), is_internal);
}

std::string first_at(const Place& place) {
  const std::string where = to_string(place);
  return where.empty() ? "" : " (the first at " + where + ")";
}

// A line may be several listeners, which have its settings: a fault of those is told once.
void check_access_logs(const Plan& plan, std::vector<Problem>& problems) {
  std::set<std::pair<std::string, int>> told;
  for (const Listener& listener : plan.listeners) {
    if (listener.access_log != "-" || !told.insert({listener.place.file, listener.place.line}).second) continue;
    problems.push_back({listener.place, "listener " + listener.name +
                                            ": the access log cannot go to standard output, which is a connection's "
                                            "(-l -); name a file"});
  }
}

}  // namespace

const Listener* stdio_listener(const Plan& plan) {
  const auto found = std::find_if(plan.listeners.begin(), plan.listeners.end(), has_stdio);
  return found == plan.listeners.end() ? nullptr : &*found;
}

std::vector<Problem> check_stdio(const Plan& plan) {
  std::vector<Problem> problems;
  const Listener* first = stdio_listener(plan);
  if (first == nullptr) return problems;
  bool others = false;
  for (const Listener& listener : plan.listeners) {
    if (!has_stdio(listener)) {
      others = others || !only_inside(listener);
      continue;
    }
    if (listener.addresses.size() > 1)
      problems.push_back(
          {listener.place, "listener " + listener.name + ": standard input and output stand alone in their listener"});
    if (&listener != first)
      problems.push_back({listener.place, "standard input and output are one connection, and " + first->name +
                                              " has it" + first_at(first->place) + "; listen elsewhere"});
  }
  check_access_logs(plan, problems);
  if (plan.process.workers > 1 && !others)
    problems.push_back({{}, "one connection keeps one worker busy; leave out --workers"});
  return problems;
}

}  // namespace tunnel::plan
