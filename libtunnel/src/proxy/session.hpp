// SPDX-License-Identifier: Apache-2.0
// One connection whose bytes are relayed, from admission to its log line.
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "proxy/handler.hpp"
#include "proxy/lifetime.hpp"

namespace tunnel::proxy {

// In the list of connections while it lives: drain lets it go on, abort ends the connect or the relay.
class Session final : public Connection {
 public:
  // `cluster`: where the handler will connect to; empty: nowhere.
  Session(Handler& of, const ConnectionInfo& info, std::string_view cluster)
      : Connection(of.environment().connections),
        handler(of),
        admission(of, info),
        record(of.start_record(AccessRecord::Kind::connection, admission, info, cluster)) {}
  void drain() noexcept override {}
  void abort(const Error& reason) noexcept override {
    if (connecting != nullptr) connecting->cancel(reason);
    if (relay != nullptr) relay->abort(reason);
  }
  void describe(Listing& into) const override { into.add(record, relay != nullptr ? &relay->flow() : nullptr); }
  void attach(Cluster::Dialed dialed) {
    record.upstream = std::move(dialed.address);
    record.upstream_local = dialed.local;
    endpoint = std::move(dialed.endpoint);
    tunnel = dialed.tunnel;
    upstream = std::move(dialed.stream);
  }
  // There will be nothing to relay: the client is reset and the line says why.
  void fail(const Error& reason);

  Handler& handler;
  Handler::Admission admission;
  AccessRecord record;
  std::shared_ptr<const void> endpoint;
  StreamPtr downstream;
  StreamPtr upstream;
  const http::ClientExchange* tunnel = nullptr;  // the same, see Dialed
  Cancel* connecting = nullptr;
  Relay* relay = nullptr;
  std::unique_ptr<Lifetime> lifetime;
};

// Relays between the session's two streams, writes its line and ends it. A coroutine of its own, so that nothing that
// was needed to connect is kept for the life of a connection.
Task<void> relay(std::unique_ptr<Session> session);

// Gives up what is done for a client when it resets its stream.
class ClientWatch final : public ResetObserver {
 public:
  ClientWatch(Stream& stream, Cancel& cancel) : stream_(&stream), cancel_(cancel) { stream.on_reset(this); }
  ClientWatch(const ClientWatch&) = delete;
  ClientWatch& operator=(const ClientWatch&) = delete;
  ~ClientWatch() { stop(); }
  // Once: afterwards the stream may have another observer, or be gone.
  void stop() {
    if (Stream* stream = std::exchange(stream_, nullptr)) stream->on_reset(nullptr);
  }
  void on_stream_reset(Stream& stream) noexcept override {
    cancel_.cancel(Error(stream.error()).on(Error::Side::downstream));
  }

 private:
  Stream* stream_;
  Cancel& cancel_;
};

}  // namespace tunnel::proxy
