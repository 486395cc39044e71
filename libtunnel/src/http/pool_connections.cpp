// SPDX-License-Identifier: Apache-2.0
// How a pool makes, watches and ends its connections.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "http/pool_parts.hpp"

namespace tunnel::http {
namespace {

// Between attempts to keep connections ready that fail, doubled each time.
constexpr std::chrono::milliseconds kFirstBackoff{250};
constexpr std::chrono::seconds kLongestBackoff{30};
// A connection lost unused sooner than this after it was made is a failure too, or a proxy that accepts and closes
// would be dialled without end. Less than servers wait for a first request.
constexpr std::chrono::seconds kShortLife{5};

}  // namespace

// For `first`, or ahead of need.
Task<void> Pool::make_connection(Waiting* first) {
  {
    Dial dial(*this, first);
    ConnectRequest request{{}, dial.given_up};
    request.info.downstream = "prewarm";
    if (first != nullptr) {
      request.info = first->request.info;
      request.authority = first->request.authority;
    }
    Task<Result<Dialer::Dialed>> dialling = dialer_.dial(request);
    Result<Dialer::Dialed> dialed = co_await dialling;
    if (dialed.ok()) {
      hold_ = false;
      add(std::move(*dialed), first == nullptr);
    } else if (!dial.given_up.cancelled()) {
      prewarm_missed(dialed.error());
      dial_failed(dialed.error());
    } else {
      hold_ = false;
      if (dial.has_timed_out) prewarm_missed(dialed.error());
      // It may have been one too many only: whoever still wants a connection gets another one.
      if (dial.owner != nullptr && dial.owner->request.cancel.cancelled()) dial.owner->error = dialed.error();
    }
    if (dial.owner != nullptr) dial.owner->news.set();
  }
  context_.loop.post(work_);
}

void Pool::add(Dialer::Dialed dialed, bool prewarm) {
  const plan::Pool& settings = cluster_.pool;
  const ClientOptions options{settings.streams, static_cast<std::uint32_t>(settings.window_bytes), settings.ping};
  std::unique_ptr<ClientConnection> connection = is_h2() ? h2::make_client(context_, std::move(dialed.stream), options)
                                                         : h1::make_client(context_, std::move(dialed.stream));
  rest_.emplace_back(*this, std::move(connection), std::move(dialed));
  Entry& entry = rest_.back();
  entry.self = std::prev(rest_.end());
  entry.number = ++made_;
  spawn(drive(entry));
  changed(entry);
  if (prewarm) context_.counters.add(Counter::pool_prewarmed);
  if (entry.takes_more()) return;
  Error gone(Error::Kind::closed, "the connection was closed as soon as it stood");
  gone.retry_safe = true;
  dial_failed(gone.on(Error::Side::upstream));
}

// Over HTTP/1.1 it fails whoever waits longest. Over HTTP/2 whoever waits would have shared the connection: they may
// share another, on its way or there; else they all fail with this one.
void Pool::dial_failed(const Error& reason) {
  const std::size_t others = dials_.size() - 1;  // this one is still among them
  if (!is_h2()) return fail_waiting(reason, others < waiting_.size() ? 1 : 0);
  for (Waiting* waiting : waiting_) waiting->may_share_at = TimePoint{};
  serve();
  hold_ = others > 0;
  if (others == 0) fail_waiting(reason, waiting_.size());
}

void Pool::fail_waiting(const Error& reason, std::size_t most) {
  for (; most > 0 && !waiting_.empty(); --most) {
    Waiting* waiting = waiting_.front();
    waiting_.pop_front();
    waiting->error = reason;
    waiting->news.set();
  }
}

void Pool::prewarm_missed(const Error& reason) noexcept {
  if (cluster_.pool.prewarm == 0 || closed_) return;
  context_.counters.add(Counter::pool_prewarm_failures);
  const bool news = backoff_ == Duration::zero();
  backoff_ = std::clamp<Duration>(backoff_ * 2, kFirstBackoff, kLongestBackoff);
  prewarm_at_ = context_.loop.now() + backoff_;
  work_timer_.arm_at_latest(prewarm_at_);
  if (news)
    log::info("{}: a connection could not be kept ready (prewarm=), trying again in up to {} s: {}", cluster_.name,
              kLongestBackoff.count(), log::escape(reason.text()));
}

Task<void> Pool::drive(Entry& entry) {
  co_await entry.connection->run();
  entry.ended = true;
  if (!entry.used && context_.loop.now() - entry.made < kShortLife)
    prewarm_missed(Error(Error::Kind::closed, "it was closed unused"));
  else
    backoff_ = Duration::zero();
  changed(entry);
}

void Pool::count(Entry& entry) noexcept {
  const unsigned active = entry.connection->active();
  stats_.exchanges.add(active);
  stats_.exchanges.subtract(entry.leases);
  if (active > entry.leases) stats_.exchanges_begun.add(active - entry.leases);
  for (; entry.leases < active; ++entry.leases) context_.counters.up(Gauge::leases);
  for (; entry.leases > active; --entry.leases) context_.counters.down(Gauge::leases);
  if (const bool live = entry.is_live(); live != std::exchange(entry.live, live)) live_ += live ? 1 : -1;
}

void Pool::watch_health(Entry& entry) noexcept {
  const bool doubtful = !entry.ended && entry.connection->health() == ClientConnection::Health::doubtful;
  if (doubtful == std::exchange(entry.doubtful, doubtful)) return;
  if (doubtful)
    log::info("{}: the connection to {} does not answer, new tunnels go over another", cluster_.name, entry.peer);
  else if (cluster_.pool.connections > 0 && live_ > cluster_.pool.connections)
    entry.connection->close();  // it answers again, but another has taken its place
}

void Pool::changed(Entry& entry) noexcept {
  count(entry);
  watch_health(entry);
  if (const bool free = entry.takes_more(); free != entry.free) {
    entry.free = free;
    if (free)
      free_.splice(free_.begin(), rest_, entry.self);
    else
      rest_.splice(rest_.begin(), free_, entry.self);
  }
  const bool idle = entry.connection->active() == 0;
  // A peer that takes no exchange at all would have one connection after another kept ready for nothing.
  if (cluster_.pool.prewarm > 0 && !entry.free && idle && !entry.used && !entry.ended && entry.connection->usable() &&
      entry.connection->health() == ClientConnection::Health::well) {
    prewarm_missed(Error(Error::Kind::closed, "it takes no exchange"));
    entry.connection->close();
  }
  if (entry.free && idle) idle_timer_.arm_at_latest(entry.connection->idle_since() + idle_time());
  if (entry.ended && idle && !entry.reaping) {
    entry.reaping = true;
    to_reap_.push_back(&entry);
    context_.loop.post(work_);
  }
  if (!waiting_.empty() || (cluster_.pool.prewarm > 0 && !entry.free)) context_.loop.post(work_);
}

void Pool::reap() noexcept {
  for (Entry* entry : std::exchange(to_reap_, {})) (entry->free ? free_ : rest_).erase(entry->self);
}

void Pool::close_idle() noexcept {
  std::vector<ClientConnection*> idle;
  TimePoint next = TimePoint::max();
  std::size_t spare = free_.size() - std::min<std::size_t>(free_.size(), cluster_.pool.prewarm);
  for (auto at = free_.rbegin(); at != free_.rend() && spare > 0; ++at) {
    if (at->connection->active() > 0) continue;
    const TimePoint due = at->connection->idle_since() + idle_time();
    if (due <= context_.loop.now()) {
      idle.push_back(at->connection.get());
      --spare;
    } else {
      next = std::min(next, due);
    }
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
  context_.loop.post(work_);
}

void Pool::close() noexcept {
  closed_ = true;
  drop_unwanted_dials(Error(Error::Kind::shutdown, "draining"));
  for_each_connection([](ClientConnection& connection) { connection.close(); });
}

void Pool::abort(const Error& reason) noexcept {
  closed_ = true;
  fail_waiting(reason, waiting_.size());
  for (Dial* dial : dials_) dial->given_up.cancel(reason);
  for_each_connection([&reason](ClientConnection& connection) { connection.abort(reason); });
}

}  // namespace tunnel::http
