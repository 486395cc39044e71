// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker.hpp"

#include <utility>

#include "base/log.hpp"
#include "net/network.hpp"
#include "proxy/handler.hpp"

namespace tunnel::runtime {

// Everything that lives on the worker's thread, in the order it must be destroyed: last first.
struct Worker::Stage {
  Stage(Worker& worker, std::vector<Socket> sockets)
      : context{worker.loop_, worker.counters_, worker.limits_},
        network(worker.loop_, context, worker.resolver_),
        registry(context),
        connections(worker.loop_),
        environment{
            context, network, registry, worker.records_, worker.shared_, connections, worker.plan_.process.force_pairs},
        pools_empty(worker.loop_),
        deadline(
            worker.loop_, [](void* self) noexcept { static_cast<Stage*>(self)->cut(); }, this),
        loop(worker.loop_) {
    for (const plan::Cluster& cluster : worker.plan_.clusters) {
      auto& made = environment.clusters[cluster.name] = std::make_unique<proxy::Cluster>(environment, cluster);
      made->pool().on_empty(&pools_empty);
    }
    for (const plan::Listener& listener : worker.plan_.listeners) {
      handlers.push_back(proxy::make_handler(environment, listener));
      for (const plan::Address& address : listener.addresses)
        if (const auto* internal = std::get_if<plan::Internal>(&address))
          registry.add(internal->listener, *handlers.back());
    }
    for (Socket& socket : sockets)
      listeners.push_back(
          std::make_unique<net::Listener>(worker.loop_, context, std::move(socket.fd), *handlers[socket.listener]));
  }

  bool all_pools_empty() const {
    for (const auto& [name, cluster] : environment.clusters)
      if (!cluster->pool().empty()) return false;
    return true;
  }

  // Stop accepting; let go; cut at the deadline. Each step is one wait.
  Task<void> drain(Duration patience, std::function<void(std::size_t)> ended) {
    for (auto& listener : listeners) listener->close();
    environment.draining = true;
    connections.drain();
    for (auto& [name, cluster] : environment.clusters) cluster->pool().close();
    deadline.arm_after(patience);
    while (!connections.empty()) co_await connections.became_empty().wait();
    while (!all_pools_empty()) co_await pools_empty.wait();
    deadline.disarm();
    ended(cut_connections);
    co_await yield(loop);
    loop.stop();
  }

  void cut() noexcept {
    const Error reason(Error::Kind::shutdown, "the drain time is over");
    const std::size_t count = connections.abort(reason);
    cut_connections += count;
    context.counters.add(Counter::drain_aborts, count);
    for (auto& [name, cluster] : environment.clusters) cluster->pool().abort(reason);
    // What was just being accepted or dialled may turn up after this.
    if (!connections.empty() || !all_pools_empty()) deadline.arm_after(std::chrono::milliseconds(100));
  }

  Context context;
  net::SystemNetwork network;
  net::InternalRegistry registry;
  proxy::ConnectionList connections;
  proxy::Environment environment;
  Notify pools_empty;
  std::vector<std::unique_ptr<proxy::Handler>> handlers;
  std::vector<std::unique_ptr<net::Listener>> listeners;
  Timer deadline;
  AsioLoop& loop;
  std::size_t cut_connections = 0;
};

Worker::Worker(const plan::Plan& plan, const Limits& limits, proxy::Shared& shared, RecordSink& records,
               net::Resolver& resolver, std::vector<Socket> sockets)
    : plan_(plan), limits_(limits), shared_(shared), records_(records), resolver_(resolver) {
  thread_ = std::thread([this, moved = std::move(sockets)]() mutable { run(std::move(moved)); });
}

Worker::~Worker() { join(); }

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run(std::vector<Socket> sockets) {
  Stage stage(*this, std::move(sockets));
  stage_ = &stage;
  loop_.run();
  stage_ = nullptr;
}

void Worker::drain(Duration patience, std::function<void(std::size_t)> ended) {
  loop_.post_remote([this, patience, call = std::move(ended)] { spawn(stage_->drain(patience, call)); });
}

}  // namespace tunnel::runtime
