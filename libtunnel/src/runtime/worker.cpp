// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker.hpp"

#include <system_error>
#include <utility>

#include "net/network.hpp"
#include "plan/access_format.hpp"
#include "proxy/stage.hpp"

namespace tunnel::runtime {

// Everything that lives on the worker's thread, in the order it must be destroyed: last first.
struct Worker::Stage {
  Stage(Worker& worker, Sources sources, const Team& team)
      : loop(worker.loop_),
        context{worker.loop_, worker.counters_, worker.limits_},
        network(worker.loop_, context, worker.resolver_, plan::logs_upstream_local(worker.plan_)),
        proxies(context, worker.plan_, network, worker.records_, worker.shared_, worker.stats_) {
    for (Socket& socket : sources.sockets)
      listeners.push_back(std::make_unique<net::Listener>(
          worker.loop_, context, std::move(socket.fd), proxies.handler(socket.listener),
          socket.dealt && team.size() > 1 ? deal(worker, socket.listener, team) : net::HandOver(), socket.inherited));
    if (sources.stdio) accept(std::move(*sources.stdio), worker.shared_);
  }

  // In turn, however long connections last: few long ones are spread as well as many short ones.
  static net::HandOver deal(Worker& worker, std::size_t listener, const Team& team) {
    return [&worker, listener, &team, next = std::size_t{0}](net::Accepted& accepted) mutable {
      Worker& to = *team[next++ % team.size()];
      if (&to == &worker) return false;
      to.adopt(listener, std::move(accepted));
      return true;
    };
  }

  void adopt(std::size_t listener, net::Accepted accepted) {
    (void)net::adopt(loop, context, std::move(accepted), proxies.handler(listener));
  }

  void accept(ListeningStdio stdio, const proxy::Shared& shared) {
    try {
      net::accept_stdio(loop, context, std::move(stdio.ends), proxies.handler(stdio.listener));
    } catch (const std::system_error& error) {
      const proxy::Outcome outcome{Error(Error::Kind::internal, error.what()), false};
      shared.stdio_failed(outcome);
      shared.stdio_ended(outcome);
    }
  }

  Task<void> drain(Duration patience, std::function<void(std::size_t)> ended) {
    const std::size_t cut = co_await proxies.drain(patience);
    ended(cut);
    co_await yield(loop);
    loop.stop();
  }

  // Clients that came since they were asked to finish are asked, too.
  static void stop_now(void* self) noexcept {
    auto& stage = *static_cast<Stage*>(self);
    for (auto& listener : stage.listeners) listener->close();
    if (stage.asks) stage.proxies.connections().drain();
    if (stage.stopped) stage.stopped();
  }

  EpollLoop& loop;
  Context context;
  net::SystemNetwork network;
  proxy::Stage proxies;
  std::vector<std::unique_ptr<net::Listener>> listeners;
  Timer stop{loop, &Stage::stop_now, this};
  bool asks = false;
  std::function<void()> stopped;
};

Worker::Worker(const plan::Plan& plan, const Limits& limits, proxy::Shared& shared, RecordSink& records,
               net::Resolver& resolver)
    : plan_(plan), limits_(limits), shared_(shared), records_(records), resolver_(resolver), stats_(plan) {}

void Worker::start(Sources sources, const Team& team) {
  thread_ = std::thread([this, moved = std::move(sources), &team]() mutable { run(std::move(moved), team); });
}

Worker::~Worker() { join(); }

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run(Sources sources, const Team& team) {
  Stage stage(*this, std::move(sources), team);
  stage_ = &stage;
  loop_.run();
  stage_ = nullptr;
}

void Worker::adopt(std::size_t listener, net::Accepted accepted) {
  // A call for another thread must be copyable.
  const auto moved = std::make_shared<net::Accepted>(std::move(accepted));
  loop_.post_remote([this, listener, moved] { stage_->adopt(listener, std::move(*moved)); });
}

void Worker::stop_accepting(std::function<void()> stopped) {
  if (!thread_.joinable()) return stopped();  // never started: another one could not be
  loop_.post_remote([this, call = std::move(stopped)] {
    for (auto& listener : stage_->listeners) listener->close();
    call();
  });
}

void Worker::stop_accepting(std::optional<Duration> after, bool ask, std::function<void()> stopped) {
  loop_.post_remote([this, after, ask, call = std::move(stopped)]() mutable {
    if (ask) stage_->proxies.connections().drain();
    if (!after) return;
    stage_->asks = ask;
    stage_->stopped = std::move(call);
    stage_->stop.arm_after(*after);
  });
}

void Worker::drain(Duration patience, std::function<void(std::size_t)> ended) {
  if (!thread_.joinable()) return ended(0);
  loop_.post_remote([this, patience, call = std::move(ended)] { tunnel::spawn(stage_->drain(patience, call)); });
}

void Worker::spawn(std::function<Task<void>(EngineWorker&)> task) {
  loop_.post_remote([this, call = std::move(task)] { stage_->proxies.embedded().spawn(call); });
}

void Worker::list(std::size_t most, std::function<void(proxy::Listing)> told) {
  loop_.post_remote([this, most, call = std::move(told)] {
    proxy::Listing listing(loop_.now(), most);
    stage_->proxies.connections().describe(listing);
    call(std::move(listing));
  });
}

}  // namespace tunnel::runtime
