// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "proxy/handler.hpp"

namespace tunnel::proxy {

class Session;

// What ends in this process. echo: sends back what comes; discard: reads and drops it; custom: an embedder's code. The
// first two end when the client does.
class SimpleHandler final : public Handler {
 public:
  SimpleHandler(Environment& environment, const plan::Listener& plan);
  void accepted(StreamPtr stream, ConnectionInfo info) override;
  Task<Result<Opened>> open(ConnectRequest& request) override;

 private:
  std::unique_ptr<Session> start_session(const ConnectionInfo& info);
  void serve(std::unique_ptr<Session> session, const ConnectionInfo& info);
  void start_far_end(StreamPtr stream, const ConnectionInfo& info) const;
};

}  // namespace tunnel::proxy
