// SPDX-License-Identifier: Apache-2.0
// Listening sockets: bound once by main(), then accepted from by the workers.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "stream/connection_info.hpp"
#include "stream/stream.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::net {

// Who takes what was accepted; implemented by the handlers.
class Acceptor {
 public:
  virtual void accepted(StreamPtr stream, ConnectionInfo info) = 0;

 protected:
  ~Acceptor() = default;
};

// A bound, listening address: one socket a worker (SO_REUSEPORT), so that no worker wakes another.
struct BoundAddress {
  SocketAddress address;
  std::vector<Fd> sockets;
};

// Binds what a plan address means (a bare port: 127.0.0.1 and [::1], no IPv6 on the host being no error; "*": every
// interface). The error names address and cause.
Result<std::vector<BoundAddress>> bind_addresses(const plan::Tcp& address, std::size_t sockets, const Limits& limits);

// True if a connect to `address` stays on this machine, where a listener on "*" would take it. Asks the kernel.
bool is_of_this_machine(const SocketAddress& address);

// Accepts on one socket until close(). The last descriptors are left to connections already accepted, which need one to
// connect onwards: when they are reached it sleeps and says so, and never spins.
class Listener {
 public:
  Listener(EpollLoop& loop, const Context& context, Fd socket, Acceptor& acceptor);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();
  // Accepts what the kernel already completed, then closes the socket; nothing is accepted after this returns.
  void close();

 private:
  enum class Turn { more, empty, starved };
  // Fires when the socket has connections, or has had its rest.
  struct Wake : Waiter {
    explicit Wake(Listener& owner) : Waiter(&Wake::fire), listener(owner) {}
    static void fire(Waiter& self) noexcept { static_cast<Wake&>(self).listener.turn(); }
    Listener& listener;
  };
  void turn() noexcept;
  Turn accept_some(std::size_t most);
  bool short_of_descriptors() const;
  void rest();

  EpollLoop& loop_;
  Context context_;
  Fd socket_;
  SocketAddress address_;
  Acceptor& acceptor_;
  std::unique_ptr<Readiness> ready_;
  std::unique_ptr<Wake> wake_;
  Timer sleep_;
  TimePoint last_complaint_{};
  int highest_fd_;  // descriptors from here on are kept for upstream connections
  bool starved_ = false;
};

}  // namespace tunnel::net
