// SPDX-License-Identifier: Apache-2.0
// Server: a plan at work, from bound listeners to drained workers. It knows neither signals nor exit status and leaves
// the process's log, limits and signal handling alone: run() drives it by signals, an embedder by calls.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "net/resolver.hpp"
#include "proxy/environment.hpp"
#include "runtime/access_log.hpp"
#include "runtime/admin.hpp"
#include "runtime/admin_source.hpp"
#include "runtime/meter.hpp"
#include "runtime/worker.hpp"
#include "tunnel/address.hpp"
#include "tunnel/custom.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

class Server final : private AdminSource {
 public:
  // `plan` has passed check() and outlives the server. `custom`: the handlers of its custom listeners.
  explicit Server(const plan::Plan& plan, CustomHandlers custom = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Resets what is still open.
  ~Server();

  // Where a listener serves standard input and output: what is called, on a worker's thread, when that connection has
  // failed, and when it has ended (proxy::Shared). Before start().
  void on_stdio(std::function<void(const proxy::Outcome&)> failed, std::function<void(const proxy::Outcome&)> ended) {
    shared_.stdio_failed = std::move(failed);
    shared_.stdio_ended = std::move(ended);
  }
  // Opens the access logs, binds every listener, starts the workers. After an error (a sentence with place and remedy)
  // nothing serves. Once.
  Result<void> start();
  // What POST /drain calls, on the admin thread and maybe more than once; whoever drains must call drain(). Before
  // start(); without it nobody can drain from there.
  void on_drain_asked(std::function<void()> call) { drain_asked_ = std::move(call); }
  // What POST /quitquitquit calls, likewise.
  void on_quit_asked(std::function<void()> call) { quit_asked_ = std::move(call); }
  // Any thread, once: removes socket files, so that a successor may start, stops accepting, lets connections end for
  // `patience`, resets the rest. `ended` is called on the thread of the worker that was last.
  void drain(Duration patience, std::function<void()> ended);
  // Returns when the workers have ended; drain() must have been called.
  void join();

  const Limits& limits() const { return limits_; }
  std::size_t workers() const { return workers_.size(); }
  Worker& worker(std::size_t index) { return *workers_[index]; }
  // Connections that drain() reset.
  std::size_t cut() const { return cut_; }
  // The IP addresses a listener is bound to, in the order bound.
  std::vector<SocketAddress> addresses(const std::string& listener) const override;
  AccessLog* records() { return records_.get(); }
  // All counters and gauges as one JSON object. Any thread.
  std::string stats() const;
  // All but `elapsed`. Any thread.
  MeterReading reading() const;

 private:
  // AdminSource
  const plan::Plan& plan() const override { return plan_; }
  Figures figures() const override;
  bool draining() const override { return draining_; }
  void list(std::size_t most, const std::function<void(proxy::Listing)>& told) override;
  bool may_drain() const override { return static_cast<bool>(drain_asked_); }
  void drain() override { drain_asked_(); }
  bool listening() const override { return listening_; }
  void stop_listening(std::optional<std::chrono::milliseconds> after, bool ask) override;
  void quit() override { quit_asked_(); }

  Result<void> check_custom() const;
  Result<void> bind(std::vector<Worker::Sources>& sources);
  Result<void> bind_admin();
  void remove_files();
  void start_workers(std::vector<Worker::Sources> sources);
  void drain_workers(Duration patience, const std::shared_ptr<const std::function<void()>>& ended);

  const plan::Plan& plan_;
  Limits limits_;
  std::size_t workers_wanted_;
  proxy::Shared shared_;
  std::map<std::string, std::vector<SocketAddress>> bound_;  // by listener
  std::unique_ptr<AccessLog> records_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<Admin> admin_;  // outlives the workers, which answer it
  std::vector<net::SocketFile> files_;
  Worker::Team workers_;
  std::function<void()> drain_asked_;
  std::function<void()> quit_asked_;
  std::once_flag files_removed_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::atomic<std::size_t> accepting_{0};
  std::atomic<std::size_t> left_{0};
  std::atomic<std::size_t> cut_{0};
  std::atomic<bool> draining_{false};
  std::atomic<bool> listening_{true};
};

}  // namespace tunnel::runtime
