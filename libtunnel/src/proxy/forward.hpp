// SPDX-License-Identifier: Apache-2.0
// Forwarding one exchange to a cluster: request and response bodies flow at the same time, interim heads and trailers
// included, a CONNECT becomes a relay once the upstream accepted it.
#pragma once
#include "http/exchange.hpp"
#include "proxy/handler.hpp"

namespace tunnel::proxy {

struct Forwarded {
  std::uint16_t status = 0;  // sent to the client; 0: nothing was, and `error` says why
  Error error;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::string upstream;
};

// Returns without having answered if that is still to be done (status 0).
Task<Forwarded> forward(Handler& handler, Cluster& cluster, http::ServerExchange& server, ConnectRequest& request);

}  // namespace tunnel::proxy
