// SPDX-License-Identifier: Apache-2.0
// Code of an embedding program that runs on a worker: handlers of its own on listeners, clients of its own of internal
// listeners. Given to an Engine (run.hpp). Version 0: no stability is promised.
//
// A worker is one thread with one loop; whatever lives on it (streams, timers, tasks) is touched from that thread only.
// Code on it must not block: it would stop every connection of the worker. Many tasks take turns at each co_await.
#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "tunnel/connection_info.hpp"
#include "tunnel/error.hpp"
#include "tunnel/loop.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel {

// One worker of an Engine, as code that runs on it sees it. Made by the engine; outlives every task it runs. Of its
// thread only.
class EngineWorker {
 public:
  // How long connect() waits unless told otherwise: as long as a cluster of a plan does.
  static constexpr std::chrono::seconds kConnectTimeout{10};

  EngineWorker(const EngineWorker&) = delete;
  EngineWorker& operator=(const EngineWorker&) = delete;

  virtual Loop& loop() = 0;
  // True once the engine drains: begin nothing that is not needed to finish what was begun. When the drain time is over
  // every connection is reset and connect() fails, so tasks that wait for streams end by themselves.
  virtual bool draining() const = 0;
  // Runs `task`, beside the others, until it ends; the engine waits for it before it ends. An exception that leaves it
  // ends the program.
  virtual void spawn(Task<void> task) = 0;

  // Connects to an internal listener of the plan, `address` being "internal:NAME[/ENDPOINT_ID]", in memory: no socket,
  // no descriptor. The answer is the far side's outcome, as for any hop: behind a tcp_proxy the stream is there when
  // its upstream is. Errors: unknown_destination (nobody is called so), refused, unreachable, timeout, limit, loop,
  // shutdown … of whatever stands behind it; `protocol` for an address that is none.
  Task<Result<StreamPtr>> connect(std::string_view address, Duration timeout = kConnectTimeout);
  // The same on behalf of the connection a handler was given: logs name its client, and the count of internal hops goes
  // on, so that handlers that connect in a circle are stopped.
  Task<Result<StreamPtr>> connect_for(const ConnectionInfo& client, std::string_view address,
                                      Duration timeout = kConnectTimeout);

 protected:
  EngineWorker() = default;
  ~EngineWorker() = default;
  virtual Task<Result<StreamPtr>> do_connect(std::string address, ConnectionInfo client, Duration timeout) = 0;
};

// Serves one connection of a listener whose handler in the plan is plan::Custom: called on the worker that has the
// connection, once a connection, many at a time. The handler owns the stream: it calls shutdown_write() before it lets
// go of it, or the peer meets a reset. Limits, idle and half-close timers, byte counts and the log line of the listener
// hold as for any other handler; when one of them ends the connection the stream is reset, and the handler should end
// soon. What a lambda captured lives as long as the Engine and is shared by all workers: synchronise what it changes.
using CustomHandler = std::function<Task<void>(EngineWorker& worker, StreamPtr stream, ConnectionInfo client)>;

// By the listener's name.
using CustomHandlers = std::map<std::string, CustomHandler>;

inline Task<Result<StreamPtr>> EngineWorker::connect(std::string_view address, Duration timeout) {
  ConnectionInfo self;
  self.downstream = "self";
  return do_connect(std::string(address), std::move(self), timeout);
}

inline Task<Result<StreamPtr>> EngineWorker::connect_for(const ConnectionInfo& client, std::string_view address,
                                                         Duration timeout) {
  return do_connect(std::string(address), client, timeout);
}

}  // namespace tunnel
