// SPDX-License-Identifier: Apache-2.0
#include "proxy/session.hpp"

#include "proxy/kept_response.hpp"

namespace tunnel::proxy {

void Session::fail(const Error& reason) {
  // What the client itself did is no news; a hop's failure is told by whoever accepted the client.
  if (downstream && reason.side != Error::Side::downstream) handler.tell(record.downstream_remote, reason);
  handler.finish_record(record, nullptr, reason);
  if (!downstream) return;
  // What came over an internal hop stands already with --envoy-compat only: as in Envoy, it learns that it has ended.
  downstream->abort(admission.entered() ? reason : Error(Error::Kind::reset, "ended behind an internal listener"));
}

Task<void> relay(std::unique_ptr<Session> session) {
  Relay relaying(session->handler.context(), session->handler.tunnel_timeouts(), *session->downstream,
                 *session->upstream, &session->handler.traffic(session->record));
  session->relay = &relaying;
  relaying.flow().read_ahead(session->handler.read_ahead());
  relaying.flow().on_silence(
      [](void* self) noexcept {
        const auto& silent = *static_cast<Session*>(self);
        silent.handler.tell_silence(silent.record);
      },
      session.get());
  session->lifetime =
      Lifetime::of(session->handler, *session, session->record.downstream_remote, session->record.begin);
  const RelayEnd end = co_await relaying.run();
  session->lifetime.reset();
  session->relay = nullptr;
  session->handler.tell_end(session->record, relaying.flow(), end.error, session->admission.entered());
  if (session->tunnel != nullptr) session->record.state = with_trailers(session->record.state, *session->tunnel);
  session->upstream.reset();  // a hop behind us writes its line first
  session->downstream.reset();
  session->handler.finish_record(session->record, &relaying.flow(), end.error);
}

}  // namespace tunnel::proxy
