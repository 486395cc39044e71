// SPDX-License-Identifier: Apache-2.0
#include "http/pool.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::http {

struct Pool::Entry final : ClientConnection::Observer {
  Entry(Pool& of, std::unique_ptr<ClientConnection> with, std::string at)
      : pool(of),
        connection(std::move(with)),
        address(std::move(at)),
        gauge(of.context_.counters, Gauge::pool_connections) {
    connection->observe(this);
  }
  void client_connection_changed(ClientConnection&) noexcept override { pool.changed(*this); }
  bool takes_more() const { return !ended && connection->usable() && connection->capacity() > 0; }

  Pool& pool;
  std::unique_ptr<ClientConnection> connection;
  std::string address;
  GaugeGuard gauge;
  std::list<Entry>::iterator self;
  std::uint64_t number = 0;  // in the order they were made, from 1
  unsigned leases = 0;       // as counted in the gauge
  bool ended = false;        // run() has returned
  bool free = false;         // in free_
  bool reaping = false;      // in to_reap_
};

// An acquire() that waits for somebody else's dialling.
struct Pool::Waiting {
  explicit Waiting(Loop& loop) : news(loop) {}
  Notify news;
  Error error;
};

Pool::Pool(const Context& context, Dialer& dialer, plan::Http protocol)
    : context_(context),
      dialer_(dialer),
      protocol_(protocol),
      reap_(*this),
      idle_timer_(context.loop, [](void* self) noexcept { static_cast<Pool*>(self)->close_idle(); }, this) {}

Pool::~Pool() = default;

Task<Result<Pool::Acquired>> Pool::acquire(ConnectRequest& request, std::uint64_t newer_than) {
  for (;;) {
    if (request.cancel.cancelled()) co_return request.cancel.reason();
    if (Entry* entry = find_free(newer_than)) co_return open(*entry);
    // What is being dialled is new to everybody: many who lost one connection share the next.
    if (protocol_ == plan::Http::h2 && dialling_ > 0) {
      context_.counters.add(Counter::pool_queued);
      Waiting waiting(context_.loop);
      waiting_.push_back(&waiting);
      {
        const Cancel::Hook hook(
            request.cancel, [](void* self) noexcept { static_cast<Waiting*>(self)->news.set(); }, &waiting);
        co_await waiting.news.wait();
      }
      std::erase(waiting_, &waiting);
      if (waiting.error) co_return waiting.error;
      continue;
    }
    Task<Result<Entry*>> dialling = dial(request);
    Result<Entry*> entry = co_await dialling;
    if (!entry.ok()) co_return entry.error();
    if ((*entry)->takes_more()) co_return open(**entry);
    Error gone(Error::Kind::closed, "the connection was closed as soon as it stood");
    gone.retry_safe = true;
    co_return gone.on(Error::Side::upstream);
  }
}

Pool::Entry* Pool::find_free(std::uint64_t newer_than) {
  Entry* best = nullptr;
  // Over HTTP/1.1 every free connection is as good as the other, and there may be many.
  for (Entry& entry : free_) {
    if (entry.number <= newer_than || !entry.takes_more()) continue;
    if (best == nullptr || entry.connection->active() < best->connection->active()) best = &entry;
    if (protocol_ == plan::Http::h1) break;
  }
  const auto full = [](const Entry& entry) { return !entry.ended && entry.connection->usable(); };
  if (best == nullptr && protocol_ == plan::Http::h2 && std::any_of(rest_.begin(), rest_.end(), full))
    context_.counters.add(Counter::pool_full);
  return best;
}

Pool::Acquired Pool::open(Entry& entry) {
  Acquired acquired{entry.connection->open(), entry.address, made_};
  if (closed_) entry.connection->close();  // a drain lets requests on their way use it once
  changed(entry);
  return acquired;
}

