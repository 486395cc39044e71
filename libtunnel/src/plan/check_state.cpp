// SPDX-License-Identifier: Apache-2.0
#include "plan/check_state.hpp"

#include <algorithm>
#include <variant>

#include "plan/connection_format.hpp"
#include "plan/state.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

bool listens_outside(const Listener& listener) {
  return std::any_of(listener.addresses.begin(), listener.addresses.end(),
                     [](const Address& address) { return !std::holds_alternative<Internal>(address); });
}

// Whether a connection of `listener` may have an object under `key`: it is set there, or comes along.
bool may_be_set(const Plan& plan, const Listener& listener, const std::string& key) {
  return std::any_of(plan.listeners.begin(), plan.listeners.end(), [&](const Listener& other) {
    return std::any_of(other.state.begin(), other.state.end(), [&](const State& state) {
      return state.key == key && (other.name == listener.name || state.share != StateShare::none);
    });
  });
}

bool sets_shared(const Listener& listener) {
  return std::any_of(listener.state.begin(), listener.state.end(),
                     [](const State& state) { return state.share != StateShare::none; });
}

std::string remedy(const Listener& listener, const std::string& key) {
  if (listener.place.notation == Notation::envoy) return "; set it with a filter set_filter_state, shared or here";
  return "; write --state " + in_quotes(key + "=VALUE") + " here or on a line before";
}

}  // namespace

void check_format(const Plan& plan, const Listener& listener, const std::string& what, const std::string& text,
                  std::vector<Problem>& problems) {
  const ConnectionFormat format = parse_connection_format(text);
  const std::string who = "listener " + listener.name + ": " + what + ": ";
  const auto say = [&](const std::string& clause) { problems.push_back({listener.place, who + clause}); };
  const bool outside = listens_outside(listener);
  if (outside && has_operator(format, Operator::metadata))
    say("metadata comes with connections to an internal listener only, and this one listens on something else");
  const bool wants_id = has_operator(format, Operator::endpoint_id) || has_operator(format, Operator::direct_id);
  if (outside && what == "target" && wants_id)
    say("an endpoint id comes with connections to an internal listener only, and this one listens on something else");
  for (const ConnectionPart& part : format)
    if (part.op == Operator::state && !may_be_set(plan, listener, part.key))
      say("nothing sets the filter state " + in_quotes(part.key) + remedy(listener, part.key));
}

void check_state(const Plan& plan, std::vector<Problem>& problems) {
  for (const Listener& listener : plan.listeners) {
    for (const State& state : listener.state) {
      const std::string what = "filter state " + in_quotes(state.key);
      const std::string who = "listener " + listener.name + ": " + what + ": ";
      if (const std::string fault = state_fault(state); !fault.empty())
        problems.push_back({listener.place, who + fault});
      else
        check_format(plan, listener, what, state.value, problems);
    }
  }
  const bool shares = std::any_of(plan.listeners.begin(), plan.listeners.end(), &sets_shared);
  for (const Cluster& cluster : plan.clusters) {
    if (!cluster.passes_state) continue;
    const bool inside = std::any_of(cluster.endpoints.begin(), cluster.endpoints.end(), [](const Endpoint& endpoint) {
      return std::holds_alternative<Internal>(endpoint.address);
    });
    const std::string who = "cluster " + cluster.name + ": ";
    if (!inside)
      problems.push_back(
          {cluster.place, who + "only a connection to an internal listener can bring filter state along"});
    if (cluster.pool.prewarm > 0 && shares)
      problems.push_back({cluster.place, who + "nobody knows beforehand which filter state will come along; leave out "
                                               "prewarm"});
  }
}

}  // namespace tunnel::plan
