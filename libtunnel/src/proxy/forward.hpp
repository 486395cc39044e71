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
  SocketAddress upstream_local{};
  unsigned attempts = 0;
};

// Where a request shows while it is under way: its bytes in the edge's traffic, and by the flow that moves them now;
// its answer in the record, if that is to have any of its fields.
struct Live {
  Traffic& traffic;
  const Flow*& flow;
  AccessRecord& record;
};

// Whether the upstream's end is all of a relay's, as handlers are to behave. Its downstream is a http::ServerExchange.
void settle_end(Relay& relay, const Handler& handler);

// Returns without having answered if that is still to be done (status 0). `timeouts` are those of the route.
Task<Forwarded> forward(Handler& handler, Cluster& cluster, http::ServerExchange& server, ConnectRequest& request,
                        const FlowTimeouts& timeouts, Live& live);

}  // namespace tunnel::proxy
