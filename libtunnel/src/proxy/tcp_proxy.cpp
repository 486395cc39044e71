// SPDX-License-Identifier: Apache-2.0
#include "proxy/tcp_proxy.hpp"

#include <utility>

#include "proxy/hop_stream.hpp"

namespace tunnel::proxy {

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

std::unique_ptr<Session> TcpProxy::start_session(const ConnectionInfo& info) {
  auto session = std::make_unique<Session>(*this, info);
  session->record.cluster = settings_.cluster;
  if (settings_.tunnel) session->record.authority = settings_.tunnel->target;
  return session;
}

Task<void> TcpProxy::serve(StreamPtr downstream, ConnectionInfo info) {
  std::unique_ptr<Session> session = start_session(info);
  session->downstream = std::move(downstream);
  if (session->admission.refusal()) co_return session->fail(session->admission.refusal());
  Cancel cancel(context().loop);
  ClientWatch watch(*session->downstream, cancel);
  session->connecting = &cancel;
  ConnectRequest request{std::move(info), cancel};
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request);
  Result<Cluster::Dialed> upstream = co_await connecting;
  session->connecting = nullptr;
  watch.stop();
  if (!upstream.ok()) co_return session->fail(upstream.error());
  session->record.upstream = std::move(upstream->address);
  session->upstream = std::move(upstream->stream);
  spawn(relay(std::move(session)));
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
  // In the list while it connects, as a record is; whoever asked cancels it.
  std::unique_ptr<Session> session = start_session(request.info);
  if (session->admission.refusal()) {
    session->fail(session->admission.refusal());
    co_return session->admission.refusal();
  }
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request);
  Result<Cluster::Dialed> upstream = co_await connecting;
  if (!upstream.ok()) {
    session->fail(upstream.error());
    co_return upstream.error();
  }
  session->record.upstream = upstream->address;
  session->upstream = std::move(upstream->stream);
  auto [near, far] = make_pair();
  session->downstream = std::move(far);
  spawn(relay(std::move(session)));
  co_return Opened{std::move(near), std::move(upstream->address)};
}

}  // namespace tunnel::proxy
