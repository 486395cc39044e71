// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker.hpp"

#include <utility>

#include "net/network.hpp"
#include "proxy/stage.hpp"

namespace tunnel::runtime {

// Everything that lives on the worker's thread, in the order it must be destroyed: last first.
struct Worker::Stage {
  Stage(Worker& worker, std::vector<Socket> sockets)
      : loop(worker.loop_),
        context{worker.loop_, worker.counters_, worker.limits_},
        network(worker.loop_, context, worker.resolver_),
        proxies(context, worker.plan_, network, worker.records_, worker.shared_) {
    for (Socket& socket : sockets)
      listeners.push_back(std::make_unique<net::Listener>(worker.loop_, context, std::move(socket.fd),
                                                          proxies.handler(socket.listener)));
  }

  Task<void> drain(Duration patience, std::function<void(std::size_t)> ended) {
    for (auto& listener : listeners) listener->close();
    const std::size_t cut = co_await proxies.drain(patience);
    ended(cut);
    co_await yield(loop);
    loop.stop();
  }

  EpollLoop& loop;
  Context context;
  net::SystemNetwork network;
  proxy::Stage proxies;
  std::vector<std::unique_ptr<net::Listener>> listeners;
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
