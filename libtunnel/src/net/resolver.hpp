// SPDX-License-Identifier: Apache-2.0
// Names to addresses with getaddrinfo on a few detached threads: it may block for 30 s, and nobody waits for a thread
// at exit.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "tunnel/address.hpp"
#include "tunnel/task.hpp"

namespace tunnel::net {

// Thread-safe; shared by all workers.
class Resolver {
 public:
  explicit Resolver(std::size_t threads);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  // Every address of `host` with `port`, in the system's order, each once; literals at once. What getaddrinfo would
  // read as an address though it is not written as one (127.1, 0x7f.1) does not exist. Errors: dns with Proxy-Status
  // dns_error (rcode in the text), or the reason of `cancel`.
  Task<Result<std::vector<SocketAddress>>> resolve(EpollLoop& loop, std::string host, std::uint16_t port,
                                                   Cancel& cancel);

 private:
  struct Pool;
  struct Query;
  std::shared_ptr<Pool> pool_;
};

}  // namespace tunnel::net
