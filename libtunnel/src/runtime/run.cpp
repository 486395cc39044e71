// SPDX-License-Identifier: Apache-2.0
#include "tunnel/run.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
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

constexpr std::chrono::milliseconds kSameSignal{50};
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

// Ends the process although something keeps it: whoever reads the logs may have stopped reading, and their last lines
// are not worth waiting for.
class ExitAnyway {
 public:
  explicit ExitAnyway(int status)
      : thread_([this, status] {
          std::unique_lock lock(mutex_);
          if (!wake_.wait_for(lock, kPatience, [this] { return done_; })) ::_exit(status);
        }) {}
  ExitAnyway(const ExitAnyway&) = delete;
  ExitAnyway& operator=(const ExitAnyway&) = delete;
  ~ExitAnyway() {
    {
      const std::scoped_lock lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  static constexpr std::chrono::seconds kPatience{1};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

// All of it, or as much as is taken in time: a reader that stopped must not stop the signals.
void write_to_stderr(std::string_view text) {
  constexpr std::size_t kPieceBytes = 4096;  // a pipe that polls as writable takes that much without blocking
  constexpr int kPatienceMs = 500;
  while (!text.empty()) {
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&ready, 1, kPatienceMs) <= 0) return;
    const ssize_t n = ::write(STDERR_FILENO, text.data(), std::min(text.size(), kPieceBytes));
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// What to do about an address that cannot be listened on.
std::string remedy(const plan::Tcp& address, const Error& error) {
  const std::string_view text = error.text();
  if (text.ends_with("Address already in use"))
    return fmt::format("; stop what listens there (ss -ltnp 'sport = :{}') or choose another port", address.port);
  if (text.ends_with("Permission denied"))
    return "; a port below 1024 needs root or CAP_NET_BIND_SERVICE: choose a higher one";
  return text.ends_with("Cannot assign requested address") ? "; no interface of this machine has it" : "";
}

// A running process: what the signals act on.
class Process {
 public:
  explicit Process(const plan::Plan& plan)
      : plan_(plan),
        limits_(plan::limits_of(plan.process)),
        workers_wanted_(plan.process.workers > 0 ? plan.process.workers : allowed_cores()) {}

  int run() {
    watch_signals();  // first: what arrives before all is ready waits instead of ending the process
    if (!descriptors_suffice()) return kExitBadConfiguration;
    records_ = std::make_unique<runtime::AccessLog>(plan_);
    std::vector<std::vector<Worker::Socket>> sockets(workers_wanted_);
    if (!bind(sockets)) return kExitFailed;
    resolver_ = std::make_unique<net::Resolver>(limits_.resolver_threads);
    for (auto& own : sockets)
      workers_.push_back(std::make_unique<Worker>(plan_, limits_, shared_, *records_, *resolver_, std::move(own)));
    log::info("serving with {} worker{}", workers_.size(), workers_.size() == 1 ? "" : "s");
    io_.run();
    for (auto& worker : workers_) worker->join();
    if (cut_ > 0) log::warning("drain time over: {} connection{} reset", cut_.load(), cut_ == 1 ? " was" : "s were");
    log::info("ended");
    const ExitAnyway exit_anyway(kExitOk);
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
    if (needed * 9 / 10 > descriptors)
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
          log::error("{}: {}{}", listener.name, bound.error().text(), remedy(*tcp, bound.error()));
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
    counters.reserve(workers_.size());
    for (const auto& worker : workers_) counters.push_back(&worker->counters());
    const std::string line = runtime::stats_json(counters,
                                                 {{name_of(Counter::access_log_lost), records_->lost()},
                                                  {name_of(Counter::log_lost), log::lost()}},
                                                 {{"tunnel_workers", workers_.size()}}) +
                             '\n';
    write_to_stderr(line);
  }

  void terminate() {
    const auto now = std::chrono::steady_clock::now();
    // Some supervisors (GNU timeout) signal a process and then its group: that is one request, not two.
    if (draining_ && now - draining_since_ < kSameSignal) return;
    if (draining_) {
      // Linger is armed on every socket: the kernel resets them all.
      log::warning("second signal: ending at once");
      const ExitAnyway exit_anyway(kExitOk);
      log::stop();
      records_->stop();
      ::_exit(kExitOk);
    }
    draining_ = true;
    draining_since_ = now;
    log::info("draining for at most {} s (a second signal ends at once)",
              static_cast<double>(plan_.process.drain.count()) / 1000);
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
  std::chrono::steady_clock::time_point draining_since_;
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
  const ExitAnyway exit_anyway(status);
  log::stop();
  return status;
}

}  // namespace tunnel
