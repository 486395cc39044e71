// SPDX-License-Identifier: Apache-2.0
#include "proxy/simple_handlers.hpp"

#include <utility>
#include <variant>

#include "proxy/embedded.hpp"
#include "proxy/session.hpp"

namespace tunnel::proxy {
namespace {

// The far end of a discard: takes everything, says nothing, ends when told to.
Task<void> drop_all(StreamPtr stream) {
  Buffer dropped;
  for (;;) {
    Result<std::size_t> n = co_await stream->read(dropped, 65536);
    if (!n.ok() || *n == 0) break;
    dropped.clear();
  }
  Result<void> ended = co_await stream->shutdown_write();
  (void)ended.ok();
}

// The far end of an echo.
Task<void> send_back(StreamPtr stream) {
  Buffer bytes;
  for (;;) {
    Result<std::size_t> n = co_await stream->read(bytes, 65536);
    if (!n.ok() || *n == 0) break;
    Result<void> written = co_await stream->write(bytes);
    if (!written.ok()) co_return;
  }
  Result<void> ended = co_await stream->shutdown_write();
  (void)ended.ok();
}

}  // namespace

SimpleHandler::SimpleHandler(Environment& environment, const plan::Listener& plan) : Handler(environment, plan) {}

void SimpleHandler::accepted(StreamPtr stream, ConnectionInfo info) {
  look_at(info);
  std::unique_ptr<Session> session = start_session(info);
  session->downstream = std::move(stream);
  if (session->admission.refusal()) return session->fail(session->admission.refusal());
  serve(std::move(session), info);
}

Task<Result<SimpleHandler::Opened>> SimpleHandler::open(ConnectRequest& request) {
  look_at(request.info);
  std::unique_ptr<Session> session = start_session(request.info);
  if (session->admission.refusal()) {
    session->fail(session->admission.refusal());
    co_return session->admission.refusal();
  }
  auto [near, far] = make_pair();
  session->downstream = std::move(far);
  serve(std::move(session), request.info);
  co_return Opened{std::move(near), "", request.info.state};
}

std::unique_ptr<Session> SimpleHandler::start_session(const ConnectionInfo& info) {
  auto session = std::make_unique<Session>(*this, info, "");
  const plan::Handler& kind = plan().handler;
  session->record.upstream = std::holds_alternative<plan::Echo>(kind)      ? "echo:"
                             : std::holds_alternative<plan::Discard>(kind) ? "discard:"
                                                                           : "custom:" + plan().name;
  return session;
}

// Relayed to a pair with somebody at its far end: limits, timers and the log line are then those of any other
// connection.
void SimpleHandler::serve(std::unique_ptr<Session> session, const ConnectionInfo& info) {
  auto [near, far] = make_pair();
  session->upstream = std::move(near);
  start_far_end(std::move(far), info);
  spawn(relay(std::move(session)));
}

void SimpleHandler::start_far_end(StreamPtr stream, const ConnectionInfo& info) const {
  const plan::Handler& kind = plan().handler;
  if (std::holds_alternative<plan::Echo>(kind)) return spawn(send_back(std::move(stream)));
  if (std::holds_alternative<plan::Discard>(kind)) return spawn(drop_all(std::move(stream)));
  environment().embedded.serve(environment().shared.custom.at(plan().name), std::move(stream), info);
}

}  // namespace tunnel::proxy
