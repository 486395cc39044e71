// SPDX-License-Identifier: Apache-2.0
// A static Envoy bootstrap, in YAML or JSON, as a Plan; mapping.hpp says what becomes what.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "envoy/defaults.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

struct Loaded {
  // What stands in the file, yet to be judged by plan::check(); of the process, only `admin`. Where something is wrong
  // with a listener or a cluster, another of the same name stands for it.
  std::vector<plan::Listener> listeners;
  std::vector<plan::Cluster> clusters;
  std::optional<plan::Address> admin;
  plan::Place admin_place;
  std::vector<plan::Problem> problems;  // in the order of the file; empty: all of it was understood
  bool names_known = true;              // of all its listeners
};

// `name` is the file's, for the places.
Loaded load(const std::string& text, const std::string& name, const Defaults& defaults = {});

}  // namespace tunnel::envoy
