// SPDX-License-Identifier: Apache-2.0
// A worker: one thread with one loop; its listeners, clusters, pools and connections live and die there.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/counters.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "net/listener.hpp"
#include "net/resolver.hpp"
#include "proxy/environment.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

class Worker {
 public:
  struct Socket {
    std::size_t listener;  // index in Plan::listeners
    Fd fd;
  };
  // References outlive the worker. Starts serving in a thread of its own.
  Worker(const plan::Plan& plan, const Limits& limits, proxy::Shared& shared, RecordSink& records,
         net::Resolver& resolver, std::vector<Socket> sockets);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Any thread. Stops accepting, lets connections end for `patience`, resets the rest, ends; `ended` is called on the
  // worker's thread with how many were reset.
  void drain(Duration patience, std::function<void(std::size_t)> ended);
  void join();
  const Counters& counters() const { return counters_; }

 private:
  struct Stage;
  void run(std::vector<Socket> sockets);

  const plan::Plan& plan_;
  const Limits& limits_;
  proxy::Shared& shared_;
  RecordSink& records_;
  net::Resolver& resolver_;
  Counters counters_;
  EpollLoop loop_;
  Stage* stage_ = nullptr;  // the worker's thread only
  std::thread thread_;
};

}  // namespace tunnel::runtime
