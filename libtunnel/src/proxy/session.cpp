// SPDX-License-Identifier: Apache-2.0
#include "proxy/session.hpp"

namespace tunnel::proxy {

Task<void> relay(std::unique_ptr<Session> session) {
  Relay relaying(session->handler.context(), session->handler.tunnel_timeouts(), *session->downstream,
                 *session->upstream);
  session->relay = &relaying;
  const RelayEnd end = co_await relaying.run();
  session->relay = nullptr;
  session->upstream.reset();  // a hop behind us writes its line first
  session->downstream.reset();
  session->handler.finish_record(session->record, &relaying.flow(), end.error);
}

}  // namespace tunnel::proxy
