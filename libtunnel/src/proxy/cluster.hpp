// SPDX-License-Identifier: Apache-2.0
// A cluster of one worker: how its endpoint is reached, and the pool of HTTP connections to it.
#pragma once
#include <string>
#include <vector>

#include "http/pool.hpp"
#include "net/rules.hpp"
#include "proxy/environment.hpp"

namespace tunnel::proxy {

class Cluster final : private http::Dialer {
 public:
  using Dialed = http::Dialer::Dialed;
  Cluster(Environment& environment, const plan::Cluster& plan);

  const plan::Cluster& plan() const { return plan_; }
  // A stream to the fixed endpoint, over TCP or an internal listener.
  Task<Result<Dialed>> connect(ConnectRequest& request);
  // A stream to what a client asked for, if the rules allow name and address; the address judged is the one connected
  // to.
  Task<Result<Dialed>> connect_to(const Authority& authority, ConnectRequest& request);
  // CONNECT `target` through the endpoint: the exchange, now a plain stream, or why the proxy refused. A request that
  // is safe to repeat is tried once more over a fresh connection.
  Task<Result<Dialed>> open_tunnel(const std::string& target, ConnectRequest& request);
  http::Pool& pool() { return pool_; }
  // What a connect through this cluster fails with when its time is over.
  Error timeout_error() const;

 private:
  Task<Result<Dialed>> dial(ConnectRequest& request) override { return connect(request); }
  Task<Result<Dialed>> connect_internal(const plan::Internal& address, ConnectRequest& request);
  Task<Result<Dialed>> connect_tcp(const plan::Tcp& address, ConnectRequest& request);
  Task<Result<std::vector<SocketAddress>>> resolve(const std::string& host, std::uint16_t port,
                                                   ConnectRequest& request);
  Task<Result<Dialed>> connect_any(std::vector<SocketAddress> addresses, ConnectRequest& request);
  // Over a connection newer than `newest`, which is then that of this try.
  Task<Result<Dialed>> try_tunnel(const std::string& target, ConnectRequest& request, std::uint64_t& newest);
  bool is_own(const SocketAddress& address) const;

  Environment& environment_;
  plan::Cluster plan_;
  net::Rules rules_;
  http::Pool pool_;
};

}  // namespace tunnel::proxy
