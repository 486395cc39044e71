// SPDX-License-Identifier: Apache-2.0
// The part of a worker that an embedder's code sees, and the count of that code's tasks.
#pragma once
#include <cstddef>
#include <string>

#include "base/cancel.hpp"
#include "proxy/environment.hpp"
#include "tunnel/custom.hpp"

namespace tunnel::proxy {

class Embedded final : public EngineWorker {
 public:
  explicit Embedded(Environment& environment)
      : environment_(environment), cancel_(environment.context.loop), empty_(environment.context.loop) {}

  Loop& loop() override { return environment_.context.loop; }
  bool draining() const override { return environment_.draining; }
  void spawn(Task<void> task) override { tunnel::spawn(count(std::move(task))); }

  // `task` with the embedder's function object, which its frame may refer to, kept beside it. Not run once closed.
  void spawn(const std::function<Task<void>(EngineWorker&)>& task);
  // What `handler` makes of one connection.
  void serve(const CustomHandler& handler, StreamPtr stream, ConnectionInfo client);

  bool empty() const { return tasks_ == 0; }
  // Set whenever the last task ended.
  Notify& became_empty() { return empty_; }
  // Connects that wait, and later ones, fail.
  void cancel(const Error& reason) noexcept { cancel_.cancel(reason); }
  void close() { closed_ = true; }

 private:
  Task<Result<StreamPtr>> do_connect(std::string address, ConnectionInfo client, Duration timeout) override;
  Task<void> count(Task<void> task);
  Task<void> hold(std::function<Task<void>(EngineWorker&)> task);

  Environment& environment_;
  Cancel cancel_;
  std::size_t tasks_ = 0;
  Notify empty_;
  bool closed_ = false;
};

}  // namespace tunnel::proxy
