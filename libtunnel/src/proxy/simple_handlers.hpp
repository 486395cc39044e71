// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "proxy/handler.hpp"

namespace tunnel::proxy {

// echo: sends back what comes; discard: reads and drops it. Both end when the client does.
class SimpleHandler final : public Handler {
 public:
  SimpleHandler(Environment& environment, const plan::Listener& plan)
      : Handler(environment, plan), echo_(std::holds_alternative<plan::Echo>(Handler::plan().handler)) {}
  void accepted(StreamPtr stream, ConnectionInfo info) override;
  Task<Result<Opened>> open(ConnectRequest& request) override;

 private:
  void serve(StreamPtr stream, const ConnectionInfo& info);
  bool echo_;
};

}  // namespace tunnel::proxy
