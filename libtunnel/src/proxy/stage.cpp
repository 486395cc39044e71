// SPDX-License-Identifier: Apache-2.0
#include "proxy/stage.hpp"

#include <algorithm>

namespace tunnel::proxy {

Stage::Stage(const Context& context, const plan::Plan& plan, net::Network& network, RecordSink& records, Shared& shared)
    : registry_(context),
      connections_(context.loop),
      refusals_(context.loop),
      environment_{context, network, registry_, records, shared, connections_, refusals_, plan.process.force_pairs,
                   false,   {}},
      pools_empty_(context.loop),
      deadline_(context.loop, [](void* self) noexcept { static_cast<Stage*>(self)->cut(); }, this) {
  for (const plan::Cluster& cluster : plan.clusters) {
    auto& made = environment_.clusters[cluster.name] = std::make_unique<Cluster>(environment_, cluster);
    made->pool().on_empty(&pools_empty_);
  }
  for (const plan::Listener& listener : plan.listeners) {
    handlers_.push_back(make_handler(environment_, listener));
    for (const plan::Address& address : listener.addresses)
      if (const auto* internal = std::get_if<plan::Internal>(&address))
        registry_.add(internal->listener, *handlers_.back());
  }
}

bool Stage::all_pools_empty() const {
  return std::all_of(environment_.clusters.begin(), environment_.clusters.end(),
                     [](const auto& cluster) { return cluster.second->pool().empty(); });
}

// Let go; cut at the deadline. Each step is one wait.
Task<std::size_t> Stage::drain(Duration patience) {
  environment_.draining = true;
  connections_.drain();
  for (auto& [name, cluster] : environment_.clusters) cluster->pool().close();
  deadline_.arm_after(patience);
  while (!connections_.empty()) co_await connections_.became_empty().wait();
  while (!all_pools_empty()) co_await pools_empty_.wait();
  deadline_.disarm();
  co_return cut_connections_;
}

void Stage::cut() noexcept {
  const Error reason(Error::Kind::shutdown, "the drain time is over");
  const std::size_t count = connections_.abort(reason);
  cut_connections_ += count;
  environment_.context.counters.add(Counter::drain_aborts, count);
  for (auto& [name, cluster] : environment_.clusters) cluster->pool().abort(reason);
  // What was just being accepted or dialled may turn up after this.
  if (!connections_.empty() || !all_pools_empty()) deadline_.arm_after(std::chrono::milliseconds(100));
}

}  // namespace tunnel::proxy
