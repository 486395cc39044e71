// SPDX-License-Identifier: Apache-2.0
#include "proxy/cluster.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.hpp"
#include "net/listener.hpp"

namespace tunnel::proxy {
namespace {

// A refusal of the next proxy may name its cause (RFC 9209); the ones we know are passed on to our own client.
const char* known_cause(const http::Fields& fields) {
  static constexpr std::array<const char*, 17> kTokens{"connection_refused",
                                                       "connection_timeout",
                                                       "connection_terminated",
                                                       "connection_limit_reached",
                                                       "destination_not_found",
                                                       "destination_unavailable",
                                                       "destination_ip_unroutable",
                                                       "destination_ip_prohibited",
                                                       "dns_error",
                                                       "dns_timeout",
                                                       "http_request_denied",
                                                       "http_request_error",
                                                       "http_protocol_error",
                                                       "proxy_internal_error",
                                                       "proxy_loop_detected",
                                                       "proxy_configuration_error",
                                                       "tls_protocol_error"};
  const std::string* value = fields.find("proxy-status");
  if (value == nullptr) return "";
  const std::size_t at = value->find("error=");
  if (at == std::string::npos) return "";
  const std::string_view rest = std::string_view(*value).substr(at + 6);
  const std::string_view word = rest.substr(0, rest.find_first_of("; ,"));
  const auto found = std::find(kTokens.begin(), kTokens.end(), word);
  return found == kTokens.end() ? "" : *found;
}

Error refusal(const http::ResponseHead& head, const std::string& target) {
  Error error(Error::Kind::refused, "the proxy answered " + std::to_string(head.status) + " to CONNECT " + target);
  error.side = Error::Side::upstream;
  error.with(502, known_cause(head.fields));
  error.received_status = head.status;
  return error;
}

// Who failed, and what to try when it looks like the wrong protocol.
Error name_proxy(Error error, const std::string& address, plan::Http protocol) {
  std::string text = "the proxy " + address + ": " + std::string(error.text());
  if (error.kind == Error::Kind::protocol || error.kind == Error::Kind::closed)
    text += protocol == plan::Http::h2 ? " (if it speaks HTTP/1.1, use h1:)" : " (if it speaks HTTP/2 only, use h2c:)";
  error.detail = std::make_shared<const std::string>(std::move(text));
  return error;
}

}  // namespace

Cluster::Cluster(Environment& environment, const plan::Cluster& plan)
    : environment_(environment), plan_(plan), rules_(plan.rules), pool_(environment.context, *this, plan.protocol) {}

Error Cluster::timeout_error() const {
  return Error(Error::Kind::timeout,
               "connecting took longer than " + std::to_string(plan_.connect_timeout.count()) + " ms");
}

Task<Result<Cluster::Dialed>> Cluster::connect(ConnectRequest& request) {
  const plan::Address& address = plan_.endpoints.front().address;
  if (const auto* tcp = std::get_if<plan::Tcp>(&address)) return connect_tcp(*tcp, request);
  return connect_internal(std::get<plan::Internal>(address), request);
}

Task<Result<Cluster::Dialed>> Cluster::connect_internal(const plan::Internal& address, ConnectRequest& request) {
  Task<Result<net::InternalListener::Opened>> opening = environment_.registry.connect(address, request);
  Result<net::InternalListener::Opened> opened = co_await opening;
  if (!opened.ok()) co_return opened.error();
  co_return Dialed{std::move(opened->stream),
                   "internal:" + address.listener + (address.endpoint_id.empty() ? "" : "/" + address.endpoint_id)};
}

Task<Result<std::vector<SocketAddress>>> Cluster::resolve(const std::string& host, std::uint16_t port,
                                                          ConnectRequest& request) {
  Task<Result<std::vector<SocketAddress>>> resolving = environment_.network.resolve(host, port, request.cancel);
  Result<std::vector<SocketAddress>> addresses = co_await resolving;
  if (!addresses.ok() && proxy_status_token(addresses.error()) == "dns_timeout")
    environment_.context.counters.add(Counter::dns_timeouts);
  co_return addresses;
}

Task<Result<Cluster::Dialed>> Cluster::connect_any(std::vector<SocketAddress> addresses, ConnectRequest& request) {
  Task<Result<net::Connected>> connecting = environment_.network.connect(std::move(addresses), request.cancel);
  Result<net::Connected> connected = co_await connecting;
  if (!connected.ok()) co_return connected.error();
  co_return Dialed{std::move(connected->stream), connected->address.to_string()};
}

Task<Result<Cluster::Dialed>> Cluster::connect_tcp(const plan::Tcp& address, ConnectRequest& request) {
  Task<Result<std::vector<SocketAddress>>> resolving = resolve(address.host, address.port, request);
  Result<std::vector<SocketAddress>> addresses = co_await resolving;
  if (!addresses.ok()) co_return addresses.error();
  Task<Result<Dialed>> connecting = connect_any(std::move(*addresses), request);
  co_return co_await connecting;
}

bool Cluster::is_own(const SocketAddress& address) const {
  const std::vector<SocketAddress>& own_addresses = environment_.shared.own_addresses;
  return std::any_of(own_addresses.begin(), own_addresses.end(), [&](const SocketAddress& own) {
    if (own.port() != address.port()) return false;
    if (own.is_unspecified()) return net::is_of_this_machine(address.unwrapped());
    return own.unwrapped() == address.unwrapped() || (own.is_loopback() && address.is_unspecified());
  });
}

Task<Result<Cluster::Dialed>> Cluster::connect_to(const Authority& authority, ConnectRequest& request) {
  Counters& counters = environment_.context.counters;
  if (!rules_.may_allow(authority)) {
    counters.add(Counter::denied);
    co_return Error(Error::Kind::denied, "no rule allows " + authority.to_string());
  }
  Task<Result<std::vector<SocketAddress>>> resolving = resolve(authority.host, authority.port, request);
  Result<std::vector<SocketAddress>> addresses = co_await resolving;
  if (!addresses.ok()) co_return addresses.error();
  std::erase_if(*addresses,
                [&](const SocketAddress& address) { return !rules_.allows(authority, address) || is_own(address); });
  if (addresses->empty()) {
    counters.add(Counter::denied);
    co_return Error(Error::Kind::denied, "no rule allows the addresses of " + authority.to_string())
        .with(403, "destination_ip_prohibited");
  }
  Task<Result<Dialed>> connecting = connect_any(std::move(*addresses), request);
  co_return co_await connecting;
}

Task<Result<Cluster::Dialed>> Cluster::open_tunnel(const std::string& target, ConnectRequest& request) {
  std::uint64_t newest = 0;
  for (std::uint64_t tries = 0;; ++tries) {
    Task<Result<Dialed>> trying = try_tunnel(target, request, newest);
    Result<Dialed> opened = co_await trying;
    if (opened.ok() || !opened.error().retry_safe || tries >= environment_.context.limits.retries ||
        request.cancel.cancelled())
      co_return opened;
    environment_.context.counters.add(Counter::retries);
    log::debug("CONNECT {} again over a fresh connection: {}", target, opened.error().text());
  }
}

Task<Result<Cluster::Dialed>> Cluster::try_tunnel(const std::string& target, ConnectRequest& request,
                                                  std::uint64_t& newest) {
  Task<Result<http::Pool::Acquired>> acquiring = pool_.acquire(request, newest);
  Result<http::Pool::Acquired> acquired = co_await acquiring;
  if (!acquired.ok()) co_return acquired.error();
  newest = acquired->newest;
  // Cancelled in the same turn as the connection came: the hook below would not be called any more.
  if (request.cancel.cancelled()) co_return request.cancel.reason();
  http::ClientExchange& exchange = *acquired->exchange;
  const Cancel::Hook hook(
      request.cancel,
      [](void* stream) noexcept {
        static_cast<http::ClientExchange*>(stream)->abort(Error(Error::Kind::cancelled, "not wanted any more"));
      },
      &exchange);
  http::RequestHead head;
  head.method = "CONNECT";
  head.authority = target;
  Result<void> sent = co_await exchange.send(head, http::Body::tunnel());
  if (!sent.ok() && !request.cancel.cancelled()) co_return name_proxy(sent.error(), acquired->address, plan_.protocol);
  if (!sent.ok()) co_return request.cancel.reason();
  for (;;) {
    Result<http::ResponseHead> answer = co_await exchange.head();
    if (!answer.ok() && !request.cancel.cancelled())
      co_return name_proxy(answer.error(), acquired->address, plan_.protocol);
    if (!answer.ok()) co_return request.cancel.reason();
    if (answer->status < 200) continue;
    if (answer->status >= 300) {
      exchange.abort(Error(Error::Kind::cancelled, "refused tunnel"));
      co_return refusal(*answer, target);
    }
    co_return Dialed{std::move(acquired->exchange), std::move(acquired->address)};
  }
}

}  // namespace tunnel::proxy
