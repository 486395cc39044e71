// SPDX-License-Identifier: Apache-2.0
#include "tunnel/run.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "plan/stdio.hpp"
#include "runtime/exit_status.hpp"
#include "runtime/server.hpp"
#include "runtime/service_manager.hpp"

namespace tunnel {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kSameSignal{50};
using runtime::kExitBadConfiguration;
using runtime::kExitFailed;
using runtime::kExitOk;

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

// What the program reacts to. Only the main thread takes them, and only while a Process watches: before and after they
// are kept waiting, as one that met its default action would end the program without its exit status.
constexpr std::array kSignals{SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

void mask_signals(int how) noexcept {
  sigset_t set;
  (void)::sigemptyset(&set);
  for (const int number : kSignals) (void)::sigaddset(&set, number);
  (void)::pthread_sigmask(how, &set, nullptr);
}

// Over standard input and output we are a part of somebody else's command (ProxyCommand), who wants to hear of faults
// only.
log::Level level_of(int verbosity, bool on_stdio) {
  if (verbosity < 0 || (verbosity == 0 && on_stdio)) return log::Level::warning;
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

// --stats: the line on a terminal, the summary anywhere. Lives on the main thread's io_context.
class Meter {
 public:
  Meter(asio::io_context& io, const runtime::Server& server) : timer_(io), server_(server) {
    if (::isatty(STDERR_FILENO) == 1) tick();
  }
  void stop() { timer_.cancel(); }
  void sum_up() const { write_to_stderr((shown_ ? "\r\x1b[K" : "") + runtime::meter_summary(read()) + '\n'); }

 private:
  runtime::MeterReading read() const {
    runtime::MeterReading reading = server_.reading();
    reading.elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
    return reading;
  }
  void tick() {
    const runtime::MeterReading now = read();
    write_to_stderr("\r" + runtime::meter_line(now, before_) + "\x1b[K");
    before_ = now;
    shown_ = true;
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tick();
    });
  }

  asio::steady_timer timer_;
  const runtime::Server& server_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  runtime::MeterReading before_;
  bool shown_ = false;
};

// A running process: what the signals act on.
class Process {
 public:
  explicit Process(const plan::Plan& plan)
      : plan_(plan), server_(plan), stdio_(plan::stdio_listener(plan)), signals_(io_) {
    server_.on_stdio(
        [this](const proxy::Outcome& outcome) { stdio_failed(outcome); },
        [this](const proxy::Outcome& outcome) { asio::post(io_, [this, outcome] { stdio_ended(outcome); }); });
  }

  int run() {
    watch_signals();
    const int status = serve();
    mask_signals(SIG_BLOCK);
    return status;
  }

 private:
  int serve() {
    if (!descriptors_suffice()) return kExitBadConfiguration;
    server_.on_drain_asked([this] {
      asio::post(io_, [this] {
        if (!draining_) terminate();
      });
    });
    server_.on_quit_asked([this] { asio::post(io_, [this] { quit(); }); });
    if (Result<void> started = server_.start(); !started.ok()) {
      log::error("{}", started.error().text());
      return kExitFailed;
    }
    if (plan_.process.stats) meter_.emplace(io_, server_);
    runtime::notify_service_manager("READY=1");
    io_.run();
    server_.join();
    if (const std::size_t cut = server_.cut(); cut > 0)
      log::warning("drain time over: {} connection{} reset", cut, cut == 1 ? " was" : "s were");
    log::info("ended");
    const ExitAnyway exit_anyway(status_);
    if (meter_) meter_->sum_up();
    server_.records()->stop();
    return status_;
  }

  bool descriptors_suffice() {
    const std::uint64_t descriptors = raise_descriptors();
    const std::uint64_t connections = server_.limits().connections;
    const std::uint64_t needed = connections * 2 + 64;
    if (needed <= descriptors) return true;
    const bool asked = std::any_of(plan_.process.limits.begin(), plan_.process.limits.end(),
                                   [](const plan::Limit& l) { return l.key == "conns"; });
    if (asked) {
      log::error("{} connections may need {} descriptors, the system gives {}: raise `ulimit -n` or lower the limit",
                 connections, needed, descriptors);
      return false;
    }
    if (needed * 9 / 10 > descriptors)
      log::info("the system gives {} descriptors, enough for about {} of {} connections (raise with `ulimit -n`)",
                descriptors, descriptors > 64 ? (descriptors - 64) / 2 : 0, connections);
    return true;
  }

