// SPDX-License-Identifier: Apache-2.0
// Asking the proxy at a cluster's endpoint for tunnels: the CONNECT (or POST) that does it, with the fields of the
// plan, and what its answer means.
#pragma once
#include <string>
#include <vector>

#include "plan/connection_format.hpp"
#include "proxy/cluster.hpp"

namespace tunnel::proxy {

class TunnelOpening {
 public:
  // `inspector`: see format_of(); `wants_200`: over HTTP/2 another 2xx is a refusal, see Behaviour.
  TunnelOpening(const Context& context, Cluster& cluster, const plan::Tunnel& plan, bool inspector, bool wants_200);

  // A tunnel to `target`: the exchange, now a plain stream, or why the proxy refused. A request that is safe to repeat
  // is tried once more over a fresh connection.
  Task<Result<Cluster::Dialed>> open(const std::string& target, ConnectRequest& request) const;

 private:
  // Over a connection newer than `newest`, which is then that of this try.
  Task<Result<Cluster::Dialed>> try_open(const std::string& target, ConnectRequest& request, http::Pool& pool,
                                         std::uint64_t& newest) const;

  // A field whose value each tunnel has for itself.
  struct Formatted {
    std::string name;
    plan::ConnectionFormat format;
  };

  Context context_;
  Cluster& cluster_;
  bool wants_200_;
  bool keeps_headers_;
  bool keeps_trailers_;
  http::RequestHead head_;  // all but the authority and what is formatted
  std::vector<Formatted> formatted_;
};

}  // namespace tunnel::proxy
