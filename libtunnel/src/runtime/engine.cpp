// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <mutex>
#include <utility>

#include "base/log.hpp"
#include "plan/wording.hpp"
#include "runtime/server.hpp"
#include "tunnel/run.hpp"

namespace tunnel {
namespace {

// While it lives, threads that are started take no signal: the embedder's handlers run on the embedder's threads, and a
// peer that left is an error value, no SIGPIPE.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { (void)pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// Every problem as a sentence with its place.
std::string sentences(const std::vector<plan::Problem>& problems) {
  std::string text;
  for (const plan::Problem& problem : problems) {
    const std::string where = plan::to_string(problem.place);
    text += (text.empty() ? "" : "\n") + where + (where.empty() ? "" : ": ") + problem.text;
  }
  return text;
}

}  // namespace

struct Engine::Impl {
  explicit Impl(plan::Plan of) : plan(std::move(of)) {}
  const plan::Plan plan;
  CustomHandlers handlers;
  std::unique_ptr<runtime::Server> server;  // since start()
  std::once_flag drained;
  std::mutex joining;
};

Engine::Engine(plan::Plan plan) : impl_(std::make_unique<Impl>(std::move(plan))) {}

Engine::~Engine() {
  if (!impl_->server) return;
  drain(std::chrono::milliseconds::zero());
  (void)wait();
}

void Engine::serve(const std::string& name, CustomHandler handler) { impl_->handlers[name] = std::move(handler); }

Result<void> Engine::start() {
  if (const std::vector<plan::Problem> problems = plan::check(impl_->plan); !problems.empty())
    return Error(Error::Kind::internal, sentences(problems));
  auto server = std::make_unique<runtime::Server>(impl_->plan, std::move(impl_->handlers));
  const SignalsBlocked blocked;
  Result<void> started = server->start();
  if (started.ok()) impl_->server = std::move(server);
  return started;
}

std::vector<SocketAddress> Engine::addresses(const std::string& name) const { return impl_->server->addresses(name); }

std::size_t Engine::workers() const { return impl_->server->workers(); }

void Engine::spawn(std::size_t index, std::function<Task<void>(EngineWorker&)> task) {
  impl_->server->worker(index).spawn(std::move(task));
}

std::string Engine::stats() const { return impl_->server->stats(); }

void Engine::drain(std::chrono::milliseconds patience) {
  std::call_once(impl_->drained, [&] { impl_->server->drain(patience, [] {}); });
}

std::size_t Engine::wait() {
  const std::scoped_lock lock(impl_->joining);
  impl_->server->join();
  impl_->server->records()->stop();
  return impl_->server->cut();
}

void log_to(LogLevel least, std::function<void(LogLevel level, std::string_view line)> sink) {
  log::start(static_cast<log::Level>(least), [call = std::move(sink)](log::Level level, std::string_view line) {
    call(static_cast<LogLevel>(level), line);
  });
}

}  // namespace tunnel
