// SPDX-License-Identifier: Apache-2.0
#include "runtime/server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <variant>

#include "base/cores.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "plan/limit_table.hpp"
#include "plan/stdio.hpp"
#include "runtime/bind.hpp"
#include "runtime/stats.hpp"

namespace tunnel::runtime {
namespace {

bool is_ip(const SocketAddress& address) { return address.family() == AF_INET || address.family() == AF_INET6; }

// One connection keeps one worker busy.
std::size_t wanted_workers(const plan::Plan& plan) {
  if (plan.process.workers > 0) return plan.process.workers;
  return plan::stdio_listener(plan) != nullptr ? 1 : allowed_cores();
}

}  // namespace

Server::Server(const plan::Plan& plan, CustomHandlers custom)
    : plan_(plan), limits_(plan::limits_of(plan.process)), workers_wanted_(wanted_workers(plan)) {
  shared_.custom = std::move(custom);
}

Server::~Server() {
  if (!workers_.empty() && !draining_) drain(Duration::zero(), [] {});
  join();
  if (admin_) admin_->stop();
}

Result<void> Server::check_custom() const {
  for (const plan::Listener& listener : plan_.listeners)
    if (std::holds_alternative<plan::Custom>(listener.handler) && !shared_.custom.contains(listener.name))
      return Error(Error::Kind::internal, listener.name + " has no handler; give the engine one with serve()");
  return {};
}

Result<void> Server::start() {
  if (Result<void> custom = check_custom(); !custom.ok()) return custom;
  try {
    records_ = std::make_unique<AccessLog>(plan_);
    std::vector<Worker::Sources> sources(workers_wanted_);
    if (Result<void> bound = bind(sources); !bound.ok()) return bound;
    if (Result<void> bound = bind_admin(); !bound.ok()) return bound;
    resolver_ = std::make_unique<net::Resolver>(limits_.resolver_threads);
    start_workers(std::move(sources));
  } catch (const std::system_error& error) {
    return Error(Error::Kind::internal, error.what());
  }
  if (admin_) admin_->start();
  log::info("serving with {} worker{}", workers_.size(), workers_.size() == 1 ? "" : "s");
  return {};
}

Result<void> Server::bind(std::vector<Worker::Sources>& sources) {
  for (const plan::Listener& listener : plan_.listeners) shared_.listener_connections.try_emplace(listener.name, 0);
  for (const plan::Cluster& cluster : plan_.clusters)
    if (cluster.max_connections > 0) shared_.cluster_connections.try_emplace(cluster.name, 0);
  Result<Bound> bound = bind_listeners(plan_, workers_wanted_, limits_);
  if (!bound.ok()) return bound.error();
  shared_.own_addresses = std::move(bound->addresses);
  files_ = std::move(bound->files);
  std::size_t next = 0;
  for (Listening& one : bound->sockets) {
    if (const SocketAddress address = SocketAddress::local_of(one.sockets.front().get()); is_ip(address))
      bound_[plan_.listeners[one.listener].name].push_back(address);
    const bool dealt = one.sockets.size() < workers_wanted_;
    for (Fd& socket : one.sockets)
      sources[next++ % workers_wanted_].sockets.push_back(
          Worker::Socket{one.listener, std::move(socket), dealt, one.inherited});
  }
  sources.front().stdio = std::move(bound->stdio);
  return {};
}

std::vector<SocketAddress> Server::addresses(const std::string& listener) const {
  const auto found = bound_.find(listener);
  return found == bound_.end() ? std::vector<SocketAddress>() : found->second;
}

Result<void> Server::bind_admin() {
  if (!plan_.process.admin) return {};
  Result<std::unique_ptr<Admin>> admin = Admin::bind(*plan_.process.admin, limits_, *this);
  if (!admin.ok()) return admin.error();
  admin_ = std::move(*admin);
  for (const SocketAddress& address : admin_->addresses()) shared_.own_addresses.push_back(address);
  return {};
}

void Server::start_workers(std::vector<Worker::Sources> sources) {
  for (std::size_t i = 0; i < workers_wanted_; ++i)
    workers_.push_back(std::make_unique<Worker>(plan_, limits_, shared_, *records_, *resolver_));
  for (std::size_t i = 0; i < workers_wanted_; ++i) workers_[i]->start(std::move(sources[i]), workers_);
}

void Server::drain(Duration patience, std::function<void()> ended) {
  draining_ = true;
  listening_ = false;
  remove_files();
  accepting_ = workers_.size();
  const auto call = std::make_shared<const std::function<void()>>(std::move(ended));
  for (auto& worker : workers_)
    worker->stop_accepting([this, patience, call] {
      if (--accepting_ == 0) drain_workers(patience, call);
    });
}

// So that a successor may listen there.
void Server::remove_files() {
  std::call_once(files_removed_, [this] { files_.clear(); });
}

void Server::stop_listening(std::optional<std::chrono::milliseconds> after, bool ask) {
  if (!after) {
    for (auto& worker : workers_) worker->stop_accepting(std::nullopt, ask, {});
    return;
  }
  const auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  for (auto& worker : workers_)
    worker->stop_accepting(*after, ask, [this, left] {
      if (--*left > 0) return;
      listening_ = false;
      remove_files();
    });
}

void Server::drain_workers(Duration patience, const std::shared_ptr<const std::function<void()>>& ended) {
  left_ = workers_.size();
  for (auto& worker : workers_)
    worker->drain(patience, [this, ended](std::size_t cut) {
      cut_ += cut;
      if (--left_ == 0) (*ended)();
    });
}

void Server::join() {
  for (auto& worker : workers_) worker->join();
}

Figures Server::figures() const {
  Figures figures;
  for (const auto& worker : workers_) {
    figures.counters.push_back(&worker->counters());
    figures.stats.push_back(&worker->stats());
  }
  figures.access_log_lost = records_->lost();
  figures.log_lost = log::lost();
  figures.started = started_;
  return figures;
}

void Server::list(std::size_t most, const std::function<void(proxy::Listing)>& told) {
  for (auto& worker : workers_) worker->list(most, told);
}

MeterReading Server::reading() const {
  MeterReading reading;
  const std::vector<ListenerSum> sums = listener_sums(figures());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    // An internal hop repeats what a listener in front of it counted.
    if (std::holds_alternative<plan::Internal>(plan_.listeners[i].addresses.front())) continue;
    reading.connections += sums[i].begun;
    reading.open += sums[i].active;
    reading.bytes_received += sums[i].sum.received;
    reading.bytes_sent += sums[i].sum.sent;
    reading.failed += sums[i].sum.all_errors();
  }
  return reading;
}

std::string Server::stats() const {
  std::vector<const Counters*> counters;
  counters.reserve(workers_.size());
  for (const auto& worker : workers_) counters.push_back(&worker->counters());
  return stats_json(counters,
                    {{name_of(Counter::access_log_lost), records_->lost()}, {name_of(Counter::log_lost), log::lost()}},
                    {{"tunnel_workers", workers_.size()},
                     {"tunnel_buffer_bytes", memory::held()},
                     {"tunnel_window_bytes", memory::promised()}});
}

}  // namespace tunnel::runtime
