// SPDX-License-Identifier: Apache-2.0
#include "proxy/pool_set.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::proxy {

PoolSet::PoolSet(const Context& context, http::Dialer& dialer, const plan::Cluster& plan, http::PoolStats& stats)
    : context_(context), dialer_(dialer), plan_(plan), stats_(stats) {}

std::shared_ptr<http::Pool> PoolSet::make() const {
  auto pool = std::make_shared<http::Pool>(context_, dialer_, plan_, stats_);
  pool->on_empty(empty_notify_);
  if (closed_) pool->close();
  return pool;
}

std::shared_ptr<http::Pool> PoolSet::at(const std::string& id) {
  if (!used_.empty() && used_.front().id == id) return used_.front().pool;
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    used_.splice(used_.begin(), used_, found->second);
    return used_.front().pool;
  }
  if (used_.size() >= context_.limits.pools) forget_oldest();
  used_.push_front({id, make()});
  by_id_.emplace(id, used_.begin());
  return used_.front().pool;
}

void PoolSet::forget_oldest() {
  Entry& oldest = used_.back();
  context_.counters.add(Counter::pools_dropped);
  oldest.pool->close();
  ending_.push_back(std::move(oldest.pool));
  by_id_.erase(oldest.id);
  used_.pop_back();
  let_go();
}

// Looks at two for each that comes, so that those that have ended never pile up and nobody walks a long list.
void PoolSet::let_go() {
  for (int looked = 0; looked < 2; ++looked) {
    if (ending_.front()->empty() && ending_.front().use_count() == 1) {
      ending_.pop_front();
      if (ending_.empty()) return;
    } else {
      ending_.splice(ending_.end(), ending_, ending_.begin());
    }
  }
}

void PoolSet::close() noexcept {
  closed_ = true;
  for (const Entry& entry : used_) entry.pool->close();
}

void PoolSet::abort(const Error& reason) noexcept {
  closed_ = true;
  for (const Entry& entry : used_) entry.pool->abort(reason);
  for (const std::shared_ptr<http::Pool>& pool : ending_) pool->abort(reason);
}

bool PoolSet::empty() const {
  return std::all_of(used_.begin(), used_.end(), [](const Entry& entry) { return entry.pool->empty(); }) &&
         std::all_of(ending_.begin(), ending_.end(), [](const auto& pool) { return pool->empty(); });
}

void PoolSet::on_empty(Notify* notify) {
  empty_notify_ = notify;
  for (const Entry& entry : used_) entry.pool->on_empty(notify);
}

}  // namespace tunnel::proxy
