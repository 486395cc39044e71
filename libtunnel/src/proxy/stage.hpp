// SPDX-License-Identifier: Apache-2.0
// What one worker makes of a plan: clusters, a handler a listener, the registry of internal listeners, and the list of
// what is connected. Knows no socket and no thread: whoever owns it hands accepted streams to the handlers.
#pragma once
#include <memory>
#include <vector>

#include "net/internal_registry.hpp"
#include "net/network.hpp"
#include "proxy/connection_list.hpp"
#include "proxy/embedded.hpp"
#include "proxy/environment.hpp"
#include "proxy/handler.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::proxy {

class Stage {
 public:
  // References outlive the stage; `shared` has a key for every listener of the plan and a handler for every custom one,
  // `stats` is made from the plan.
  Stage(const Context& context, const plan::Plan& plan, net::Network& network, RecordSink& records, Shared& shared,
        PlanStats& stats);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Handler& handler(std::size_t listener) { return *handlers_[listener]; }  // index in Plan::listeners
  Environment& environment() { return environment_; }
  net::InternalRegistry& registry() { return registry_; }
  ConnectionList& connections() { return connections_; }
  Embedded& embedded() { return embedded_; }

  // Nothing new: lets connections end for `patience`, resets the rest, returns when nothing is left and says how many
  // were reset. Accepting must have stopped. Once.
  Task<std::size_t> drain(Duration patience);

 private:
  bool all_pools_empty() const;
  bool empty() const { return connections_.empty() && all_pools_empty() && embedded_.empty(); }
  void cut() noexcept;

  net::InternalRegistry registry_;
  ConnectionList connections_;
  log::Merger refusals_;
  Environment environment_;
  Embedded embedded_;
  Notify pools_empty_;
  std::vector<std::unique_ptr<Handler>> handlers_;
  Timer deadline_;
  std::size_t cut_connections_ = 0;
};

}  // namespace tunnel::proxy
