// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/task.hpp"
#include "stream/connect_request.hpp"
#include "stream/stream.hpp"

namespace tunnel::http {

// How a pool gets a stream to speak HTTP over; it does not know whether that is a socket or an internal listener.
class Dialer {
 public:
  struct Dialed {
    StreamPtr stream;
    std::string address;  // for logs
  };
  virtual Task<Result<Dialed>> dial(ConnectRequest& request) = 0;

 protected:
  ~Dialer() = default;
};

}  // namespace tunnel::http
