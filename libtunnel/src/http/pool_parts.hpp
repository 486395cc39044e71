// SPDX-License-Identifier: Apache-2.0
// What a Pool is made of, for its own files: connections, exchanges that wait for one, and connections being made.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/pool.hpp"

namespace tunnel::http {

struct Pool::Entry final : ClientConnection::Observer {
  // The stream of `dialed` is `with`'s by now.
  Entry(Pool& of, std::unique_ptr<ClientConnection> with, Dialer::Dialed dialed)
      : pool(of),
        endpoint(std::move(dialed.endpoint)),
        connection(std::move(with)),
        address(std::move(dialed.address)),
        peer(std::move(dialed.peer)),
        local(dialed.local),
        far_state(std::move(dialed.far_state)),
        made(of.context_.loop.now()),
        gauge(of.context_.counters, Gauge::pool_connections) {
    pool.stats_.connections.add(1);
    connection->observe(this);
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() { pool.stats_.connections.subtract(1); }
  void client_connection_changed(ClientConnection&) noexcept override { pool.changed(*this); }
  bool takes_more() const { return !ended && connection->usable() && connection->capacity() > 0; }
  bool is_live() const {
    return !ended && connection->usable() && connection->health() != ClientConnection::Health::doubtful;
  }

  Pool& pool;
  std::shared_ptr<const void> endpoint;
  std::unique_ptr<ClientConnection> connection;
  std::string address;
  std::string peer;
  SocketAddress local;
  FilterStatePtr far_state;
  TimePoint made;
  GaugeGuard gauge;
  std::list<Entry>::iterator self;
  std::uint64_t number = 0;  // in the order they were made, from 1
  unsigned leases = 0;       // as counted in the gauge
  bool used = false;
  bool live = false;      // as counted in live_
  bool ended = false;     // run() has returned
  bool free = false;      // in free_
  bool reaping = false;   // in to_reap_
  bool doubtful = false;  // and this was told
};

// An acquire() that waits.
struct Pool::Waiting {
  Waiting(Loop& loop, const ConnectRequest& of, std::uint64_t newer) : request(of), newer_than(newer), news(loop) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting();
  const ConnectRequest& request;
  std::uint64_t newer_than;
  Notify news;
  TimePoint may_share_at{};
  Dial* dial = nullptr;  // made for this one first of all
  std::optional<Acquired> acquired;
  Error error;
  bool done() const { return acquired.has_value() || error; }
};

// A connection being made. It is given up when nobody wants it any more, when the time of whom it was made for is over,
// or, if that one left before, after the connect timeout: whoever still waits may have come late.
struct Pool::Dial {
  Dial(Pool& of, Waiting* first)
      : pool(of),
        owner(first),
        given_up(of.context_.loop),
        late(of.context_.loop, &Dial::is_late, this),
        self(of.dials_.insert(of.dials_.end(), this)) {
    if (owner != nullptr) owner->dial = this;
    late.arm_after(of.cluster_.connect_timeout);
  }
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;
  ~Dial() {
    if (owner != nullptr) owner->dial = nullptr;
    pool.dials_.erase(self);
  }
  static void is_late(void* context) noexcept {
    auto& self = *static_cast<Dial*>(context);
    self.has_timed_out = true;
    if (self.owner == nullptr) self.given_up.cancel(Error(Error::Kind::timeout, "connecting took too long"));
  }
  Pool& pool;
  Waiting* owner;
  Cancel given_up;
  Timer late;
  bool has_timed_out = false;
  std::list<Dial*>::iterator self;
};

}  // namespace tunnel::http
