// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "stream/connect_request.hpp"
#include "tunnel/address.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel::http {

class ClientExchange;

// How a pool gets a stream to speak HTTP over; it does not know whether that is a socket or an internal listener.
class Dialer {
 public:
  struct Dialed {
    StreamPtr stream;
    std::string address;  // for logs
    std::string peer;     // who answers there, for messages: behind an internal listener, what it leads to
    std::shared_ptr<const void> endpoint{};  // held as long as the connection: so it counts as open at its endpoint
    SocketAddress local{};                   // our end, as net::Connected
    FilterStatePtr far_state{};              // of an internal listener, where it is passed back
    // The stream itself, if it is a tunnel whose trailers are wanted once it has ended.
    const ClientExchange* tunnel = nullptr;
  };
  virtual Task<Result<Dialed>> dial(ConnectRequest& request) = 0;

 protected:
  ~Dialer() = default;
};

}  // namespace tunnel::http
