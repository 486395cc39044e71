// SPDX-License-Identifier: Apache-2.0
// http_proxy: serves HTTP/1.1 and HTTP/2 on a listener; a route answers a request, forwards it to a cluster, or ends a
// CONNECT and relays its bytes. As an internal listener it parses, so a connect is answered at once with one end of a
// user-space pair.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

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
  // Whether it asks for a tunnel: CONNECT, or POST where `route` (nullptr: any of this listener) takes it for one.
  bool opens_tunnel(const http::RequestHead& head, const plan::Route* route) const;
  // The answer to a request that no route takes.
  struct Refusal {
    std::uint16_t status = 404;
    std::string allow{};     // the field, with 405
    std::string_view why{};  // for whoever expected another answer; "" where the status says it
  };
  Refusal refusal(const http::RequestHead& head) const;
  const plan::HttpProxy& settings() const { return settings_; }
  // Of what goes on by `route`; nullptr: of an answer of our own.
  FlowTimeouts stream_timeouts(const plan::Route* route) const;

 private:
  Task<void> serve(StreamPtr stream, ConnectionInfo info);
  // The one of the routes' domains that decides; "": none.
  std::string_view domain_of(const http::RequestHead& head) const;
  const plan::HttpProxy& settings_;
  bool ends_posts_;
  bool has_domains_;
};

}  // namespace tunnel::proxy
