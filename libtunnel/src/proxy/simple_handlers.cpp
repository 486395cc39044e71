// SPDX-License-Identifier: Apache-2.0
#include "proxy/simple_handlers.hpp"

#include <utility>

#include "stream/user_space_pair.hpp"

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

void SimpleHandler::accepted(StreamPtr stream, ConnectionInfo info) {
  spawn(serve(std::move(stream), std::move(info)));
}

Task<Result<SimpleHandler::Opened>> SimpleHandler::open(ConnectRequest& request) {
  auto [near, far] = make_pair();
  spawn(serve(std::move(far), request.info));
  co_return Opened{std::move(near), ""};
}

// Relayed to a pair whose far end echoes or drops: limits, timers and the log line are then those of any other
// connection.
Task<void> SimpleHandler::serve(StreamPtr stream, ConnectionInfo info) {
  const Admission admission(*this, info);
  RelayedConnection connection(environment(), info.downstream);
  AccessRecord record = start_record(AccessRecord::Kind::connection, info);
  record.upstream = echo_ ? "echo:" : "discard:";
  if (admission.refusal()) {
    stream->abort(admission.refusal());
    finish_record(record, nullptr, admission.refusal());
    co_return;
  }
  auto [near, far] = make_pair();
  spawn(echo_ ? send_back(std::move(far)) : drop_all(std::move(far)));
  Relay relay(context(), tunnel_timeouts(), *stream, *near);
  connection.relaying(&relay);
  const RelayEnd end = co_await relay.run();
  connection.relaying(nullptr);
  near.reset();
  stream.reset();
  finish_record(record, &relay.flow(), end.error);
}

}  // namespace tunnel::proxy
