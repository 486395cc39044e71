// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mutex>
#include <set>
#include <string>

namespace tunnel::proxy {

// Which endpoints are down, as the log last told: every worker finds out for itself, and the first to do so is the one
// who tells. For any thread.
class EndpointBoard {
 public:
  // Whether this is news.
  bool down(const std::string& endpoint) {
    const std::scoped_lock lock(mutex_);
    return down_.insert(endpoint).second;
  }
  bool up(const std::string& endpoint) {
    const std::scoped_lock lock(mutex_);
    return down_.erase(endpoint) > 0;
  }

 private:
  std::mutex mutex_;
  std::set<std::string> down_;
};

}  // namespace tunnel::proxy