  void watch_signals() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    for (const int number : kSignals) signals_.add(number);
    mask_signals(SIG_UNBLOCK);
    next_signal();
  }

  void next_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error || over_) return;
      next_signal();
      on_signal(number);
    });
  }

  void on_signal(int number) {
    switch (number) {
      case SIGUSR2:
        write_to_stderr(server_.stats() + '\n');
        break;
      case SIGHUP:
        if (stdio_ != nullptr) return terminate();  // whoever we served hangs up; ssh tells its ProxyCommand so
        log::warning("SIGHUP ignored: this version does not reload");
        break;
      case SIGUSR1:
        log::warning("SIGUSR1 ignored: this version does not reopen logs");
        break;
      default:
        terminate();
    }
  }

  void terminate() {
    const auto now = std::chrono::steady_clock::now();
    // Some supervisors (GNU timeout) signal a process and then its group: that is one request, not two.
    if (signalled_ && now - signalled_since_ < kSameSignal) return;
    if (signalled_) end_at_once("second signal");
    signalled_ = true;
    signalled_since_ = now;
    log::info("draining for at most {} s (a second signal ends at once)",
              static_cast<double>(plan_.process.drain.count()) / 1000);
    runtime::notify_service_manager("STOPPING=1");
    drain();
  }

  // On a worker's thread, and at once: ssh ends its ProxyCommand, sentence or not, when it sees our output end.
  void stdio_failed(const proxy::Outcome& outcome) const {
    if (runtime::exit_status(outcome) == kExitOk) return;
    const std::string_view text = outcome.error.text();
    log::write_at_once(
        log::Level::error,
        fmt::format("{}: {}", stdio_->name, log::escape(text.empty() ? to_string(outcome.error.kind) : text)));
  }

  // Linger is armed on every socket: the kernel resets them all.
  [[noreturn]] void end_at_once(std::string_view why) {
    log::warning("{}: ending at once", why);
    const ExitAnyway exit_anyway(status_);
    if (meter_) meter_->sum_up();
    log::stop();
    server_.records()->stop();
    ::_exit(status_);
  }

  // POST /quitquitquit: a drain without patience, or the end of the one under way.
  void quit() {
    if (draining_) end_at_once("POST /quitquitquit");
    log::info("ending: POST /quitquitquit");
    runtime::notify_service_manager("STOPPING=1");
    drain(plan::Milliseconds::zero());
  }

  // The process was for this connection; what other lines still have is drained.
  void stdio_ended(const proxy::Outcome& outcome) {
    status_ = runtime::exit_status(outcome);
    drain();
  }

  void drain() { drain(plan_.process.drain); }
  void drain(plan::Milliseconds patience) {
    if (std::exchange(draining_, true)) return;
    server_.drain(patience, [this] {
      asio::post(io_, [this] {
        over_ = true;  // a signal that was on its way is not cancelled, and must not be waited behind
        signals_.cancel();
        if (meter_) meter_->stop();
      });
    });
  }

  const plan::Plan& plan_;
  asio::io_context io_;
  runtime::Server server_;
  const plan::Listener* stdio_;  // that of plan_ on standard input and output, if there is one
  asio::signal_set signals_;
  std::optional<Meter> meter_;
  int status_ = kExitOk;
  bool draining_ = false;
  bool signalled_ = false;
  bool over_ = false;
  std::chrono::steady_clock::time_point signalled_since_;
};

}  // namespace

int run(const plan::Plan& plan) {
  mask_signals(SIG_BLOCK);  // first: threads take the mask of who starts them
  log::start(level_of(plan.process.verbosity, plan::stdio_listener(plan) != nullptr), style_of(plan.process.log_format),
             plan.process.stats && ::isatty(STDERR_FILENO) == 1);
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
