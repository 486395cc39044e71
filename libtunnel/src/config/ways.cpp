// SPDX-License-Identifier: Apache-2.0
#include "config/ways.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "config/describe.hpp"

namespace tunnel::config {
namespace {

void shorten(Bound& bound, plan::Milliseconds time, std::size_t step) {
  if (time != plan::Milliseconds::zero() && (bound.step == 0 || time < bound.time)) bound = {time, step};
}

void shorten(Bounds& bounds, const plan::Listener& listener, std::size_t step) {
  shorten(bounds.idle, listener.idle_timeout, step);
  shorten(bounds.half_close, listener.half_close_timeout, step);
  shorten(bounds.lifetime, listener.max_lifetime, step);
}

}  // namespace

void Ways::add(const plan::Listener& start) {
  std::vector<std::pair<const plan::Listener*, Bounds>> next{{&start, {}}};
  while (!next.empty()) {
    auto [listener, bounds] = next.back();
    next.pop_back();
    const std::size_t step = steps_.size() + 1;
    if (!number_.try_emplace(listener, step).second) continue;
    steps_.push_back(listener);
    before_[listener] = bounds;
    shorten(bounds, *listener, step);
    std::vector<std::pair<const plan::Listener*, Bounds>> behind;
    for (const plan::Cluster* cluster : clusters_of(plan_, listener->handler)) {
      Bounds further = bounds;
      shorten(further.connect, cluster->connect_timeout, step);
      for (const plan::Listener* to : inside(*cluster)) behind.emplace_back(to, further);
    }
    next.insert(next.end(), behind.rbegin(), behind.rend());
  }
}

std::size_t Ways::step_of(const plan::Listener& listener) const {
  const auto found = number_.find(&listener);
  return found == number_.end() ? 0 : found->second;
}

Bounds Ways::from(const plan::Listener& start) const {
  Bounds least;
  std::vector<const plan::Listener*> next{&start};
  std::set<const plan::Listener*> seen;
  while (!next.empty()) {
    const plan::Listener* listener = next.back();
    next.pop_back();
    if (!seen.insert(listener).second) continue;
    shorten(least, *listener, step_of(*listener));
    for (const plan::Cluster* cluster : clusters_of(plan_, listener->handler)) {
      shorten(least.connect, cluster->connect_timeout, step_of(*listener));
      for (const plan::Listener* to : inside(*cluster)) next.push_back(to);
    }
  }
  return least;
}

std::vector<const plan::Listener*> Ways::inside(const plan::Cluster& cluster) const {
  std::vector<const plan::Listener*> found;
  for (const plan::Endpoint& endpoint : cluster.endpoints) {
    if (!std::holds_alternative<plan::Internal>(endpoint.address)) continue;
    for (const plan::Listener* listener : listeners_at(plan_, endpoint.address)) found.push_back(listener);
  }
  return found;
}

bool is_internal(const plan::Listener& listener) {
  return !listener.addresses.empty() && std::holds_alternative<plan::Internal>(listener.addresses.front());
}

std::vector<const plan::Cluster*> clusters_of(const plan::Plan& plan, const plan::Handler& handler) {
  std::vector<const plan::Cluster*> found;
  const auto add = [&](const std::string& name) {
    const plan::Cluster* cluster = find_cluster(plan, name);
    if (cluster != nullptr && std::find(found.begin(), found.end(), cluster) == found.end()) found.push_back(cluster);
  };
  if (const auto* relay = std::get_if<plan::TcpProxy>(&handler)) add(relay->cluster);
  if (const auto* http = std::get_if<plan::HttpProxy>(&handler)) {
    for (const plan::Route& route : http->routes) {
      if (const auto* forward = std::get_if<plan::Forward>(&route.action)) add(forward->cluster);
      if (const auto* end = std::get_if<plan::Terminate>(&route.action)) add(end->cluster);
    }
  }
  return found;
}

}  // namespace tunnel::config
