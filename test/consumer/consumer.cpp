// SPDX-License-Identifier: Apache-2.0
// Sends a line to an echo behind an internal hop and compares what comes back; prints the version.
#include <cstdio>
#include <future>
#include <memory>
#include <string>

#include "tunnel/run.hpp"

namespace {

using namespace tunnel;

plan::Plan echo_behind_a_hop() {
  plan::Listener hop;
  hop.name = "hop";
  hop.addresses = {plan::Internal{"hop", ""}};
  hop.handler = plan::TcpProxy{"echo", {}};
  plan::Listener echo;
  echo.name = "echo";
  echo.addresses = {plan::Internal{"echo", ""}};
  echo.handler = plan::Echo{};
  plan::Cluster cluster;
  cluster.name = "echo";
  cluster.endpoints = {{plan::Internal{"echo", ""}}};
  plan::Plan plan;
  plan.process.workers = 2;
  plan.listeners = {hop, echo};
  plan.clusters = {cluster};
  return plan;
}

Task<void> talk(EngineWorker& worker, std::shared_ptr<std::promise<std::string>> heard) {
  Task<Result<StreamPtr>> connecting = worker.connect("internal:hop");
  Result<StreamPtr> stream = co_await connecting;
  if (!stream.ok()) {
    heard->set_value(std::string(stream.error().text()));
    co_return;
  }
  Buffer said(std::string_view("said in memory"));
  Result<void> done = co_await (*stream)->write(said);
  if (done.ok()) done = co_await (*stream)->shutdown_write();
  Buffer back;
  for (;;) {
    Result<std::size_t> got = co_await (*stream)->read(back, 4096);
    if (!got.ok() || *got == 0) break;
  }
  heard->set_value(back.to_string());
}

}  // namespace

int main() {
  Engine engine(echo_behind_a_hop());
  if (!engine.start().ok()) return 1;
  for (std::size_t worker = 0; worker < engine.workers(); ++worker) {
    auto heard = std::make_shared<std::promise<std::string>>();
    std::future<std::string> answer = heard->get_future();
    engine.spawn(worker, [heard](EngineWorker& on) { return talk(on, heard); });
    if (answer.get() != "said in memory") return 1;
  }
  std::printf("%s\n", version().c_str());
  return 0;
}
