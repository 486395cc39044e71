// SPDX-License-Identifier: Apache-2.0
#include "proxy/lifetime.hpp"

#include "proxy/handler.hpp"

namespace tunnel::proxy {

std::unique_ptr<Lifetime> Lifetime::of(const Handler& handler, Connection& connection, const std::string& peer,
                                       TimePoint begin) {
  const Duration most = handler.plan().max_lifetime;
  if (most == Duration::zero()) return nullptr;
  return std::make_unique<Lifetime>(handler, connection, peer, begin + most);
}

Lifetime::Lifetime(const Handler& handler, Connection& connection, const std::string& peer, TimePoint end)
    : handler_(handler),
      connection_(connection),
      peer_(peer),
      timer_(handler.context().loop, [](void* self) noexcept { static_cast<Lifetime*>(self)->over(); }, this) {
  timer_.arm(end);
}

void Lifetime::over() noexcept {
  if (drained_) return connection_.abort(Error(Error::Kind::timeout, kLifetimeOver));
  drained_ = true;
  handler_.context().counters.add(Counter::lifetime_ends);
  handler_.tell(peer_, Error(Error::Kind::timeout, "as old as --max-lifetime lets it be: it is drained"));
  timer_.arm_after(handler_.environment().drain_time);
  connection_.drain();
}

}  // namespace tunnel::proxy
