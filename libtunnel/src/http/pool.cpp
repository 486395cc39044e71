// SPDX-License-Identifier: Apache-2.0
#include "http/pool.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "http/pool_parts.hpp"

namespace tunnel::http {

Pool::Waiting::~Waiting() {
  if (dial == nullptr) return;
  dial->owner = nullptr;
  if (dial->has_timed_out) Dial::is_late(dial);
}

Pool::Pool(const Context& context, Dialer& dialer, const plan::Cluster& cluster, PoolStats& stats)
    : context_(context),
      dialer_(dialer),
      cluster_(cluster),
      stats_(stats),
      work_(*this),
      idle_timer_(
          context.loop, [](void* self) noexcept { static_cast<Pool*>(self)->close_idle(); }, this),
      work_timer_(context.loop, [](void* self) noexcept { static_cast<Pool*>(self)->work(); }, this) {}

Pool::~Pool() = default;

void Pool::start() {
  started_ = true;
  work();
}

Duration Pool::idle_time() const {
  const plan::Milliseconds own = cluster_.pool.idle;
  return own > plan::Milliseconds::zero() ? own : context_.limits.pool_idle;
}

std::size_t Pool::streams() const {
  if (!is_h2()) return 1;
  return cluster_.pool.streams > 0 ? cluster_.pool.streams : context_.limits.h2_pool_streams;
}

// --- Exchanges

Task<Result<Pool::Acquired>> Pool::acquire(ConnectRequest& request, std::uint64_t newer_than) {
  if (request.cancel.cancelled()) co_return request.cancel.reason();
  Waiting waiting(context_.loop, request, newer_than);
  if (spreads()) waiting.may_share_at = context_.loop.now() + kSharePatience;
  if (waiting_.empty())
    if (Entry* entry = pick(waiting)) co_return open(*entry);
  if (free_.empty() && live_ > 0 && (is_h2() || !may_grow())) context_.counters.add(Counter::pool_full);
  const std::size_t dialled = dials_.size() + made_;
  waiting_.push_back(&waiting);
  work();
  if (!waiting.done() && dials_.size() + made_ == dialled) context_.counters.add(Counter::pool_queued);
  {
    const Cancel::Hook hook(
        request.cancel, [](void* self) noexcept { static_cast<Waiting*>(self)->news.set(); }, &waiting);
    while (!waiting.done() && !request.cancel.cancelled()) co_await waiting.news.wait();
  }
  if (waiting.acquired) co_return std::move(*waiting.acquired);
  waiting_.remove(&waiting);  // also if it failed: nobody finds it there once this frame is gone
  if (waiting.error) co_return waiting.error;
  const Error& reason = request.cancel.reason();
  const bool timed_out = reason.kind == Error::Kind::timeout;
  if (timed_out && dials_.empty() && !may_grow())
    co_return Error(Error::Kind::limit, "all " + std::to_string(cluster_.pool.connections) + " connections to " +
                                            cluster_.name + " are in use (conns=)");
  if (timed_out && waiting.dial != nullptr) {
    // Who is nearer to the cause knows better what took so long.
    waiting.dial->given_up.cancel(reason);
    while (waiting.dial != nullptr) co_await waiting.news.wait();
  }
  drop_unwanted_dials(reason);
  co_return waiting.error ? waiting.error : reason;
}

bool Pool::may_grow() const {
  return cluster_.pool.connections == 0 || live_ + dials_.size() < cluster_.pool.connections;
}

// The least loaded connection, those that are being asked whether they live last.
Pool::Entry* Pool::pick(const Waiting& waiting) {
  // When no newer connection can come, any will do: what is dead does not count among them.
  const std::uint64_t newer_than = may_grow() || !dials_.empty() ? waiting.newer_than : 0;
  const auto load = [](const Entry& entry) {
    const bool asked = entry.connection->health() != ClientConnection::Health::well;
    return std::pair(asked, entry.connection->active());
  };
  Entry* best = nullptr;
  for (Entry& entry : free_) {
    if (entry.number <= newer_than || !entry.takes_more()) continue;
    if (best == nullptr || load(entry) < load(*best)) best = &entry;
    // Over HTTP/1.1 every free connection is as good as the other, and there may be many.
    if (!is_h2()) break;
  }
  const bool shared = best != nullptr && best->connection->active() > 0;
  const bool another_may_come = spreads() && (may_grow() || !dials_.empty());
  if (shared && another_may_come && context_.loop.now() < waiting.may_share_at) return nullptr;
  return best;
}

Pool::Acquired Pool::open(Entry& entry) {
  entry.used = true;
  Acquired acquired{entry.connection->open(), entry.address, entry.peer, entry.far_state, made_, entry.local};
  if (closed_) entry.connection->close();  // a drain lets requests on their way use it once
  changed(entry);
  return acquired;
}

// Hands out what is free, and has made what is missing. A connection that stands or fails at once is met in the loop.
void Pool::work() noexcept {
  if (std::exchange(working_, true)) return context_.loop.post(work_);
  reap();
  serve();
  if (dials_.empty()) hold_ = false;
  while (!hold_ && dials_.size() < dials_wanted()) {
    const auto first =
        std::find_if(waiting_.begin(), waiting_.end(), [](const Waiting* waiting) { return waiting->dial == nullptr; });
    spawn(make_connection(first == waiting_.end() ? nullptr : *first));
    serve();
  }
  for (const Waiting* waiting : waiting_)
    if (waiting->may_share_at > context_.loop.now()) work_timer_.arm_at_latest(waiting->may_share_at);
  working_ = false;
  if (empty_notify_ != nullptr && empty()) empty_notify_->set();
}

void Pool::serve() noexcept {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    Waiting& waiting = **next;
    Entry* entry = pick(waiting);
    if (entry == nullptr) {
      ++next;
      continue;
    }
    next = waiting_.erase(next);
    waiting.acquired.emplace(open(*entry));
    waiting.news.set();
  }
}

std::size_t Pool::dials_wanted() const {
  const std::size_t per_connection = spreads() ? 1 : streams();
  std::size_t wanted = (waiting_.size() + per_connection - 1) / per_connection;
  const std::size_t ready = cluster_.pool.prewarm;
  if (started_ && !closed_ && free_.size() < ready && context_.loop.now() >= prewarm_at_)
    wanted += ready - free_.size();
  if (cluster_.pool.connections == 0) return wanted;
  return std::min(wanted, cluster_.pool.connections - std::min<std::size_t>(live_, cluster_.pool.connections));
}

void Pool::drop_unwanted_dials(const Error& reason) noexcept {
  const std::size_t wanted = dials_wanted();
  std::size_t kept = 0;
  for (Dial* dial : dials_) {
    if (dial->given_up.cancelled()) continue;
    if (kept < wanted)
      ++kept;
    else
      dial->given_up.cancel(reason);
  }
}

}  // namespace tunnel::http
