// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_connection.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "http/sniff.hpp"
#include "proxy/envoy_answer.hpp"
#include "proxy/forward.hpp"
#include "proxy/session.hpp"
#include "proxy/taken_value.hpp"

namespace tunnel::proxy {
namespace {

// An aborted connection ends its tunnels too: resetting the exchange alone would leave the other side to timers.
struct CutRelay {
  Cancel& from;
  Relay& relay;
  static void call(void* self) noexcept {
    static_cast<CutRelay*>(self)->relay.abort(static_cast<CutRelay*>(self)->from.reason());
  }
};

// Where a route leads; empty: nowhere, or there is none.
std::string_view cluster_of(const plan::Route* route) {
  if (route == nullptr) return "";
  if (const auto* forward = std::get_if<plan::Forward>(&route->action)) return forward->cluster;
  if (const auto* terminate = std::get_if<plan::Terminate>(&route->action)) return terminate->cluster;
  return "";
}

bool wants_upgrade(const http::RequestHead& head) { return head.fields.contains("upgrade") || !head.protocol.empty(); }

}  // namespace

HttpConnection::Request::Request(HttpConnection& connection, AccessRecord started)
    : record(std::move(started)), connection_(connection), next_(connection.requests_) {
  if (next_ != nullptr) next_->previous_ = this;
  connection_.requests_ = this;
}

HttpConnection::Request::~Request() {
  (previous_ != nullptr ? previous_->next_ : connection_.requests_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

HttpConnection::HttpConnection(HttpProxy& proxy, StreamPtr stream, ConnectionInfo info)
    : Connection(proxy.environment().connections),
      proxy_(proxy),
      admission_(proxy, info),
      stream_(std::move(stream)),
      info_(std::move(info)),
      aborted_(proxy.context().loop),
      draining_(proxy.environment().draining),
      lifetime_(Lifetime::of(proxy, *this, info_.downstream, proxy.context().loop.now())) {}

Task<void> HttpConnection::run() {
  bool h2 = proxy_.settings().codec == plan::Http::h2;
  if (proxy_.settings().codec == plan::Http::automatic) {
    Task<Result<http::Version>> sniffing = http::sniff_version(proxy_.context(), *stream_);
    Result<http::Version> version = co_await sniffing;
    if (!version.ok()) {
      log::debug("{} {}: {}", proxy_.plan().name, info_.downstream, log::escape(version.error().text()));
      proxy_.note(version.error(), false);
      co_return;
    }
    if (*version == http::Version::none) {
      Result<void> closed = co_await stream_->shutdown_write();
      (void)closed.ok();
      co_return;
    }
    h2 = *version == http::Version::http2;
  }
  http::ServerOptions options;
  options.idle_timeout = proxy_.plan().idle_timeout;
  options.streams = proxy_.settings().streams;
  // A connection over a limit is answered once, so that its client learns why, and closed. It may not wait for long.
  options.refuses_over_memory = !admission_.refusal();
  if (admission_.refusal()) {
    const Duration head_time = proxy_.context().limits.head_time;
    if (options.idle_timeout == Duration::zero() || options.idle_timeout > head_time) options.idle_timeout = head_time;
  }
  server_ = h2 ? h2::make_server(proxy_.context(), *stream_, *this, options)
               : h1::make_server(proxy_.context(), *stream_, *this, options);
  if (draining_) server_->drain();
  HttpStats& stats = proxy_.stats().http;
  const SpanGuard counted(h2 ? &stats.h2 : &stats.h1);
  co_await server_->run();
  log::debug("{} {} closed", proxy_.plan().name, info_.downstream);
}

void HttpConnection::drain() noexcept {
  draining_ = true;
  if (server_)
    server_->drain();
  else
    stream_->abort(Error(Error::Kind::shutdown, "draining"));  // it has said nothing yet that could be told apart
}

void HttpConnection::abort(const Error& reason) noexcept {
  aborted_.cancel(reason);
  if (server_)
    server_->abort(reason);
  else
    stream_->abort(reason);
}

void HttpConnection::describe(Listing& into) const {
  for (const Request* request = requests_; request != nullptr; request = request->next_)
    into.add(request->record, request->flow);
}

void HttpConnection::rejected(std::string_view protocol, std::uint16_t status, std::size_t body_bytes,
                              std::string_view detail) {
  proxy_.context().counters.add(Counter::requests);
  AccessRecord record = proxy_.start_record(AccessRecord::Kind::request, admission_, info_, "");
  record.protocol = protocol;
  record.status = status;
  record.bytes_sent = body_bytes;
  count_request(record);
  proxy_.count_answer(record);
  proxy_.count_sent(record);
  proxy_.finish_record(record, nullptr, Error(Error::Kind::protocol, detail).on(Error::Side::downstream));
  proxy_.tell(info_.downstream, record.error);
}

void HttpConnection::count_request(const AccessRecord& record) {
  HttpStats& stats = proxy_.stats().http;
  (record.protocol == "HTTP/2" ? stats.h2_begun : stats.h1_begun).add(1);
}

void HttpConnection::cut(const Error& reason) {
  proxy_.tell(info_.downstream, reason);
  proxy_.note(reason, true);
}

Task<void> HttpConnection::serve(http::ServerExchange& exchange) {
  proxy_.context().counters.add(Counter::requests);
  const http::RequestHead& head = exchange.request();
  const bool refused = admission_.refusal() || wants_upgrade(head);
  const plan::Route* route = refused ? nullptr : proxy_.route(head);
  Request request(*this, proxy_.start_record(proxy_.opens_tunnel(head, route) ? AccessRecord::Kind::tunnel
                                                                              : AccessRecord::Kind::request,
                                             admission_, info_, cluster_of(route)));
  AccessRecord& record = request.record;
  record.protocol = exchange.protocol();
  record.method = head.method;
  record.authority = head.authority;
  record.path = head.path;
  proxy_.note_request(record, head.fields);
  count_request(record);
  const SpanGuard tunnel(head.is_connect() && route != nullptr ? &proxy_.stats().http.tunnels : nullptr);
  co_await answer(exchange, route, request);
  if (!request.answered) proxy_.count_answer(record);
  proxy_.finish_record(record, nullptr, Error(record.error));
}

Task<void> HttpConnection::answer(http::ServerExchange& exchange, const plan::Route* route, Request& request) {
  AccessRecord& record = request.record;
  const http::RequestHead& head = exchange.request();
  if (admission_.refusal()) {
    server_->drain();
    co_return co_await refuse(exchange, admission_.refusal(), record);
  }
  if (wants_upgrade(head)) {
    const HttpProxy::Refusal refusal{501, "", "an Upgrade, as of a WebSocket, is not passed on"};
    co_return co_await refuse_status(exchange, refusal, record);
  }
  HttpStats& stats = proxy_.stats().http;
  stats.routed.add(1);
  if (route == nullptr) {
    stats.unrouted.add(1);
    const HttpProxy::Refusal refusal = proxy_.refusal(head);
    co_return co_await refuse_status(exchange, refusal, record);
  }
  if (const auto* action = std::get_if<plan::Respond>(&route->action)) {
    stats.responded.add(1);
    co_return co_await respond(exchange, *action, record);
  }
  if (std::holds_alternative<plan::Terminate>(route->action)) co_return co_await terminate(exchange, *route, request);
  Cluster& cluster = *proxy_.environment().clusters.at(std::get<plan::Forward>(route->action).cluster);
  Cancel cancel(aborted_);
  ClientWatch watch(exchange, cancel);
  ConnectRequest connect_request{info_, cancel};
  if (cluster.takes_authority()) {
    Result<Authority> target = clear_target_of(head);
    if (!target.ok()) co_return co_await refuse(exchange, target.error(), record);
    connect_request.authority = target->to_string();
  }
  Live live{proxy_.traffic(record), request.flow, record};
  const FlowTimeouts timeouts = proxy_.stream_timeouts(route);
  Task<Forwarded> forwarding = forward(proxy_, cluster, exchange, connect_request, timeouts, live);
  Forwarded result = co_await forwarding;
  watch.stop();
  record.upstream = std::move(result.upstream);
  record.upstream_local = result.upstream_local;
  record.attempts = result.attempts;
  record.bytes_received = result.bytes_received;
  record.bytes_sent = result.bytes_sent;
  record.status = result.status;
  if (result.status != 0) record.answer = AccessRecord::Answer::upstream;
  record.error = result.error;
  if (result.status == 0) co_await refuse(exchange, result.error, record);
}

Task<void> HttpConnection::respond(http::ServerExchange& exchange, const plan::Respond& action, AccessRecord& record) {
  http::ResponseHead head;
  head.status = static_cast<std::uint16_t>(action.status);
  head.fields.add("content-type", "text/plain");
  record.status = head.status;
  record.answer = AccessRecord::Answer::route;
  const bool body_allowed =
      exchange.request().method != "HEAD" && action.status >= 200 && action.status != 204 && action.status != 304;
  if (!body_allowed && action.status != 204) head.fields.add("content-length", std::to_string(action.body.size()));
  proxy_.note_response(record, head.fields);
  Result<void> sent =
      co_await exchange.respond(head, body_allowed ? http::Body::of(action.body.size()) : http::Body::none());
  if (sent.ok() && body_allowed && !action.body.empty()) sent = co_await send_body(exchange, action.body, record);
  if (!sent.ok()) record.error = sent.error();
}

// The timers are those of a relay: a client that reads nothing must not hold its answer for ever.
Task<Result<void>> HttpConnection::send_body(http::ServerExchange& exchange, const std::string& text,
                                             AccessRecord& record) {
  if (!record.client_had_gone()) {
    record.bytes_sent = text.size();
    proxy_.count_sent(record);
  }
  const auto expired = [](void* stream, const Error& reason) noexcept {
    static_cast<http::ServerExchange*>(stream)->abort(reason);
  };
  Flow flow(proxy_.context(), proxy_.stream_timeouts(nullptr), expired, &exchange);
  Buffer body(text);
  while (!body.empty()) {
    const Io io = exchange.try_write(body, More::no);
    if (io.state == Io::State::failed) co_return exchange.error();
    if (io.state == Io::State::done) {
      flow.unblocked(Direction::down);
      continue;
    }
    flow.blocked(Direction::down);
    co_await Writable(exchange);
  }
  co_return co_await exchange.shutdown_write();
}

Task<void> HttpConnection::refuse(http::ServerExchange& exchange, const Error& reason, AccessRecord& record) {
  record.error = reason;
  if (reason.side != Error::Side::downstream)
    proxy_.tell(info_.downstream, reason,
                fmt::format("{} {}", log::escape(record.method), log::escape(record.authority)));
  std::optional<http::StatusAnswer> as_envoy;
  if (proxy_.environment().behaviour.answers_503) as_envoy = envoy_answer(record);
  http::StatusAnswer told = as_envoy ? std::move(*as_envoy) : http::status_answer(reason);
  // As with a refused CONNECT, what follows on the connection may be bytes that were meant for the tunnel.
  if (record.kind == AccessRecord::Kind::tunnel) told.head.fields.add("connection", "close");
  co_await say(exchange, std::move(told), record);
}

Task<void> HttpConnection::refuse_status(http::ServerExchange& exchange, const HttpProxy::Refusal& refusal,
                                         AccessRecord& record) {
  record.answer = refusal.status == 501 ? AccessRecord::Answer::no_upgrade : AccessRecord::Answer::no_route;
  http::ResponseHead head{refusal.status, {}};
  if (!refusal.allow.empty()) head.fields.add("allow", refusal.allow);
  std::string text(http::reason_phrase(head.status));
  if (!refusal.why.empty()) {
    text += fmt::format(": {}", refusal.why);
    proxy_.tell(info_.downstream, Error(Error::Kind::denied, fmt::format("answered {}: {}", head.status, refusal.why)),
                fmt::format("{} {}", log::escape(record.method), log::escape(record.authority)));
  }
  text += '\n';
  head.fields.add("content-type", "text/plain");
  http::StatusAnswer told{std::move(head), std::move(text)};
  co_await say(exchange, std::move(told), record);
}

Task<void> HttpConnection::say(http::ServerExchange& exchange, http::StatusAnswer told, AccessRecord& record) {
  record.status = told.head.status;
  const bool has_body = exchange.request().method != "HEAD" && !told.text.empty();
  if (!has_body && !told.text.empty()) told.head.fields.add("content-length", std::to_string(told.text.size()));
  proxy_.note_response(record, told.head.fields);
  Result<void> sent =
      co_await exchange.respond(told.head, has_body ? http::Body::of(told.text.size()) : http::Body::none());
  if (sent.ok() && has_body) sent = co_await send_body(exchange, told.text, record);
  if (!sent.ok() && !record.error) record.error = sent.error();
}

Task<Result<Cluster::Dialed>> HttpConnection::connect(const http::RequestHead& head, Cluster& cluster,
                                                      ConnectRequest& request) {
  Cancel cancel(request.cancel, cluster.plan().connect_timeout, cluster.timeout_error());
  ConnectRequest timed{request.info, cancel};
  const Result<Authority> authority = target_of(head);
  if (!authority.ok()) co_return authority.error();
  if (cluster.takes_authority()) timed.authority = authority->to_string();
  Task<Result<Cluster::Dialed>> connecting = cluster.plan().find == plan::Cluster::Find::request
                                                 ? cluster.connect_to(*authority, timed)
                                                 : cluster.connect(timed);
  Result<Cluster::Dialed> connected = co_await connecting;
  if (!connected.ok() && cancel.cancelled() && !request.cancel.cancelled())
    proxy_.context().counters.add(Counter::connect_timeouts);
  co_return connected;
}

Task<void> HttpConnection::terminate(http::ServerExchange& exchange, const plan::Route& route, Request& request) {
  Cluster& cluster = *proxy_.environment().clusters.at(std::get<plan::Terminate>(route.action).cluster);
  AccessRecord& record = request.record;
  const http::RequestHead& head = exchange.request();
  const http::Body::Kind body = exchange.request_body().kind;
  if (body != http::Body::Kind::tunnel && body != http::Body::Kind::unknown) {
    const Error reason(Error::Kind::protocol, "a POST of a length that is known is no tunnel");
    co_return co_await refuse(exchange, Error(reason).with(400, "http_request_error").on(Error::Side::downstream),
                              record);
  }
  Cancel cancel(aborted_);
  ClientWatch watch(exchange, cancel);
  ConnectRequest connect_request{info_, cancel};
  Task<Result<Cluster::Dialed>> connecting = connect(head, cluster, connect_request);
  record.attempts = 1;
  Result<Cluster::Dialed> upstream = co_await connecting;
  watch.stop();
  record.far_state = upstream.ok() ? upstream->far_state : upstream.error().far_state;
  if (!upstream.ok()) co_return co_await refuse(exchange, upstream.error(), record);
  record.upstream = upstream->address;
  record.upstream_local = upstream->local;
  record.status = 200;
  record.answer = AccessRecord::Answer::upstream;
  // Here the tunnel ends, so it is for us to say that the body is welcome.
  if (body == http::Body::Kind::unknown && head.fields.has_token("expect", "100-continue")) {
    Result<void> welcome = co_await exchange.inform(http::ResponseHead{100, {}});
    (void)welcome.ok();  // what is wrong the answer will meet, too
  }
  Result<void> opened = co_await exchange.respond(http::ResponseHead{200, {}}, http::Body::tunnel());
  if (!opened.ok()) {
    record.error = opened.error();
    co_return;
  }
  proxy_.count_answer(record);
  request.answered = true;
  Relay relay(proxy_.context(), proxy_.stream_timeouts(&route), exchange, *upstream->stream, &proxy_.traffic(record));
  relay.flow().read_ahead(proxy_.read_ahead());
  settle_end(relay, proxy_);
  const ShownFlow shown(request.flow, relay.flow());
  CutRelay cut_relay{aborted_, relay};
  const Cancel::Hook relay_hook(aborted_, &CutRelay::call, &cut_relay);
  const RelayEnd end = co_await relay.run();
  record.bytes_received = relay.flow().bytes(Direction::up);
  record.bytes_sent = relay.flow().bytes(Direction::down);
  record.error = end.error;
  proxy_.tell_end(record, relay.flow(), end.error, admission_.entered());
}

}  // namespace tunnel::proxy
