// SPDX-License-Identifier: Apache-2.0
// Upstream HTTP connections of one cluster and worker.
//
// Over HTTP/2 exchanges share connections. Unless conns= is above 1, the next connection is made when the others are
// full, and one at a time. With conns=N above 1, bulk is spread: an exchange that would share a connection waits for
// another to be made while there are fewer than N, but not longer than kSharePatience; then the least loaded is taken.
// Over HTTP/1.1 an idle connection is reused, else a new one is made. With conns=N, N are up at most and exchanges
// queue, first come, first served.
//
// A connection that said GOAWAY, broke, does not answer or was idle for too long gets no new exchange, and none of
// these but the last counts among N. prewarm=N keeps N connections with room for another exchange.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "http/dialer.hpp"
#include "http/exchange.hpp"
#include "http/pool_stats.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::http {

class Pool final {
 public:
  struct Acquired {
    std::unique_ptr<ClientExchange> exchange;  // must be gone before the pool is
    std::string address;
    std::string peer;          // as Dialed
    FilterStatePtr far_state;  // as Dialed
    std::uint64_t newest = 0;  // of the pool's connections then
    SocketAddress local{};     // as Dialed
  };
  // How long an exchange that could share a connection waits for one of its own.
  static constexpr std::chrono::milliseconds kSharePatience{250};

  // `cluster`: its protocol, pool settings, connect timeout and name. What is referred to outlives the pool.
  Pool(const Context& context, Dialer& dialer, const plan::Cluster& cluster, PoolStats& stats);
  ~Pool();

  // Makes the connections of prewarm=. Once, when whatever they lead to is in place.
  void start();
  // `newer_than`: over a connection made later, for the second try of a request whose pooled connection turned out to
  // be dead: Acquired::newest of the first; else 0. Waits until request.cancel. Errors: the dialler's, the reason of
  // request.cancel (`limit` instead of its timeout if conns= was what it waited for), or `closed` (safe to repeat) when
  // the connection ended as soon as it stood.
  Task<Result<Acquired>> acquire(ConnectRequest& request, std::uint64_t newer_than);
  // Orderly: idle connections end now, others with their last exchange.
  void close() noexcept;
  void abort(const Error& reason) noexcept;
  // No connection is left: the pool may be destroyed.
  bool empty() const { return free_.empty() && rest_.empty() && waiting_.empty() && dials_.empty() && !work_.queued(); }
  // Set whenever empty() may have become true.
  void on_empty(Notify* notify) { empty_notify_ = notify; }

 private:
  struct Entry;
  struct Waiting;
  struct Dial;
  struct Work : Waiter {
    explicit Work(Pool& owner) : Waiter(&Work::fire), pool(owner) {}
    static void fire(Waiter& self) noexcept { static_cast<Work&>(self).pool.work(); }
    Pool& pool;
  };

  bool is_h2() const { return cluster_.protocol == plan::Http::h2; }
  bool spreads() const { return is_h2() && cluster_.pool.connections > 1; }
  // More connections may be made, those on their way counted.
  bool may_grow() const;
  Entry* pick(const Waiting& waiting);
  Acquired open(Entry& entry);
  void work() noexcept;
  void serve() noexcept;
  std::size_t dials_wanted() const;
  void drop_unwanted_dials(const Error& reason) noexcept;
  Task<void> make_connection(Waiting* first);
  void add(Dialer::Dialed dialed, bool prewarm);
  void dial_failed(const Error& reason);
  void fail_waiting(const Error& reason, std::size_t most);
  Task<void> drive(Entry& entry);
  void changed(Entry& entry) noexcept;
  void count(Entry& entry) noexcept;
  void watch_health(Entry& entry) noexcept;
  void reap() noexcept;
  void prewarm_missed(const Error& reason) noexcept;
  void close_idle() noexcept;
  template <class Call>
  void for_each_connection(Call call) noexcept;
  Duration idle_time() const;
  std::size_t streams() const;

  Context context_;
  Dialer& dialer_;
  const plan::Cluster& cluster_;
  PoolStats& stats_;
  // An entry is in free_ while its connection takes another exchange; so neither list is searched with thousands of
  // tunnels open.
  std::list<Entry> free_;
  std::list<Entry> rest_;
  std::vector<Entry*> to_reap_;
  std::list<Waiting*> waiting_;  // in the order they came
  std::list<Dial*> dials_;
  std::size_t live_ = 0;  // entries that count among conns=
  std::uint64_t made_ = 0;
  bool started_ = false;
  bool closed_ = false;
  bool working_ = false;
  bool hold_ = false;  // a dial failed while others are under way: no further one before these tell more
  Work work_;
  Timer idle_timer_;
  Timer work_timer_;        // when a waiting exchange may share, or prewarming may try again
  Duration backoff_{};      // of prewarming, after a failure
  TimePoint prewarm_at_{};  // not before
  Notify* empty_notify_ = nullptr;
};

}  // namespace tunnel::http
