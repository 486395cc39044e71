// SPDX-License-Identifier: Apache-2.0
// http_proxy: serves HTTP/1.1 and HTTP/2 on a listener; a route answers a request, forwards it to a cluster, or ends a
// CONNECT and relays its bytes. As an internal listener it parses, so a connect is answered at once with one end of a
// user-space pair.
#pragma once
#include "http/exchange.hpp"
#include "proxy/handler.hpp"

namespace tunnel::proxy {

class HttpProxy final : public Handler {
 public:
  HttpProxy(Environment& environment, const plan::Listener& plan);
  void accepted(StreamPtr stream, ConnectionInfo info) override;
  Task<Result<Opened>> open(ConnectRequest& request) override;

  // The route of a request, or nullptr.
  const plan::Route* route(const http::RequestHead& head) const;
  // True if only CONNECT has a route: then anything else is "method not allowed" rather than "not found".
  bool only_connect() const;
  const plan::HttpProxy& settings() const { return settings_; }

 private:
  Task<void> serve(StreamPtr stream, ConnectionInfo info);
  const plan::HttpProxy& settings_;
};

}  // namespace tunnel::proxy
