// SPDX-License-Identifier: Apache-2.0
// Every connection of a worker, from accept to its log line: what drain, shutdown and the gauges go by.
#pragma once
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "proxy/live_record.hpp"
#include "tunnel/error.hpp"
#include "tunnel/loop.hpp"

namespace tunnel::proxy {

class ConnectionList;

// A connection in the list while it lives. Its calls come from the loop and must destroy nothing.
class Connection {
 public:
  explicit Connection(ConnectionList& list);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // Nothing new on it: an idle one ends, a busy one with its last exchange. A tunnel goes on.
  virtual void drain() noexcept = 0;
  virtual void abort(const Error& reason) noexcept = 0;
  // Adds what it has under way: itself, or each request on it.
  virtual void describe(Listing& into) const = 0;

 protected:
  virtual ~Connection();

 private:
  friend class ConnectionList;
  ConnectionList& list_;
  Connection* next_ = nullptr;
  Connection* previous_ = nullptr;
  bool aborted_ = false;
};

class ConnectionList {
 public:
  explicit ConnectionList(Loop& loop) : empty_(loop), trim_(loop, &ConnectionList::give_back, nullptr) {}
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  void drain() noexcept;
  // May be repeated; returns how many were told for the first time.
  std::size_t abort(const Error& reason) noexcept;
  void describe(Listing& into) const;
  // Set whenever the last connection went.
  Notify& became_empty() { return empty_; }

 private:
  friend class Connection;
  template <class Call>
  void for_each(Call call) noexcept {
    for (Connection* connection = first_; connection != nullptr;) {
      Connection* next = connection->next_;
      call(*connection);
      connection = next;
    }
  }
  // Many connections gone leave the heap full of holes: what they held goes back to the system, once it is quiet.
  static void give_back(void* context) noexcept;
  void gone() noexcept {
    if (--size_ == 0) empty_.set();
    if (peak_ < kManyConnections || size_ > peak_ / 4) return;
    peak_ = size_;
    trim_.arm_after(std::chrono::milliseconds(500));
  }

  static constexpr std::size_t kManyConnections = 256;
  Connection* first_ = nullptr;
  std::size_t size_ = 0;
  std::size_t peak_ = 0;
  Notify empty_;
  Timer trim_;
};

inline Connection::Connection(ConnectionList& list) : list_(list), next_(list.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  list_.first_ = this;
  list_.peak_ = std::max(list_.peak_, ++list_.size_);
}

inline Connection::~Connection() {
  (previous_ != nullptr ? previous_->next_ : list_.first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  list_.gone();
}

inline void ConnectionList::give_back(void* /*context*/) noexcept { (void)::malloc_trim(0); }

inline void ConnectionList::drain() noexcept {
  for_each([](Connection& connection) { connection.drain(); });
}

inline void ConnectionList::describe(Listing& into) const {
  for (const Connection* connection = first_; connection != nullptr && !into.full(); connection = connection->next_)
    connection->describe(into);
}

inline std::size_t ConnectionList::abort(const Error& reason) noexcept {
  std::size_t count = 0;
  for_each([&](Connection& connection) {
    if (!std::exchange(connection.aborted_, true)) ++count;
    connection.abort(reason);
  });
  return count;
}

}  // namespace tunnel::proxy
