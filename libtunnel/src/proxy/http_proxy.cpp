// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_proxy.hpp"

#include <algorithm>
#include <utility>

#include "proxy/http_connection.hpp"

namespace tunnel::proxy {

HttpProxy::HttpProxy(Environment& environment, const plan::Listener& plan)
    : Handler(environment, plan), settings_(std::get<plan::HttpProxy>(Handler::plan().handler)) {}

void HttpProxy::accepted(StreamPtr stream, ConnectionInfo info) { spawn(serve(std::move(stream), std::move(info))); }

Task<Result<HttpProxy::Opened>> HttpProxy::open(ConnectRequest& request) {
  auto [near, far] = make_pair();
  spawn(serve(std::move(far), request.info));
  co_return Opened{std::move(near), ""};
}

Task<void> HttpProxy::serve(StreamPtr stream, ConnectionInfo info) {
  HttpConnection connection(*this, std::move(stream), std::move(info));
  co_await connection.run();
}

const plan::Route* HttpProxy::route(const http::RequestHead& head) const {
  for (const plan::Route& route : settings_.routes) {
    if (route.match.connect != head.is_connect()) continue;
    if (head.is_connect() || head.path.starts_with(route.match.prefix) || head.path == "*") return &route;
  }
  return nullptr;
}

bool HttpProxy::only_connect() const {
  return std::all_of(settings_.routes.begin(), settings_.routes.end(),
                     [](const plan::Route& route) { return route.match.connect; });
}

}  // namespace tunnel::proxy
