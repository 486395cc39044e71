// SPDX-License-Identifier: Apache-2.0
// The world outside the process as one interface: names, TCP and unix sockets. Tests put a network in memory in its
// place.
#pragma once
#include <string>
#include <vector>

#include "net/connector.hpp"
#include "net/resolver.hpp"
#include "net/unix_socket.hpp"

namespace tunnel::net {

class Network {
 public:
  virtual ~Network() = default;
  virtual Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port, Cancel& cancel) = 0;
  virtual Task<Result<Connected>> connect(std::vector<SocketAddress> addresses, Cancel& cancel) = 0;
  virtual Task<Result<StreamPtr>> connect_unix(std::string path, Cancel& cancel) = 0;
};

class SystemNetwork final : public Network {
 public:
  // `wants_local`: Connected::local is.
  SystemNetwork(EpollLoop& loop, const Context& context, Resolver& resolver, bool wants_local)
      : loop_(loop), context_(context), resolver_(resolver), wants_local_(wants_local) {}
  Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port, Cancel& cancel) override {
    return resolver_.resolve(loop_, std::move(host), port, cancel);
  }
  Task<Result<Connected>> connect(std::vector<SocketAddress> addresses, Cancel& cancel) override {
    return connect_tcp(loop_, context_, std::move(addresses), cancel, wants_local_);
  }
  Task<Result<StreamPtr>> connect_unix(std::string path, Cancel& cancel) override {
    return net::connect_unix(loop_, context_, std::move(path), cancel);
  }

 private:
  EpollLoop& loop_;
  Context context_;
  Resolver& resolver_;
  bool wants_local_;
};

}  // namespace tunnel::net
