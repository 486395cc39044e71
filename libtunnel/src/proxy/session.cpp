// SPDX-License-Identifier: Apache-2.0
#include "proxy/session.hpp"

namespace tunnel::proxy {

void Session::fail(const Error& reason) {
  // What the client itself did is no news; a hop's failure is told by whoever accepted the client.
  if (downstream && reason.side != Error::Side::downstream) handler.tell(record.downstream_remote, reason);
  if (downstream) downstream->abort(reason);
  handler.finish_record(record, nullptr, reason);
}

Task<void> relay(std::unique_ptr<Session> session) {
  Relay relaying(session->handler.context(), session->handler.tunnel_timeouts(), *session->downstream,
                 *session->upstream);
  session->relay = &relaying;
  const RelayEnd end = co_await relaying.run();
  session->relay = nullptr;
  if (end.error.kind == Error::Kind::timeout) session->handler.tell(session->record.downstream_remote, end.error);
  session->upstream.reset();  // a hop behind us writes its line first
  session->downstream.reset();
  session->handler.finish_record(session->record, &relaying.flow(), end.error);
}

}  // namespace tunnel::proxy
