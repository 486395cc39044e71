// SPDX-License-Identifier: Apache-2.0
// tcp_proxy: picks the cluster's endpoint, connects to it, perhaps inside a CONNECT tunnel, and relays bytes. As an
// internal listener it answers a connect with its own upstream stream and a record (no pair, no pump: a hop costs a
// record), or, with force_pairs, with a user-space pair it relays; nothing observable differs. With --envoy-compat it
// answers at once, with a pair whose far side is served like a client that was accepted.
#pragma once
#include <optional>

#include "proxy/session.hpp"
#include "proxy/tunnel_opening.hpp"

namespace tunnel::proxy {

class TcpProxy final : public Handler {
 public:
  TcpProxy(Environment& environment, const plan::Listener& plan);
  void accepted(StreamPtr stream, ConnectionInfo info) override;
  Task<Result<Opened>> open(ConnectRequest& request) override;
  void tell_silence(const AccessRecord& record) const override;

 private:
  std::unique_ptr<Session> start_session(const ConnectionInfo& info);
  Task<void> serve(StreamPtr downstream, ConnectionInfo info);
  // What is known of the client before anything is asked for.
  void note_known(AccessRecord& record, const ConnectionInfo& info) const;
  // connect_upstream(), once the client has said which server it asks for.
  Task<Result<Cluster::Dialed>> connect_named(Session& session, ConnectRequest& request);
  // The target goes into `record`.
  Task<Result<Cluster::Dialed>> connect_upstream(ConnectRequest& request, AccessRecord& record);
  // Who is at the far end of what was connected to.
  std::string leads_to(const Cluster::Dialed& upstream, const AccessRecord& record) const;
  Task<Result<Opened>> open_record(ConnectRequest& request);
  Task<Result<Opened>> open_pair(ConnectRequest& request);
  Task<Result<Opened>> open_at_once(ConnectRequest& request);

  const plan::TcpProxy& settings_;
  Cluster& cluster_;
  std::optional<TunnelOpening> tunnel_;
  bool reads_hello_;  // of whom it accepts
  plan::Source target_source_ = plan::Source::written;
  plan::ConnectionFormat target_format_;  // if that is what it is
};

}  // namespace tunnel::proxy
