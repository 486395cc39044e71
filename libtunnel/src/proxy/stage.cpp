// SPDX-License-Identifier: Apache-2.0
#include "proxy/stage.hpp"

#include <algorithm>

#include "plan/references.hpp"

namespace tunnel::proxy {

Stage::Stage(const Context& context, const plan::Plan& plan, net::Network& network, RecordSink& records, Shared& shared,
             PlanStats& stats)
    : registry_(context),
      connections_(context.loop),
      refusals_(context.loop),
      environment_{context,
                   network,
                   registry_,
                   records,
                   shared,
                   stats,
                   connections_,
                   refusals_,
                   embedded_,
                   shared.workers.fetch_add(1, std::memory_order_relaxed),
                   plan.process.drain,
                   plan.process.force_pairs,
                   behaviour_of(plan.process),
                   false,
                   {},
                   plan::hello_listeners(plan)},
      embedded_(environment_),
      pools_empty_(context.loop),
      deadline_(context.loop, [](void* self) noexcept { static_cast<Stage*>(self)->cut(); }, this) {
  const std::map<std::string_view, plan::ClientPart> asked = plan::asked_of_clients(plan);
  for (const plan::Cluster& cluster : plan.clusters) {
    auto& made = environment_.clusters[cluster.name] = std::make_unique<Cluster>(environment_, cluster);
    made->pools().on_empty(&pools_empty_);
    if (const auto part = asked.find(cluster.name); part != asked.end()) made->keep_clients_apart(part->second);
  }
  for (const plan::Listener& listener : plan.listeners) {
    handlers_.push_back(make_handler(environment_, listener));
    for (const plan::Address& address : listener.addresses)
      if (const auto* internal = std::get_if<plan::Internal>(&address))
        registry_.add(internal->listener, *handlers_.back());
  }
  for (auto& [name, cluster] : environment_.clusters) cluster->start();
}

bool Stage::all_pools_empty() const {
  return std::all_of(environment_.clusters.begin(), environment_.clusters.end(),
                     [](const auto& cluster) { return cluster.second->pools().empty(); });
}

// Let go; cut at the deadline. Each step is one wait.
Task<std::size_t> Stage::drain(Duration patience) {
  environment_.draining = true;
  connections_.drain();
  for (auto& [name, cluster] : environment_.clusters) cluster->pools().close();
  deadline_.arm_after(patience);
  // Code of an embedder may open connections until it ends.
  while (!empty()) {
    while (!connections_.empty()) co_await connections_.became_empty().wait();
    while (!all_pools_empty()) co_await pools_empty_.wait();
    while (!embedded_.empty()) co_await embedded_.became_empty().wait();
  }
  embedded_.close();
  deadline_.disarm();
  co_return cut_connections_;
}

void Stage::cut() noexcept {
  const Error reason(Error::Kind::shutdown, "the drain time is over");
  const std::size_t count = connections_.abort(reason);
  cut_connections_ += count;
  environment_.context.counters.add(Counter::drain_aborts, count);
  for (auto& [name, cluster] : environment_.clusters) cluster->pools().abort(reason);
  embedded_.cancel(reason);
  // What was just being accepted or dialled may turn up after this.
  if (!empty()) deadline_.arm_after(std::chrono::milliseconds(100));
}

}  // namespace tunnel::proxy
