// SPDX-License-Identifier: Apache-2.0
// Plain blocking sockets on loopback: the peers of tests that need the kernel.
#pragma once
#include <sys/resource.h>

#include <vector>

#include "base/fd.hpp"
#include "tunnel/address.hpp"

namespace tunnel::test {

// Listens on 127.0.0.1 (or `ip`) at a port of the kernel's choice.
class TcpServer {
 public:
  explicit TcpServer(const char* ip = "127.0.0.1", int backlog = 128);
  const SocketAddress& address() const { return address_; }
  int descriptor() const { return fd_.get(); }
  // Number of connections waiting to be accepted; accepts them.
  std::size_t accept_all();

 private:
  SocketAddress address_;  // set while fd_ is made
  Fd fd_;
  std::vector<Fd> accepted_;
};

// An address where SYNs vanish: a listener whose queue is full and whom nobody serves.
class BlackHole {
 public:
  BlackHole();
  const SocketAddress& address() const { return server_.address(); }

 private:
  TcpServer server_;
  std::vector<Fd> fill_;
};

// An address that refuses: bound, so that nobody else gets it, but not listening.
class Refusing {
 public:
  Refusing();
  const SocketAddress& address() const { return address_; }

 private:
  SocketAddress address_;  // set while fd_ is made
  Fd fd_;
};

// Connects and returns at once; the kernel completes it on its own.
Fd connect_to(const SocketAddress& address);

// Lowers the limit on descriptors so that not one more can be opened; restores it when destroyed.
class NoDescriptors {
 public:
  NoDescriptors();
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors();

 private:
  rlimit before_{};
};

}  // namespace tunnel::test
