// SPDX-License-Identifier: Apache-2.0
// A program with a pipeline inside it: a handler of its own on internal:greeter, a client of its own that reaches it
// through a CONNECT tunnel, and a listening socket for everybody else. Between client and handler there is no socket.
//
//   client of ours -> internal:encap -> HTTP/2 CONNECT -> internal:decap -> internal:greeter, a handler of ours
//   anybody else   -> 127.0.0.1:PORT -------------------------------------> internal:greeter
//
// It asks its own handler once, says which port it listens on, and ends when standard input does.
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "tunnel/run.hpp"

namespace {

using namespace tunnel;

plan::Listener listener(const std::string& name, plan::Address address, plan::Handler handler) {
  plan::Listener made;
  made.name = name;
  made.addresses = {std::move(address)};
  made.handler = std::move(handler);
  return made;
}

plan::Cluster to_internal(const std::string& name, const std::string& where) {
  plan::Cluster made;
  made.name = name;
  made.endpoints = {{plan::Internal{where, ""}}};
  made.protocol = plan::Http::h2;
  return made;
}

// What two lines of tun-run would write, with a handler that only this program has.
plan::Plan pipeline() {
  plan::HttpProxy decap;
  decap.routes = {{plan::Match{true, "/"}, plan::Terminate{"greeter"}, {}}};
  plan::Plan plan;
  plan.process.workers = 1;
  plan.listeners = {
      listener("door", plan::Tcp{"127.0.0.1", 0}, plan::TcpProxy{"greeter", {}}),
      listener("encap", plan::Internal{"encap", ""}, plan::TcpProxy{"decap", plan::Tunnel{"greeter.example:1"}}),
      listener("decap", plan::Internal{"decap", ""}, decap),
      listener("greeter", plan::Internal{"greeter", ""}, plan::Custom{}),
  };
  plan.clusters = {to_internal("decap", "decap"), to_internal("greeter", "greeter")};
  return plan;
}

// A line, without its end; what came if the stream ends before.
Task<std::string> read_line(Stream& stream) {
  Buffer bytes;
  for (;;) {
    const std::string text = bytes.to_string();
    if (const auto end = text.find('\n'); end != std::string::npos) co_return text.substr(0, end);
    Result<std::size_t> got = co_await stream.read(bytes, 4096);
    if (!got.ok() || *got == 0) co_return text;
  }
}

// Sends a line and finishes sending; false if the peer is gone.
Task<bool> write_line(Stream& stream, std::string line) {
  Buffer bytes(line + "\n");
  Result<void> done = co_await stream.write(bytes);
  if (done.ok()) done = co_await stream.shutdown_write();
  co_return done.ok();
}

// The handler: one call a connection, on the worker that has it. It owns the stream.
Task<void> greet(EngineWorker& /*worker*/, StreamPtr stream, ConnectionInfo client) {
  Task<std::string> reading = read_line(*stream);
  const std::string name = co_await reading;
  Task<bool> answering = write_line(*stream, "Hello, " + name + "; you came from " + client.downstream);
  (void)co_await answering;
}

// The client: the same coroutines over a stream that no kernel has heard of.
Task<void> ask(EngineWorker& worker, std::shared_ptr<std::promise<std::string>> answer) {
  Task<Result<StreamPtr>> connecting = worker.connect("internal:encap");
  Result<StreamPtr> stream = co_await connecting;
  if (!stream.ok()) {
    answer->set_value("no tunnel: " + std::string(stream.error().text()));
    co_return;
  }
  Task<bool> asking = write_line(**stream, "embedder");
  (void)co_await asking;
  Task<std::string> reading = read_line(**stream);
  answer->set_value(co_await reading);
}

}  // namespace

int main() {
  Engine engine(pipeline());
  engine.serve("greeter", greet);
  if (Result<void> started = engine.start(); !started.ok()) {
    std::fprintf(stderr, "embed: %s\n", std::string(started.error().text()).c_str());
    return 1;
  }

  auto answer = std::make_shared<std::promise<std::string>>();
  std::future<std::string> answered = answer->get_future();
  engine.spawn(0, [answer](EngineWorker& worker) { return ask(worker, answer); });
  std::printf("%s\n", answered.get().c_str());
  std::printf("listening on %s\n", engine.addresses("door").front().to_string().c_str());
  std::fflush(stdout);

  while (std::getchar() != EOF) {
  }
  engine.drain(std::chrono::seconds(5));
  std::printf("%zu connections had to be reset\n", engine.wait());
  return 0;
}
