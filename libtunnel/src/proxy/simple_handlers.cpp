// SPDX-License-Identifier: Apache-2.0
#include "proxy/simple_handlers.hpp"

#include <utility>

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

void SimpleHandler::accepted(StreamPtr stream, ConnectionInfo info) { serve(std::move(stream), info); }

Task<Result<SimpleHandler::Opened>> SimpleHandler::open(ConnectRequest& request) {
  auto [near, far] = make_pair();
  serve(std::move(far), request.info);
  co_return Opened{std::move(near), ""};
}

// Relayed to a pair whose far end echoes or drops: limits, timers and the log line are then those of any other
// connection.
void SimpleHandler::serve(StreamPtr stream, const ConnectionInfo& info) {
  auto session = std::make_unique<Session>(*this, info);
  session->record.upstream = echo_ ? "echo:" : "discard:";
  session->downstream = std::move(stream);
  if (session->admission.refusal()) return session->fail(session->admission.refusal());
  auto [near, far] = make_pair();
  session->upstream = std::move(near);
  spawn(echo_ ? send_back(std::move(far)) : drop_all(std::move(far)));
  spawn(relay(std::move(session)));
}

}  // namespace tunnel::proxy
