// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_proxy.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "plan/match.hpp"
#include "proxy/http_connection.hpp"

namespace tunnel::proxy {
namespace {

bool ends_posts(const plan::Route& route) {
  const auto* terminate = std::get_if<plan::Terminate>(&route.action);
  return terminate != nullptr && terminate->post;
}

// One of several fields of a name is enough, as in Envoy 1.40; a list in one field is one value.
bool has(const http::Fields& fields, const plan::FieldMatch& wanted) {
  return std::any_of(fields.begin(), fields.end(), [&](const http::Field& field) {
    return field.name == wanted.name && field.value == wanted.value;
  });
}

bool takes(const plan::Route& route, const http::RequestHead& head) {
  const plan::Match& match = route.match;
  const auto fits = [&](const plan::FieldMatch& field) { return has(head.fields, field); };
  if (!std::all_of(match.fields.begin(), match.fields.end(), fits)) return false;
  if (match.connect) return head.is_connect() || (head.method == "POST" && ends_posts(route));
  if (head.is_connect() || (!match.method.empty() && match.method != head.method)) return false;
  return plan::fits_path(match, head.path) || head.path == "*";
}

using Routes = std::vector<const plan::Route*>;

// The methods that have a route, as in Allow, if every route is for one: then another is "method not allowed" rather
// than "not found". Empty if it is one of them, or a route is for any.
std::string allowed_instead(const Routes& routes, std::string_view method) {
  std::vector<std::string> methods;
  const auto add = [&](const std::string& name) {
    if (std::find(methods.begin(), methods.end(), name) == methods.end()) methods.push_back(name);
  };
  for (const plan::Route* route : routes) {
    if (!route->match.connect && route->match.method.empty()) return "";
    add(route->match.connect ? "CONNECT" : route->match.method);
    if (route->match.connect && ends_posts(*route)) add("POST");
  }
  std::string list;
  for (const std::string& name : methods) {
    if (name == method) return "";
    list += (list.empty() ? "" : ", ") + name;
  }
  return list;
}

}  // namespace

HttpProxy::HttpProxy(Environment& environment, const plan::Listener& plan)
    : Handler(environment, plan),
      settings_(std::get<plan::HttpProxy>(Handler::plan().handler)),
      ends_posts_(std::any_of(settings_.routes.begin(), settings_.routes.end(), &ends_posts)),
      has_domains_(std::any_of(settings_.routes.begin(), settings_.routes.end(),
                               [](const plan::Route& route) { return !route.match.domains.empty(); })) {}

void HttpProxy::accepted(StreamPtr stream, ConnectionInfo info) {
  look_at(info);
  spawn(serve(std::move(stream), std::move(info)));
}

Task<Result<HttpProxy::Opened>> HttpProxy::open(ConnectRequest& request) {
  auto [near, far] = make_pair();
  look_at(request.info);
  spawn(serve(std::move(far), request.info));
  co_return Opened{std::move(near), "", request.info.state};
}

Task<void> HttpProxy::serve(StreamPtr stream, ConnectionInfo info) {
  HttpConnection connection(*this, std::move(stream), std::move(info));
  co_await connection.run();
}

std::string_view HttpProxy::domain_of(const http::RequestHead& head) const {
  return has_domains_ ? plan::domain_of(settings_.routes, head.authority) : "*";
}

const plan::Route* HttpProxy::route(const http::RequestHead& head) const {
  const std::string_view domain = domain_of(head);
  for (const plan::Route& route : settings_.routes)
    if (is_of_domain(route.match, domain) && takes(route, head)) return &route;
  return nullptr;
}

bool HttpProxy::opens_tunnel(const http::RequestHead& head, const plan::Route* route) const {
  return head.is_connect() || (head.method == "POST" && (route != nullptr ? ends_posts(*route) : ends_posts_));
}

FlowTimeouts HttpProxy::stream_timeouts(const plan::Route* route) const {
  FlowTimeouts timeouts = tunnel_timeouts();
  timeouts.idle = settings_.stream_idle_timeout.value_or(plan().idle_timeout);
  const auto take = [&timeouts](const auto& action) {
    timeouts.response = action.timeout;
    if (action.idle_timeout) timeouts.idle = *action.idle_timeout;
  };
  if (route == nullptr) return timeouts;
  if (const auto* forward = std::get_if<plan::Forward>(&route->action)) take(*forward);
  if (const auto* terminate = std::get_if<plan::Terminate>(&route->action)) take(*terminate);
  return timeouts;
}

HttpProxy::Refusal HttpProxy::refusal(const http::RequestHead& head) const {
  const std::string_view domain = domain_of(head);
  Routes routes;
  for (const plan::Route& route : settings_.routes)
    if (is_of_domain(route.match, domain)) routes.push_back(&route);
  Refusal answer;
  answer.allow = allowed_instead(routes, head.method);
  if (!answer.allow.empty()) answer.status = 405;
  const bool here = std::any_of(routes.begin(), routes.end(), [](const auto* route) { return route->match.connect; });
  if (!head.is_connect()) {
    const bool only = here && std::all_of(routes.begin(), routes.end(),
                                          [](const auto* route) { return route->match.connect || ends_posts(*route); });
    if (only && answer.status == 405) answer.why = "only tunnels are opened here; curl asks for one with --proxytunnel";
  } else if (here) {
    answer.why = "tunnels are opened here for requests with other header fields only";
  } else if (std::any_of(settings_.routes.begin(), settings_.routes.end(),
                         [](const plan::Route& route) { return route.match.connect; })) {
    answer.why = "tunnels are opened here for other names only";
  } else {
    answer.why = "no tunnels are opened here; tun-encap does with --target @authority";
  }
  return answer;
}

}  // namespace tunnel::proxy