Task<Result<Pool::Entry*>> Pool::dial(ConnectRequest& request) {
  ++dialling_;
  Task<Result<Dialer::Dialed>> dialling = dialer_.dial(request);
  Result<Dialer::Dialed> dialed = co_await dialling;
  --dialling_;
  if (!dialed.ok()) {
    // Whoever waits for this connection fails with it, unless it only failed because its own client left.
    const bool own = request.cancel.cancelled();
    wake_waiting(own ? Error() : dialed.error());
    if (empty_notify_ != nullptr) empty_notify_->set();
    co_return dialed.error();
  }
  std::unique_ptr<ClientConnection> connection = protocol_ == plan::Http::h2
                                                     ? h2::make_client(context_, std::move(dialed->stream))
                                                     : h1::make_client(context_, std::move(dialed->stream));
  rest_.emplace_back(*this, std::move(connection), std::move(dialed->address));
  Entry& entry = rest_.back();
  entry.self = std::prev(rest_.end());
  entry.number = ++made_;
  spawn(drive(entry));
  changed(entry);
  wake_waiting(Error());
  co_return &entry;
}

Task<void> Pool::drive(Entry& entry) {
  co_await entry.connection->run();
  entry.ended = true;
  changed(entry);
}

void Pool::wake_waiting(const Error& error) noexcept {
  for (Waiting* waiting : std::exchange(waiting_, {})) {
    waiting->error = error;
    waiting->news.set();
  }
}

void Pool::count_leases(Entry& entry) noexcept {
  const unsigned active = entry.connection->active();
  for (; entry.leases < active; ++entry.leases) context_.counters.up(Gauge::leases);
  for (; entry.leases > active; --entry.leases) context_.counters.down(Gauge::leases);
}

void Pool::changed(Entry& entry) noexcept {
  count_leases(entry);
  if (const bool free = entry.takes_more(); free != entry.free) {
    entry.free = free;
    if (free)
      free_.splice(free_.begin(), rest_, entry.self);
    else
      rest_.splice(rest_.begin(), free_, entry.self);
  }
  if (entry.free && entry.connection->active() == 0)
    idle_timer_.arm_at_latest(entry.connection->idle_since() + context_.limits.pool_idle);
  if (entry.ended && entry.connection->active() == 0 && !entry.reaping) {
    entry.reaping = true;
    to_reap_.push_back(&entry);
    context_.loop.post(reap_);
  }
}

void Pool::reap() noexcept {
  for (Entry* entry : std::exchange(to_reap_, {})) (entry->free ? free_ : rest_).erase(entry->self);
  if (empty_notify_ != nullptr && empty()) empty_notify_->set();
}

void Pool::close_idle() noexcept {
  std::vector<ClientConnection*> idle;
  TimePoint next = TimePoint::max();
  for (Entry& entry : free_) {
    if (entry.connection->active() > 0) continue;
    const TimePoint due = entry.connection->idle_since() + context_.limits.pool_idle;
    if (due <= context_.loop.now())
      idle.push_back(entry.connection.get());
    else
      next = std::min(next, due);
  }
  for (ClientConnection* connection : idle) {
    context_.counters.add(Counter::pool_idle_closed);
    connection->close();
  }
  if (next != TimePoint::max()) idle_timer_.arm_at_latest(next);
}

template <class Call>
void Pool::for_each_connection(Call call) noexcept {
  std::vector<ClientConnection*> all;
  for (const std::list<Entry>* list : {&free_, &rest_})
    for (const Entry& entry : *list)
      if (!entry.ended) all.push_back(entry.connection.get());
  for (ClientConnection* connection : all) call(*connection);
  context_.loop.post(reap_);
}

void Pool::close() noexcept {
  closed_ = true;
  for_each_connection([](ClientConnection& connection) { connection.close(); });
}

void Pool::abort(const Error& reason) noexcept {
  closed_ = true;
  for_each_connection([&reason](ClientConnection& connection) { connection.abort(reason); });
}

}  // namespace tunnel::http
