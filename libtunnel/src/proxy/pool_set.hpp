// SPDX-License-Identifier: Apache-2.0
// The pools of one cluster and worker: one, or, where the ids of its endpoints are taken from what is connected, one an
// id, so that no pooled connection ever serves another. Of those the ones used last are kept, as many as
// `limits.pools`; what is under way in the others comes to its end.
#pragma once
#include <list>
#include <map>
#include <memory>
#include <string>

#include "http/pool.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::proxy {

class PoolSet {
 public:
  // `dialer` connects for every pool, by the request it is given.
  PoolSet(const Context& context, http::Dialer& dialer, const plan::Cluster& plan, http::PoolStats& stats);
  PoolSet(const PoolSet&) = delete;
  PoolSet& operator=(const PoolSet&) = delete;

  // Made on first use. To be held until what was asked of it, if only a connection, has been given.
  std::shared_ptr<http::Pool> at(const std::string& id);
  void close() noexcept;
  void abort(const Error& reason) noexcept;
  bool empty() const;
  // Set whenever empty() may have become true.
  void on_empty(Notify* notify);

 private:
  struct Entry {
    std::string id;
    std::shared_ptr<http::Pool> pool;
  };
  std::shared_ptr<http::Pool> make() const;
  void forget_oldest();
  void let_go();

  Context context_;
  http::Dialer& dialer_;
  const plan::Cluster& plan_;
  http::PoolStats& stats_;
  std::list<Entry> used_;  // the one used last first
  std::map<std::string, std::list<Entry>::iterator, std::less<>> by_id_;
  std::list<std::shared_ptr<http::Pool>> ending_;
  Notify* empty_notify_ = nullptr;
  bool closed_ = false;
};

}  // namespace tunnel::proxy
