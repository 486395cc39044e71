// SPDX-License-Identifier: Apache-2.0
#include "tunnel/run.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "base/log.hpp"
#include "plan/limit_table.hpp"
#include "runtime/access_log.hpp"
#include "runtime/stats.hpp"
#include "runtime/worker.hpp"

namespace tunnel {
namespace {

namespace asio = boost::asio;
using runtime::Worker;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitBadConfiguration = 78;

unsigned allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1U;
}

// Raises the soft limit on descriptors to the hard one and returns it.
std::uint64_t raise_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur;
}

log::Level level_of(int verbosity) {
  if (verbosity < 0) return log::Level::warning;
  if (verbosity == 0) return log::Level::info;
  return verbosity == 1 ? log::Level::debug : log::Level::trace;
}

log::Style style_of(plan::LogFormat format) {
  if (format == plan::LogFormat::json) return log::Style::json;
  return format == plan::LogFormat::logfmt ? log::Style::logfmt : log::Style::text;
}

// A running process: what the signals act on.
class Process {
 public:
  explicit Process(const plan::Plan& plan)
      : plan_(plan),
        limits_(plan::limits_of(plan.process)),
        workers_wanted_(plan.process.workers > 0 ? plan.process.workers : allowed_cores()) {}

  int run() {
    if (!descriptors_suffice()) return kExitBadConfiguration;
    std::vector<std::vector<Worker::Socket>> sockets(workers_wanted_);
    if (!bind(sockets)) return kExitFailed;
    records_ = std::make_unique<runtime::AccessLog>(plan_);
    resolver_ = std::make_unique<net::Resolver>(limits_.resolver_threads);
    watch_signals();
    for (auto& own : sockets)
      workers_.push_back(std::make_unique<Worker>(plan_, limits_, shared_, *records_, *resolver_, std::move(own)));
    log::info("serving with {} worker{}", workers_.size(), workers_.size() == 1 ? "" : "s");
    io_.run();
    for (auto& worker : workers_) worker->join();
    if (cut_ > 0) log::warning("drain time over: {} connections were reset", cut_.load());
    log::info("ended");
    records_->stop();
    return kExitOk;
  }

 private:
  bool descriptors_suffice() {
    const std::uint64_t descriptors = raise_descriptors();
    const std::uint64_t needed = limits_.connections * 2 + 64;
    if (needed <= descriptors) return true;
    const bool asked = std::any_of(plan_.process.limits.begin(), plan_.process.limits.end(),
                                   [](const plan::Limit& l) { return l.key == "conns"; });
    if (asked) {
      log::error("{} connections may need {} descriptors, the system gives {}: raise `ulimit -n` or lower the limit",
                 limits_.connections, needed, descriptors);
      return false;
    }
    log::info("the system gives {} descriptors, enough for about {} of {} connections (raise with `ulimit -n`)",
              descriptors, descriptors > 64 ? (descriptors - 64) / 2 : 0, limits_.connections);
    return true;
  }

  bool bind(std::vector<std::vector<Worker::Socket>>& sockets) {
    for (std::size_t i = 0; i < plan_.listeners.size(); ++i) {
      const plan::Listener& listener = plan_.listeners[i];
      shared_.listener_connections.try_emplace(listener.name, 0);
      for (const plan::Address& address : listener.addresses) {
        const auto* tcp = std::get_if<plan::Tcp>(&address);
        if (tcp == nullptr) {
          log::info("{} listening on internal:{}", listener.name, std::get<plan::Internal>(address).listener);
          continue;
        }
        Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(*tcp, workers_wanted_, limits_);
        if (!bound.ok()) {
          log::error("{}: {}", listener.name, bound.error().text());
          return false;
        }
        for (net::BoundAddress& one : *bound) {
          log::info("{} listening on {}", listener.name, one.address.to_string());
          shared_.own_addresses.push_back(one.address);
          for (std::size_t w = 0; w < workers_wanted_; ++w)
            sockets[w].push_back(Worker::Socket{i, std::move(one.sockets[w])});
        }
      }
    }
    return true;
  }

  void watch_signals() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) signals_.add(number);
    next_signal();
  }

  void next_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      next_signal();
      on_signal(number);
    });
  }

  void on_signal(int number) {
    switch (number) {
      case SIGUSR2:
        print_stats();
        break;
      case SIGHUP:
        log::warning("SIGHUP ignored: this version does not reload");
        break;
      case SIGUSR1:
        log::warning("SIGUSR1 ignored: this version does not reopen logs");
        break;
      default:
        terminate();
    }
  }

  void print_stats() {
    std::vector<const Counters*> counters;
    for (const auto& worker : workers_) counters.push_back(&worker->counters());
    const std::string line = runtime::stats_json(counters,
                                                 {{name_of(Counter::access_log_lost), records_->lost()},
                                                  {name_of(Counter::log_lost), log::lost()}},
                                                 {{"tunnel_workers", workers_.size()}}) +
                             '\n';
    (void)!::write(STDERR_FILENO, line.data(), line.size());
  }

  void terminate() {
    if (draining_) {
      // Linger is armed on every socket: the kernel resets them all.
      log::warning("second signal: ending at once");
      log::stop();
      records_->stop();
      ::_exit(kExitOk);
    }
    draining_ = true;
    log::info("draining for at most {} ms (a second signal ends at once)", plan_.process.drain.count());
    left_ = workers_.size();
    for (auto& worker : workers_)
      worker->drain(plan_.process.drain, [this](std::size_t cut) {
        cut_ += cut;
        if (--left_ == 0) asio::post(io_, [this] { signals_.cancel(); });
      });
  }

  const plan::Plan& plan_;
  Limits limits_;
  std::size_t workers_wanted_;
  proxy::Shared shared_;
  std::unique_ptr<runtime::AccessLog> records_;
  std::unique_ptr<net::Resolver> resolver_;
  asio::io_context io_;
  asio::signal_set signals_{io_};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::size_t> left_{0};
  std::atomic<std::size_t> cut_{0};
  bool draining_ = false;
};

}  // namespace

int run(const plan::Plan& plan) {
  log::start(level_of(plan.process.verbosity), style_of(plan.process.log_format));
  int status = kExitFailed;
  try {
    Process process(plan);
    status = process.run();
  } catch (const std::system_error& error) {
    log::error("{}", error.what());
  }
  log::stop();
  return status;
}

}  // namespace tunnel
