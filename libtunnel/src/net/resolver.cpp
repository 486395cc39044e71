// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.hpp"

#include <netdb.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "plan/host_port.hpp"

namespace tunnel::net {

struct Resolver::Query {
  explicit Query(EpollLoop& loop) : done(loop) {}
  std::string host;
  std::uint16_t port = 0;
  std::shared_ptr<EpollLoop::Remote> remote;
  // Below: the loop's thread only.
  Notify done;
  std::vector<SocketAddress> addresses;
  int status = EAI_AGAIN;
  bool answered = false;
};

struct Resolver::Pool {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Query>> queue;
  bool closed = false;
  std::size_t idle = 0;
  std::size_t threads = 0;
  std::size_t most = 1;
};

namespace {

std::vector<SocketAddress> look_up(const std::string& host, std::uint16_t port, int& status) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  status = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  std::vector<SocketAddress> addresses;
  if (status != 0) return addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address = SocketAddress::from_sockaddr(entry->ai_addr);
    address.set_port(port);
    if (address.family() != AF_UNSPEC && std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return addresses;
}

Error dns_error(const std::string& host, int status) {
  Error error(Error::Kind::dns, "cannot resolve " + host + ": " + ::gai_strerror(status));
  if (status == EAI_NONAME)
    error.with(502, "dns_error;rcode=\"NXDOMAIN\"");
  else if (status == EAI_AGAIN || status == EAI_FAIL)
    error.with(502, "dns_error;rcode=\"SERVFAIL\"");
  return error;
}

}  // namespace

Resolver::Resolver(std::size_t threads) : pool_(std::make_shared<Pool>()) {
  pool_->most = std::max<std::size_t>(threads, 1);
}

Resolver::~Resolver() {
  const std::scoped_lock lock(pool_->mutex);
  pool_->closed = true;
  pool_->wake.notify_all();
}

Task<Result<std::vector<SocketAddress>>> Resolver::resolve(EpollLoop& loop, std::string host, std::uint16_t port,
                                                           Cancel& cancel) {
  if (host == "localhost.") host.pop_back();  // RFC 6761 section 6.3; the system's resolver may not know it
  if (const auto literal = SocketAddress::from_literal(host, port)) co_return std::vector<SocketAddress>{*literal};
  if (plan::is_odd_ipv4(host)) co_return dns_error(host, EAI_NONAME);
  if (cancel.cancelled()) co_return cancel.reason();
  auto query = std::make_shared<Query>(loop);
  query->host = host;
  query->port = port;
  query->remote = loop.remote();
  {
    const std::scoped_lock lock(pool_->mutex);
    pool_->queue.push_back(query);
    if (pool_->idle < pool_->queue.size() && pool_->threads < pool_->most) {
      ++pool_->threads;
      std::thread([pool = pool_] {
        std::unique_lock hold(pool->mutex);
        while (!pool->closed) {
          if (pool->queue.empty()) {
            ++pool->idle;
            pool->wake.wait(hold);
            --pool->idle;
            continue;
          }
          std::shared_ptr<Query> next = std::move(pool->queue.front());
          pool->queue.pop_front();
          hold.unlock();
          int status = 0;
          std::vector<SocketAddress> addresses = look_up(next->host, next->port, status);
          // The reference moves to the loop's thread: the Query's Notify belongs there, its destruction included.
          std::shared_ptr<EpollLoop::Remote> remote = next->remote;
          remote->post([owned = std::move(next), found = std::move(addresses), status]() mutable {
            owned->addresses = std::move(found);
            owned->status = status;
            owned->answered = true;
            owned->done.set();
          });
          hold.lock();
        }
      }).detach();
    } else {
      pool_->wake.notify_one();
    }
  }
  const Cancel::Hook hook(
      cancel, [](void* waiting) noexcept { static_cast<Query*>(waiting)->done.set(); }, query.get());
  co_await query->done.wait();
  if (!query->answered) {
    if (cancel.reason().kind != Error::Kind::timeout) co_return cancel.reason();
    co_return Error(Error::Kind::timeout, "resolving " + host + " took too long").with(504, "dns_timeout");
  }
  if (query->status != 0) co_return dns_error(host, query->status);
  if (query->addresses.empty()) co_return dns_error(host, EAI_NONAME);
  co_return std::move(query->addresses);
}

}  // namespace tunnel::net
