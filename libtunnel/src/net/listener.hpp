// SPDX-License-Identifier: Apache-2.0
// Listening sockets: bound once by main(), then accepted from by the workers.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "stream/socket_stream.hpp"
#include "tunnel/address.hpp"
#include "tunnel/connection_info.hpp"
#include "tunnel/plan.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::net {

// Who takes what was accepted; implemented by the handlers.
class Acceptor {
 public:
  virtual void accepted(StreamPtr stream, ConnectionInfo info) = 0;
  // ConnectionInfo::original is needed, which costs a system call a connection. Asked once.
  virtual bool wants_original() const { return false; }

 protected:
  ~Acceptor() = default;
};

// How many connections the kernel completes ahead of us.
inline constexpr int kBacklog = 1024;

// What accept() gave: nobody reads it yet, so it may still go to another worker.
struct Accepted {
  Fd fd;
  SocketKind kind = SocketKind::tcp;
  ConnectionInfo info;
};

// Makes a stream of it and hands that to `acceptor`; false, and the connection is closed, if the kernel watches no more
// descriptors for us.
bool adopt(EpollLoop& loop, const Context& context, Accepted accepted, Acceptor& acceptor);

// Takes a connection to another worker, or leaves it alone and returns false.
using HandOver = std::function<bool(Accepted& accepted)>;

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

// Accepts on one socket, TCP or unix, until close(). The last descriptors are left to connections already accepted,
// which need one to connect onwards: when they are reached it sleeps and says so, and never spins.
class Listener {
 public:
  // With `hand_over` the socket is the only one of its address, and all workers get of its connections. Of an inherited
  // one each connection is given our options: those the kernel made before the socket had them were born without.
  Listener(EpollLoop& loop, const Context& context, Fd socket, Acceptor& acceptor, HandOver hand_over = {},
           bool inherited = false);
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
  ConnectionInfo describe(int fd, const sockaddr* from) const;
  bool short_of_descriptors() const;
  void rest();

  EpollLoop& loop_;
  Context context_;
  Fd socket_;
  SocketKind kind_;
  std::string name_;  // for logs
  Acceptor& acceptor_;
  HandOver hand_over_;
  bool inherited_;
  bool wants_original_;
  std::unique_ptr<Readiness> ready_;
  std::unique_ptr<Wake> wake_;
  Timer sleep_;
  TimePoint last_complaint_{};
  int highest_fd_;  // descriptors from here on are kept for upstream connections
  bool starved_ = false;
};

}  // namespace tunnel::net
