// SPDX-License-Identifier: Apache-2.0
// tcp_proxy: picks the cluster's endpoint, connects to it, perhaps inside a CONNECT tunnel, and relays bytes. As an
// internal listener it answers a connect with its own upstream stream and a record (no pair, no pump: a hop costs a
// record), or, with force_pairs, with a user-space pair it relays; nothing observable differs.
#pragma once
#include "proxy/session.hpp"

namespace tunnel::proxy {

class TcpProxy final : public Handler {
 public:
  TcpProxy(Environment& environment, const plan::Listener& plan);
  void accepted(StreamPtr stream, ConnectionInfo info) override;
  Task<Result<Opened>> open(ConnectRequest& request) override;

 private:
  std::unique_ptr<Session> start_session(const ConnectionInfo& info);
  Task<void> serve(StreamPtr downstream, ConnectionInfo info);
  Task<Result<Cluster::Dialed>> connect_upstream(ConnectRequest& request);
  Task<Result<Opened>> open_record(ConnectRequest& request);
  Task<Result<Opened>> open_pair(ConnectRequest& request);

  const plan::TcpProxy& settings_;
  Cluster& cluster_;
};

}  // namespace tunnel::proxy
