// SPDX-License-Identifier: Apache-2.0
// A worker: one thread with one loop; its listeners, clusters, pools and connections live and die there.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/counters.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "net/listener.hpp"
#include "net/resolver.hpp"
#include "proxy/environment.hpp"
#include "proxy/live_record.hpp"
#include "proxy/plan_stats.hpp"
#include "runtime/bind.hpp"
#include "tunnel/custom.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

class Worker {
 public:
  struct Socket {
    std::size_t listener;  // index in Plan::listeners
    Fd fd;
    bool dealt = false;  // the only socket of its address: its connections are dealt out to all workers in turn
    bool inherited = false;
  };
  struct Sources {
    std::vector<Socket> sockets;
    std::optional<ListeningStdio> stdio;
  };
  using Team = std::vector<std::unique_ptr<Worker>>;

  // References outlive the worker.
  Worker(const plan::Plan& plan, const Limits& limits, proxy::Shared& shared, RecordSink& records,
         net::Resolver& resolver);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Serves in a thread of its own, once. `team` is every worker of the process, this one included; it outlives the
  // thread.
  void start(Sources sources, const Team& team);
  // Any thread. Accepts what the kernel has completed and no more; `stopped` is called on the worker's thread. Only
  // when every worker has stopped may one be drained: until then they hand connections to each other.
  void stop_accepting(std::function<void()> stopped);
  // Any thread. The same after a while, or never; `ask`: clients of HTTP are asked to finish, now and then.
  void stop_accepting(std::optional<Duration> after, bool ask, std::function<void()> stopped);
  // Any thread. Lets connections end for `patience`, resets the rest, ends; `ended` is called on the
  // worker's thread with how many were reset.
  void drain(Duration patience, std::function<void(std::size_t)> ended);
  // Any thread. Runs `task` on the worker; not if it has drained by then.
  void spawn(std::function<Task<void>(EngineWorker&)> task);
  void join();
  const Counters& counters() const { return counters_; }
  const proxy::PlanStats& stats() const { return stats_; }
  // Any thread. `told` is called on the worker's thread with at most `most` of what is under way, the newest first; or
  // destroyed uncalled if the worker ends before.
  void list(std::size_t most, std::function<void(proxy::Listing)> told);

 private:
  struct Stage;
  void run(Sources sources, const Team& team);
  // Any thread: serves what another worker accepted.
  void adopt(std::size_t listener, net::Accepted accepted);

  const plan::Plan& plan_;
  const Limits& limits_;
  proxy::Shared& shared_;
  RecordSink& records_;
  net::Resolver& resolver_;
  Counters counters_;
  proxy::PlanStats stats_;
  EpollLoop loop_;
  Stage* stage_ = nullptr;  // the worker's thread only
  std::thread thread_;
};

}  // namespace tunnel::runtime
