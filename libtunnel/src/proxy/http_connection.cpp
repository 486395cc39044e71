// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_connection.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "http/sniff.hpp"
#include "proxy/forward.hpp"
#include "proxy/session.hpp"

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

}  // namespace

HttpConnection::HttpConnection(HttpProxy& proxy, StreamPtr stream, ConnectionInfo info)
    : Connection(proxy.environment().connections),
      proxy_(proxy),
      admission_(proxy, info),
      stream_(std::move(stream)),
      info_(std::move(info)),
      aborted_(proxy.context().loop),
      draining_(proxy.environment().draining) {}

Task<void> HttpConnection::run() {
  bool h2 = proxy_.settings().codec == plan::Http::h2;
  if (proxy_.settings().codec == plan::Http::automatic) {
    Task<Result<http::Version>> sniffing = http::sniff_version(proxy_.context(), *stream_);
    Result<http::Version> version = co_await sniffing;
    if (!version.ok()) {
      log::debug("{} {}: {}", proxy_.plan().name, info_.downstream, log::escape(version.error().text()));
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
  // A connection over a limit is answered once, so that its client learns why, and closed. It may not wait for long.
  if (admission_.refusal())
    options.idle_timeout = std::min<Duration>(options.idle_timeout, proxy_.context().limits.head_time);
  server_ = h2 ? h2::make_server(proxy_.context(), *stream_, *this, options)
               : h1::make_server(proxy_.context(), *stream_, *this, options);
  if (draining_) server_->drain();
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

void HttpConnection::rejected(std::string_view protocol, std::uint16_t status, std::string_view detail) {
  proxy_.context().counters.add(Counter::requests);
  AccessRecord record = proxy_.start_record(AccessRecord::Kind::request, info_);
  record.protocol = protocol;
  record.status = status;
  proxy_.finish_record(record, nullptr, Error(Error::Kind::protocol, detail).on(Error::Side::downstream));
  proxy_.tell(info_.downstream, record.error);
}

void HttpConnection::cut(const Error& reason) { proxy_.tell(info_.downstream, reason); }

Task<void> HttpConnection::serve(http::ServerExchange& exchange) {
  proxy_.context().counters.add(Counter::requests);
  const http::RequestHead& head = exchange.request();
  AccessRecord record =
      proxy_.start_record(head.is_connect() ? AccessRecord::Kind::tunnel : AccessRecord::Kind::request, info_);
  record.protocol = exchange.protocol();
  record.method = head.method;
  record.authority = head.authority;
  record.path = head.path;
  co_await answer(exchange, record);
  proxy_.finish_record(record, nullptr, Error(record.error));
}

Task<void> HttpConnection::answer(http::ServerExchange& exchange, AccessRecord& record) {
  const http::RequestHead& head = exchange.request();
  if (admission_.refusal()) {
    server_->drain();
    co_return co_await refuse(exchange, admission_.refusal(), record);
  }
  if (head.fields.contains("upgrade") || !head.protocol.empty())
    co_return co_await refuse_status(exchange, http::ResponseHead{501, {}}, record);
  const plan::Route* route = proxy_.route(head);
  if (route == nullptr) {
    http::ResponseHead missing{404, {}};
    if (!head.is_connect() && proxy_.only_connect()) {
      missing.status = 405;
      missing.fields.add("allow", "CONNECT");
    }
    co_return co_await refuse_status(exchange, std::move(missing), record);
  }
  if (const auto* action = std::get_if<plan::Respond>(&route->action))
    co_return co_await respond(exchange, *action, record);
  if (const auto* action = std::get_if<plan::Terminate>(&route->action)) {
    record.cluster = action->cluster;
    co_return co_await terminate(exchange, *proxy_.environment().clusters.at(action->cluster), record);
  }
  const std::string& cluster = std::get<plan::Forward>(route->action).cluster;
  record.cluster = cluster;
  Cancel cancel(aborted_);
  ClientWatch watch(exchange, cancel);
  ConnectRequest request{info_, cancel};
  Task<Forwarded> forwarding = forward(proxy_, *proxy_.environment().clusters.at(cluster), exchange, request);
  Forwarded result = co_await forwarding;
  watch.stop();
  record.upstream = std::move(result.upstream);
  record.bytes_received = result.bytes_received;
  record.bytes_sent = result.bytes_sent;
  record.status = result.status;
  record.error = result.error;
  if (result.status == 0) co_await refuse(exchange, result.error, record);
}

Task<void> HttpConnection::respond(http::ServerExchange& exchange, const plan::Respond& action, AccessRecord& record) {
  http::ResponseHead head;
  head.status = static_cast<std::uint16_t>(action.status);
  head.fields.add("content-type", "text/plain");
  record.status = head.status;
  const bool body_allowed =
      exchange.request().method != "HEAD" && action.status >= 200 && action.status != 204 && action.status != 304;
  if (!body_allowed && action.status != 204) head.fields.add("content-length", std::to_string(action.body.size()));
  Result<void> sent =
      co_await exchange.respond(head, body_allowed ? http::Body::of(action.body.size()) : http::Body::none());
  if (sent.ok() && body_allowed && !action.body.empty()) {
    record.bytes_sent = action.body.size();
    sent = co_await send_body(exchange, action.body);
  }
  if (!sent.ok()) record.error = sent.error();
}

// The timers are those of a relay: a client that reads nothing must not hold its answer for ever.
Task<Result<void>> HttpConnection::send_body(http::ServerExchange& exchange, const std::string& text) {
  const auto expired = [](void* stream, const Error& reason) noexcept {
    static_cast<http::ServerExchange*>(stream)->abort(reason);
  };
  Flow flow(proxy_.context(), proxy_.tunnel_timeouts(), expired, &exchange);
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
  http::StatusAnswer told = http::status_answer(reason);
  co_await say(exchange, std::move(told), record);
}

Task<void> HttpConnection::refuse_status(http::ServerExchange& exchange, http::ResponseHead head,
                                         AccessRecord& record) {
  std::string text(http::reason_phrase(head.status));
  text += '\n';
  head.fields.add("content-type", "text/plain");
  http::StatusAnswer told{std::move(head), std::move(text)};
  co_await say(exchange, std::move(told), record);
}

Task<void> HttpConnection::say(http::ServerExchange& exchange, http::StatusAnswer told, AccessRecord& record) {
  record.status = told.head.status;
  const bool has_body = exchange.request().method != "HEAD" && !told.text.empty();
  if (!has_body && !told.text.empty()) told.head.fields.add("content-length", std::to_string(told.text.size()));
  Result<void> sent =
      co_await exchange.respond(told.head, has_body ? http::Body::of(told.text.size()) : http::Body::none());
  if (sent.ok() && has_body) {
    sent = co_await send_body(exchange, told.text);
  }
  if (!sent.ok() && !record.error) record.error = sent.error();
}

Task<Result<Cluster::Dialed>> HttpConnection::connect(const http::RequestHead& head, Cluster& cluster,
                                                      ConnectRequest& request) {
  Cancel cancel(request.cancel, cluster.plan().connect_timeout, cluster.timeout_error());
  ConnectRequest timed{request.info, cancel};
  const auto authority = parse_authority(head.authority);
  if (!authority)
    co_return Error(Error::Kind::protocol, "the target of CONNECT is no host:port").with(400, "http_request_error");
  Task<Result<Cluster::Dialed>> connecting = cluster.plan().find == plan::Cluster::Find::request
                                                 ? cluster.connect_to(*authority, timed)
                                                 : cluster.connect(timed);
  Result<Cluster::Dialed> connected = co_await connecting;
  if (!connected.ok() && cancel.cancelled() && !request.cancel.cancelled())
    proxy_.context().counters.add(Counter::connect_timeouts);
  co_return connected;
}

Task<void> HttpConnection::terminate(http::ServerExchange& exchange, Cluster& cluster, AccessRecord& record) {
  Cancel cancel(aborted_);
  ClientWatch watch(exchange, cancel);
  ConnectRequest request{info_, cancel};
  Task<Result<Cluster::Dialed>> connecting = connect(exchange.request(), cluster, request);
  Result<Cluster::Dialed> upstream = co_await connecting;
  watch.stop();
  if (!upstream.ok()) co_return co_await refuse(exchange, upstream.error(), record);
  record.upstream = upstream->address;
  record.status = 200;
  Result<void> opened = co_await exchange.respond(http::ResponseHead{200, {}}, http::Body::tunnel());
  if (!opened.ok()) {
    record.error = opened.error();
    co_return;
  }
  Relay relay(proxy_.context(), proxy_.tunnel_timeouts(), exchange, *upstream->stream);
  CutRelay cut_relay{aborted_, relay};
  const Cancel::Hook relay_hook(aborted_, &CutRelay::call, &cut_relay);
  const RelayEnd end = co_await relay.run();
  record.bytes_received = relay.flow().bytes(Direction::up);
  record.bytes_sent = relay.flow().bytes(Direction::down);
  record.error = end.error;
  if (end.error.kind == Error::Kind::timeout)
    proxy_.tell(info_.downstream, end.error, "CONNECT " + log::escape(record.authority));
}

}  // namespace tunnel::proxy
