// SPDX-License-Identifier: Apache-2.0
#include "proxy/tunnel_opening.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/letter_case.hpp"
#include "base/log.hpp"
#include "http/text.hpp"
#include "proxy/formatted_value.hpp"
#include "proxy/kept_response.hpp"

namespace tunnel::proxy {
namespace {

// A cause a proxy may give for its refusal (RFC 9209), and what it means for whoever asked for the tunnel.
struct Cause {
  const char* token;
  const char* meaning;
};
constexpr Cause kNoCause{"", ""};

constexpr std::uint32_t kInternalError = 2;  // of HTTP/2, with which Envoy resets a tunnel that was refused

// The ones we know are passed on to our own client.
const Cause& cause_of(const http::Fields& fields) {
  static constexpr std::array<Cause, 17> kCauses{{
      {"connection_refused", "the target refuses connections; is its port right, and does it run?"},
      {"connection_timeout", "the target did not answer it in time"},
      {"connection_terminated", "the target ended the connection"},
      {"connection_limit_reached", "one of its limits is reached; try again later"},
      {"destination_not_found", "it knows no way to the target"},
      {"destination_unavailable", "it takes the target to be down"},
      {"destination_ip_unroutable", "it has no route to the target"},
      {"destination_ip_prohibited",
       "its rules forbid the address of the target; loopback and private ones need a rule for the address itself"},
      {"dns_error", "it cannot resolve the target's name"},
      {"dns_timeout", "it cannot resolve the target's name"},
      {"http_request_denied", "its rules do not allow this target (--allow of tun-decap)"},
      {"http_request_error", "it takes the request to be wrong"},
      {"http_protocol_error", "what it connected to does not speak HTTP as expected"},
      {"proxy_internal_error", "it failed by itself"},
      {"proxy_loop_detected", "the way leads in a circle"},
      {"proxy_configuration_error", "its configuration is wrong"},
      {"tls_protocol_error", "TLS between it and the target failed"},
  }};
  const std::string* value = fields.find("proxy-status");
  if (value == nullptr) return kNoCause;
  const std::size_t at = value->find("error=");
  if (at == std::string::npos) return kNoCause;
  const std::string_view rest = std::string_view(*value).substr(at + 6);
  const std::string_view word = rest.substr(0, rest.find_first_of("; ,"));
  const auto found =
      std::find_if(kCauses.begin(), kCauses.end(), [&](const Cause& cause) { return word == cause.token; });
  return found == kCauses.end() ? kNoCause : *found;
}

// The scheme of a challenge a user can answer with a fixed field: Basic, if the proxy offers it, else the first it
// names.
std::string scheme_of(const http::Fields& fields) {
  std::string first;
  for (const auto& [name, value] : fields) {
    if (name != "proxy-authenticate") continue;
    std::string scheme = value.substr(0, value.find_first_of(" ,"));
    if (equal_ignoring_case(scheme, "basic")) return "Basic";
    if (first.empty()) first = std::move(scheme);
  }
  return first;
}

std::string wanted_credentials(const http::ResponseHead& answer, const http::RequestHead& request) {
  if (request.fields.contains("proxy-authorization"))
    return ": it does not accept the credentials of --header Proxy-Authorization";
  const std::string scheme = scheme_of(answer.fields);
  if (equal_ignoring_case(scheme, "negotiate") || equal_ignoring_case(scheme, "ntlm") ||
      equal_ignoring_case(scheme, "digest"))
    return ": it wants " + scheme + " credentials, made anew for each request; put a proxy that makes them in between";
  return ": it wants " + scheme + (scheme.empty() ? "" : " ") +
         "credentials; give them with --header 'Proxy-Authorization: @FILE'" +
         (scheme == "Basic" ? ", FILE holding Basic and base64 of USER:PASSWORD" : "") +
         "; of several -x the last one gets it";
}

// What an answer means and what a user can do about it, where that is more than its number says.
std::string explanation(const http::ResponseHead& answer, const http::RequestHead& request, const Cause& cause) {
  if (answer.status == 407) return wanted_credentials(answer, request);
  if (answer.status == 405 || answer.status == 501)
    return request.method == "CONNECT" ? ": it seems to take no CONNECT; if it takes tunnels by POST, try --post"
                                       : ": it seems to take no tunnels by POST; a tun-decap needs --post, too";
  if (*cause.meaning != 0) return std::string(": ") + cause.meaning;
  if (answer.status == 403) return ": it allows no tunnel to this target, or not from here; ask who runs it";
  if (answer.status == 502 || answer.status == 504) return ": it could not connect to the target";
  return "";
}

Error refusal(const http::ResponseHead& answer, const http::RequestHead& request, const std::string& peer) {
  const Cause& cause = cause_of(answer.fields);
  Error error(Error::Kind::refused, "the proxy " + peer + " answered " + std::to_string(answer.status) + " to " +
                                        request.method + " " + request.authority +
                                        (answer.status == 200  ? ", but with a page instead of a tunnel"
                                         : answer.status < 300 ? ", which opens no tunnel"
                                                               : "") +
                                        explanation(answer, request, cause));
  error.side = Error::Side::upstream;
  error.with(502, cause.token);
  error.received_status = answer.status;
  error.temporary = answer.fields.contains("retry-after");
  return error;
}

// Who failed, and what to try when it looks like the wrong protocol.
Error name_proxy(Error error, const std::string& peer, plan::Http protocol) {
  std::string text = "the proxy " + peer + ": " + std::string(error.text());
  // The codecs refuse to send what is no request: the peer has no part in that.
  if (error.status == 400)
    text = "nothing was asked of the proxy " + peer + ": " + std::string(error.text());
  else if (error.kind == Error::Kind::protocol || error.kind == Error::Kind::closed)
    text += protocol == plan::Http::h2 ? " (if it speaks HTTP/1.1, use h1:)" : " (if it speaks HTTP/2 only, use h2c:)";
  error.detail = std::make_shared<const std::string>(std::move(text));
  return error;
}

// Why `peer` gave no answer: what failed, or why we stopped waiting.
Error unanswered(const Error& failure, const Cancel& cancel, const std::string& peer, plan::Http protocol) {
  if (!cancel.cancelled()) return name_proxy(failure, peer, protocol);
  Error error = cancel.reason();
  if (error.kind != Error::Kind::timeout) return error;
  error.detail = std::make_shared<const std::string>(
      "the proxy " + peer + " is connected but did not answer in time (--connect-timeout); is it a proxy for " +
      (protocol == plan::Http::h2 ? "HTTP/2" : "HTTP/1.1") + "?");
  return error;
}

// Without a connection to the proxy: that it is the proxy, not the target, which cannot be reached.
Error unreached(Error error, const plan::Cluster& cluster) {
  const bool on_the_way = error.kind == Error::Kind::refused || error.kind == Error::Kind::unreachable ||
                          error.kind == Error::Kind::dns || error.kind == Error::Kind::timeout;
  // Behind an internal listener there are other lines; theirs is the last word.
  const bool direct =
      !cluster.endpoints.empty() && !std::holds_alternative<plan::Internal>(cluster.endpoints[0].address);
  if (on_the_way && direct && error.received_status == 0)
    error.detail = std::make_shared<const std::string>("no way to the proxy: " + std::string(error.text()));
  return error;
}

}  // namespace

TunnelOpening::TunnelOpening(const Context& context, Cluster& cluster, const plan::Tunnel& plan, bool inspector,
                             bool wants_200)
    : context_(context),
      cluster_(cluster),
      wants_200_(wants_200 && cluster.plan().protocol == plan::Http::h2),
      keeps_headers_(plan.keeps_response_headers),
      keeps_trailers_(plan.keeps_response_trailers) {
  head_.method = plan.post ? "POST" : "CONNECT";
  if (plan.post) {
    head_.scheme = "http";
    head_.path = plan.post_path;
  }
  for (const plan::Header& header : plan.headers) {
    if (header.format)
      formatted_.push_back({header.name, format_of(header.value, inspector)});
    else
      head_.fields.add(header.name, header.value);
  }
}

Task<Result<Cluster::Dialed>> TunnelOpening::open(const std::string& target, ConnectRequest& request) const {
  Result<std::shared_ptr<http::Pool>> pool = cluster_.pool_for(request);
  if (!pool.ok()) co_return pool.error();
  std::uint64_t newest = 0;
  for (std::uint64_t tries = 0;; ++tries) {
    Task<Result<Cluster::Dialed>> trying = try_open(target, request, **pool, newest);
    Result<Cluster::Dialed> opened = co_await trying;
    if (opened.ok() || !opened.error().retry_safe || tries >= context_.limits.retries || request.cancel.cancelled())
      co_return opened;
    context_.counters.add(Counter::retries);
    log::debug("{} {} again over a fresh connection: {}", head_.method, target, opened.error().text());
  }
}

Task<Result<Cluster::Dialed>> TunnelOpening::try_open(const std::string& target, ConnectRequest& request,
                                                      http::Pool& pool, std::uint64_t& newest) const {
  Task<Result<http::Pool::Acquired>> acquiring = pool.acquire(request, newest);
  Result<http::Pool::Acquired> acquired = co_await acquiring;
  if (!acquired.ok()) co_return unreached(acquired.error(), cluster_.plan());
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
  const plan::Http protocol = cluster_.plan().protocol;
  http::RequestHead head = head_;
  head.authority = target;
  for (const Formatted& field : formatted_) {
    const std::string formatted = formatted_value(field.format, request.info);
    // Without an operator's value a blank beside it is at an end, where no field may have one.
    if (const std::string_view value = http::trim(formatted); !value.empty()) head.fields.add(field.name, value);
  }
  Result<void> sent = co_await exchange.send(head, http::Body::tunnel());
  if (!sent.ok()) co_return unanswered(sent.error(), request.cancel, acquired->peer, protocol);
  for (;;) {
    Result<http::ResponseHead> answer = co_await exchange.head();
    if (!answer.ok()) co_return unanswered(answer.error(), request.cancel, acquired->peer, protocol);
    if (answer->status < 200) continue;
    if (keeps_headers_) request.info.state = with_response(request.info.state, *answer);
    if (exchange.response_body().kind != http::Body::Kind::tunnel || (wants_200_ && answer->status != 200)) {
      Error given_up(Error::Kind::cancelled, "refused tunnel");
      if (wants_200_) given_up.reset_code = kInternalError;
      exchange.abort(given_up);
      Error refused = refusal(*answer, head, acquired->peer);
      refused.far_state = std::move(acquired->far_state);
      co_return refused;
    }
    Cluster::Dialed dialed{std::move(acquired->exchange), std::move(acquired->address), std::move(acquired->peer),
                           nullptr, acquired->local};
    dialed.far_state = std::move(acquired->far_state);
    if (keeps_trailers_) dialed.tunnel = &exchange;
    co_return dialed;
  }
}

}  // namespace tunnel::proxy
