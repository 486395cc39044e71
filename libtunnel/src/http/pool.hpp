// SPDX-License-Identifier: Apache-2.0
// Upstream HTTP connections of one cluster and worker. Over HTTP/2 exchanges share a connection and at most one is
// being dialled at a time; over HTTP/1.1 an idle connection is reused, else a new one is dialled. A connection that
// said GOAWAY, broke or was idle for too long gets no new exchange.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "http/dialer.hpp"
#include "http/exchange.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::http {

class Pool final {
 public:
  struct Acquired {
    std::unique_ptr<ClientExchange> exchange;  // must be gone before the pool is
    std::string address;
    std::uint64_t newest = 0;  // of the pool's connections then
  };

  Pool(const Context& context, Dialer& dialer, plan::Http protocol);
  ~Pool();

  // `newer_than`: over a connection made later, for the second try of a request whose pooled connection turned out to
  // be dead: Acquired::newest of the first; else 0. Errors: the dialler's, the reason of request.cancel, or `closed`
  // (safe to repeat) when the connection ended as soon as it stood.
  Task<Result<Acquired>> acquire(ConnectRequest& request, std::uint64_t newer_than);
  // Orderly: idle connections end now, others with their last exchange.
  void close() noexcept;
  void abort(const Error& reason) noexcept;
  // No connection is left: the pool may be destroyed.
  bool empty() const { return free_.empty() && rest_.empty() && dialling_ == 0; }
  // Set whenever empty() may have become true.
  void on_empty(Notify* notify) { empty_notify_ = notify; }

 private:
  struct Entry;
  struct Waiting;
  struct Reap : Waiter {
    explicit Reap(Pool& owner) : Waiter(&Reap::fire), pool(owner) {}
    static void fire(Waiter& self) noexcept { static_cast<Reap&>(self).pool.reap(); }
    Pool& pool;
  };

  void changed(Entry& entry) noexcept;
  Entry* find_free(std::uint64_t newer_than);
  Acquired open(Entry& entry);
  Task<Result<Entry*>> dial(ConnectRequest& request);
  Task<void> drive(Entry& entry);
  void wake_waiting(const Error& error) noexcept;
  void count_leases(Entry& entry) noexcept;
  void reap() noexcept;
  template <class Call>
  void for_each_connection(Call call) noexcept;
  void close_idle() noexcept;

  Context context_;
  Dialer& dialer_;
  plan::Http protocol_;
  // An entry is in free_ while its connection takes another exchange; so neither list is searched with thousands of
  // tunnels open.
  std::list<Entry> free_;
  std::list<Entry> rest_;
  std::vector<Entry*> to_reap_;
  std::vector<Waiting*> waiting_;
  std::size_t dialling_ = 0;
  std::uint64_t made_ = 0;
  bool closed_ = false;
  Reap reap_;
  Timer idle_timer_;
  Notify* empty_notify_ = nullptr;
};

}  // namespace tunnel::http
