// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/cancel.hpp"
#include "tunnel/connection_info.hpp"

namespace tunnel {

// What travels down with every attempt to connect. Whoever waits on the way watches `cancel` and returns its reason at
// once.
struct ConnectRequest {
  ConnectionInfo info;  // of the connection on whose behalf this is; its state may grow on the way
  Cancel& cancel;
  std::string authority{};  // host:port the request names; not over internal hops, empty if there is no request
};

}  // namespace tunnel
