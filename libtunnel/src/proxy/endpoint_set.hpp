// SPDX-License-Identifier: Apache-2.0
// The endpoints of one cluster and worker: which one a connect takes next, and which are set aside because connecting
// to them failed. It only decides and remembers; EndpointRace connects. Nobody is probed: what connects on behalf of
// clients meet is all that is known.
//
// An endpoint that is set aside is left out for limits.aside, and after every further failure for twice as long, up to
// limits.aside_most. When that time is over one connect tries it, and the others leave it out until that one knows
// more. Nobody is refused for what is remembered: with nothing else left, the endpoint due soonest is taken.
//
// Where a part of the endpoint comes from what is connected (internal:NAME/@authority), a client chooses what fails,
// and would choose for others: such an endpoint is set aside only if nobody serves its listener.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.hpp"
#include "proxy/endpoint_board.hpp"
#include "proxy/plan_stats.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::proxy {

class EndpointSet {
 public:
  // One try to connect. Ends with succeeded(), failed() or given_up().
  struct Pick {
    std::size_t index = 0;
    TimePoint begun;
    bool on_trial = false;             // the endpoint was set aside, and is due
    std::shared_ptr<const void> held;  // to be kept with the connection: the endpoint has as many open as are held
  };

  // `first`: where round robin begins, so that workers do not begin alike. Board and stats outlive the set.
  EndpointSet(const Context& context, const plan::Cluster& plan, EndpointBoard& board, ClusterStats& stats,
              std::size_t first);

  std::size_t size() const { return endpoints_.size(); }

  // The next endpoint for a connect that tried those marked in `tried` (one an endpoint) and marks this one too;
  // nothing if it tried all.
  std::optional<Pick> pick(std::vector<bool>& tried);
  void succeeded(const Pick& pick);
  void failed(const Pick& pick, const Error& why);
  // It ended for reasons that say nothing about the endpoint.
  void given_up(const Pick& pick);

  std::size_t open(std::size_t index) const;
  bool set_aside(std::size_t index) const { return endpoints_[index]->aside > Duration(); }

 private:
  struct Endpoint {
    std::string name;       // for the log
    bool whole = true;      // as written: no part comes from what is connected
    Duration aside{};       // 0: not set aside
    TimePoint due{};        // until then
    bool on_trial = false;  // a connect tries it after that
    TimePoint succeeded{};  // last
  };

  std::optional<std::size_t> best_usable(const std::vector<bool>& tried) const;
  std::optional<std::size_t> due_soonest(const std::vector<bool>& tried) const;
  bool usable(const Endpoint& endpoint) const;
  void put_aside(std::size_t index, const Error& why);

  Context context_;
  std::string cluster_;
  plan::Lb lb_;
  EndpointBoard& board_;
  ClusterStats& stats_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::size_t next_;  // where round robin looks first
};

}  // namespace tunnel::proxy
