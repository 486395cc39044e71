// SPDX-License-Identifier: Apache-2.0
// Pieces of plans for tests of what judges plans, each with a place, and its verdict as one text.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "plan/wording.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::plan {

inline Place at(int line) { return {"t.tun", line, 1}; }

inline Listener listener(const std::string& name, Address address, Handler handler, int line = 1) {
  Listener made;
  made.name = name;
  made.place = at(line);
  made.addresses.push_back(std::move(address));
  made.handler = std::move(handler);
  return made;
}

inline Listener inside(const std::string& name, Handler handler, int line = 1) {
  return listener(name, Internal{name, ""}, std::move(handler), line);
}

inline Cluster cluster(const std::string& name, Address address, int line = 1) {
  Cluster made;
  made.name = name;
  made.place = at(line);
  made.endpoints.push_back({std::move(address)});
  return made;
}

inline HttpProxy with_route(Route route) {
  HttpProxy proxy;
  proxy.routes.push_back(std::move(route));
  return proxy;
}

inline std::string all(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) text += to_string(problem.place) + ": " + problem.text + "\n";
  return text;
}

}  // namespace tunnel::plan
