// SPDX-License-Identifier: Apache-2.0
#include "proxy/tcp_proxy.hpp"

#include <utility>

#include "base/log.hpp"
#include "proxy/hop_stream.hpp"

namespace tunnel::proxy {
namespace {

// A hop relayed over a pair: what HopStream is without one. Owns itself until both directions have ended.
Task<void> relay_hop(Handler& handler, std::unique_ptr<Handler::Admission> admission, AccessRecord record,
                     StreamPtr near, StreamPtr upstream) {
  RelayedConnection connection(handler.environment(), record.downstream_local);
  Relay relay(handler.context(), handler.tunnel_timeouts(), *near, *upstream);
  connection.relaying(&relay);
  const RelayEnd end = co_await relay.run();
  connection.relaying(nullptr);
  upstream.reset();
  near.reset();
  handler.finish_record(record, &relay.flow(), end.error);
  admission.reset();
}

}  // namespace

TcpProxy::TcpProxy(Environment& environment, const plan::Listener& plan)
    : Handler(environment, plan),
      settings_(std::get<plan::TcpProxy>(Handler::plan().handler)),
      cluster_(*environment.clusters.at(settings_.cluster)) {}

void TcpProxy::accepted(StreamPtr stream, ConnectionInfo info) { spawn(serve(std::move(stream), std::move(info))); }

Task<Result<Cluster::Dialed>> TcpProxy::connect_upstream(ConnectRequest& request) {
  Cancel cancel(request.cancel, cluster_.plan().connect_timeout, cluster_.timeout_error());
  ConnectRequest timed{request.info, cancel};
  Task<Result<Cluster::Dialed>> connecting =
      settings_.tunnel ? cluster_.open_tunnel(settings_.tunnel->target, timed) : cluster_.connect(timed);
  Result<Cluster::Dialed> connected = co_await connecting;
  if (!connected.ok() && cancel.cancelled() && !request.cancel.cancelled())
    context().counters.add(Counter::connect_timeouts);
  co_return connected;
}

Task<void> TcpProxy::serve(StreamPtr downstream, ConnectionInfo info) {
  const Admission admission(*this, info);
  RelayedConnection connection(environment(), info.downstream);
  AccessRecord record = start_record(AccessRecord::Kind::connection, info);
  record.cluster = settings_.cluster;
  if (settings_.tunnel) record.authority = settings_.tunnel->target;
  if (admission.refusal()) {
    downstream->abort(admission.refusal());
    finish_record(record, nullptr, admission.refusal());
    co_return;
  }
  downstream->on_reset(&connection);
  ConnectRequest request{std::move(info), connection.cancel()};
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request);
  Result<Cluster::Dialed> upstream = co_await connecting;
  downstream->on_reset(nullptr);
  if (!upstream.ok()) {
    log::info("{} {}: {}", plan().name, record.downstream_remote, log::escape(upstream.error().text()));
    downstream->abort(upstream.error());
    finish_record(record, nullptr, upstream.error());
    co_return;
  }
  record.upstream = upstream->address;
  Relay relay(context(), tunnel_timeouts(), *downstream, *upstream->stream);
  connection.relaying(&relay);
  const RelayEnd end = co_await relay.run();
  connection.relaying(nullptr);
  upstream->stream.reset();  // a hop behind us writes its line first
  downstream.reset();
  finish_record(record, &relay.flow(), end.error);
}

Task<Result<TcpProxy::Opened>> TcpProxy::open(ConnectRequest& request) {
  return environment().force_pairs ? open_pair(request) : open_record(request);
}

Task<Result<TcpProxy::Opened>> TcpProxy::open_record(ConnectRequest& request) {
  auto hop = std::make_unique<HopStream>(*this, request.info);
  hop->record().cluster = settings_.cluster;
  if (settings_.tunnel) hop->record().authority = settings_.tunnel->target;
  if (hop->refusal()) {
    hop->fail(hop->refusal());
    co_return hop->refusal();
  }
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request);
  Result<Cluster::Dialed> upstream = co_await connecting;
  if (!upstream.ok()) {
    hop->fail(upstream.error());
    co_return upstream.error();
  }
  std::string address = upstream->address;
  hop->attach(std::move(upstream->stream), address);
  co_return Opened{std::move(hop), std::move(address)};
}

Task<Result<TcpProxy::Opened>> TcpProxy::open_pair(ConnectRequest& request) {
  auto admission = std::make_unique<Admission>(*this, request.info);
  AccessRecord record = start_record(AccessRecord::Kind::connection, request.info);
  record.cluster = settings_.cluster;
  if (settings_.tunnel) record.authority = settings_.tunnel->target;
  if (admission->refusal()) {
    finish_record(record, nullptr, admission->refusal());
    co_return admission->refusal();
  }
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request);
  Result<Cluster::Dialed> upstream = co_await connecting;
  if (!upstream.ok()) {
    finish_record(record, nullptr, upstream.error());
    co_return upstream.error();
  }
  record.upstream = upstream->address;
  auto [near, far] = make_pair();
  spawn(relay_hop(*this, std::move(admission), std::move(record), std::move(far), std::move(upstream->stream)));
  co_return Opened{std::move(near), std::move(upstream->address)};
}

}  // namespace tunnel::proxy
