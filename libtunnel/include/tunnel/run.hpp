// SPDX-License-Identifier: Apache-2.0
// Running a Plan in this process: run() as the programs do, Engine inside a program of one's own. Version 0: no
// stability is promised.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/address.hpp"
#include "tunnel/custom.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel {

// The version of the library and the programs, and what they stand on: "0.1.0 (Boost 1.81, nghttp2 1.52.0,
// OpenSSL 3.0.22)".
std::string version();

// Binds every listener of `plan`, starts the workers and serves until SIGTERM or SIGINT; then stops accepting, drains,
// and returns 0 (a second signal ends at once, everything reset). Takes over this process's signal handling: call it
// once, from main(), with a plan that check() passed. Returns the exit status of the programs: 0 ok, 1 a listener could
// not be bound (said on stderr), 78 a limit the system cannot meet. Afterwards the signals it reacted to stay blocked,
// so that none takes the exit status away.
int run(const plan::Plan& plan);

// A plan at work inside a program that goes on with its own business: no signal handler is installed, the workers'
// threads block all signals, no limit of the process is changed, nothing is written but the access logs the plan names
// and the log (log_to()). Of the plan's `process`, `verbosity` is for run() only.
//
//   Engine engine(plan);
//   engine.serve("greeter", greet);                       // the plan's listener "greeter" has the handler Custom
//   if (Result<void> started = engine.start(); !started.ok()) …
//   engine.spawn(0, [](EngineWorker& worker) -> Task<void> { … co_await worker.connect("internal:greeter") … });
//   engine.drain(10s);
//   engine.wait();
//
// Not a thread pool and not an event loop for others: code on its workers must not block. Several engines may run in a
// process; internal listeners are each engine's own. Not copyable; calls from any thread, but start() once and after
// every serve().
class Engine {
 public:
  explicit Engine(plan::Plan plan);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  // Resets what is open, and waits for the workers: like drain(0), wait(). Not from a worker's thread.
  ~Engine();

  // The embedder's code behind listener `name` of the plan, whose handler is plan::Custom.
  void serve(const std::string& name, CustomHandler handler);
  // Checks the plan, opens the access logs, binds every listener, starts the workers; once. After an error nothing
  // serves, and its text is a sentence a problem: what check() found, a custom listener without code, an address in
  // use, …
  Result<void> start();

  // After start(). The IP addresses listener `name` is bound to, port 0 resolved; none for an internal one.
  std::vector<SocketAddress> addresses(const std::string& name) const;
  std::size_t workers() const;
  // Runs `task` on worker `index` (below workers()); its captures live until it ends. Internal links never cross
  // workers, pools are each worker's own: spread clients over them. Dropped, captures and all, if the worker has
  // drained by then.
  void spawn(std::size_t index, std::function<Task<void>(EngineWorker&)> task);
  // All counters and gauges, summed over the workers, as one JSON object: {"counters":{…},"gauges":{…}}.
  std::string stats() const;

  // Stops accepting, lets connections and tasks end for `patience`, then resets what is left; returns at once. Only the
  // first call counts.
  void drain(std::chrono::milliseconds patience);
  // Returns when the workers have ended, which a drain() lets them; how many connections had to be reset. Not from a
  // worker's thread.
  std::size_t wait();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };

// Where log lines of `least` and above go in this process, instead of warnings and errors to stderr: `sink` is called
// from any thread, a line a call, without a newline; it must not block. Text of peers is escaped. Call it at most once,
// before the first Engine, and not beside run().
void log_to(LogLevel least, std::function<void(LogLevel level, std::string_view line)> sink);

}  // namespace tunnel
