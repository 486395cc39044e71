// SPDX-License-Identifier: Apache-2.0
#include "proxy/tcp_proxy.hpp"

#include <utility>

#include "base/log.hpp"
#include "plan/wording.hpp"
#include "proxy/formatted_value.hpp"
#include "proxy/hop_stream.hpp"
#include "proxy/server_name.hpp"
#include "proxy/taken_value.hpp"
#include "stream/filter_state.hpp"

namespace tunnel::proxy {
namespace {

// Of the loop, in which a refusal of this machine itself arrives.
constexpr int kTurnsToConnect = 2;

// What whoever connected to us gets back.
FilterStatePtr known_here(const AccessRecord& record) { return merged(record.state, record.far_state); }

// Whether another attempt might end otherwise: what we refuse ourselves we would refuse again. Behind an internal hop
// that has tried as often as it may, trying again would multiply.
bool is_of_the_way(const Error& error) {
  if (error.tried_again) return false;
  switch (error.kind) {
    case Error::Kind::reset:
    case Error::Kind::closed:
    case Error::Kind::refused:
    case Error::Kind::timeout:
    case Error::Kind::unreachable:
    case Error::Kind::dns:
    case Error::Kind::protocol:
      return true;
    default:
      return false;
  }
}

}  // namespace

TcpProxy::TcpProxy(Environment& environment, const plan::Listener& plan)
    : Handler(environment, plan),
      settings_(std::get<plan::TcpProxy>(Handler::plan().handler)),
      cluster_(*environment.clusters.at(settings_.cluster)),
      reads_hello_(environment.hello_listeners.contains(plan.name)) {
  if (!settings_.tunnel) return;
  tunnel_.emplace(context(), cluster_, *settings_.tunnel, settings_.tls_inspector, environment.behaviour.wants_200);
  target_source_ = plan::target_source_of(settings_.tunnel->target);
  if (target_source_ == plan::Source::format)
    target_format_ = format_of(settings_.tunnel->target, settings_.tls_inspector);
}

void TcpProxy::note_known(AccessRecord& record, const ConnectionInfo& info) const {
  if (settings_.tls_inspector) record.server_name = info.server_name;
  if (tunnel_ && target_source_ == plan::Source::written) record.authority = settings_.tunnel->target;
}

void TcpProxy::accepted(StreamPtr stream, ConnectionInfo info) {
  look_at(info);
  spawn(serve(std::move(stream), std::move(info)));
}

Task<Result<Cluster::Dialed>> TcpProxy::connect_upstream(ConnectRequest& request, AccessRecord& record) {
  if (target_source_ != plan::Source::written) {
    Result<std::string> target = target_source_ == plan::Source::format
                                     ? formatted_target(settings_.tunnel->target, target_format_, request.info)
                                     : taken_value(target_source_, request);
    if (!target.ok()) co_return target.error();
    record.authority = std::move(*target);
  }
  for (unsigned attempt = 1;; ++attempt) {
    record.attempts = attempt;
    Cancel cancel(request.cancel, cluster_.plan().connect_timeout, cluster_.timeout_error());
    ConnectRequest timed{request.info, cancel};
    Task<Result<Cluster::Dialed>> connecting =
        tunnel_ ? tunnel_->open(record.authority, timed) : cluster_.connect(timed);
    Result<Cluster::Dialed> connected = co_await connecting;
    record.state = timed.info.state;
    record.far_state = connected.ok() ? connected->far_state : connected.error().far_state;
    if (!connected.ok() && connected.error().kind == Error::Kind::timeout && cancel.cancelled() &&
        !request.cancel.cancelled())
      context().counters.add(Counter::connect_timeouts);
    if (connected.ok() || attempt >= settings_.connect_attempts || request.cancel.cancelled() ||
        !is_of_the_way(connected.error())) {
      if (!connected.ok() && attempt > 1) connected.error().tried_again = true;
      if (!connected.ok()) connected.error().far_state = known_here(record);
      co_return connected;
    }
    context().counters.add(Counter::connect_retries);
    log::debug("{} {} attempt {} of {} failed: {}", plan().name, request.info.downstream, attempt,
               settings_.connect_attempts, log::escape(connected.error().text()));
    // What fails at once must not keep the others waiting.
    co_await yield(context().loop);
  }
}

Task<Result<Cluster::Dialed>> TcpProxy::connect_named(Session& session, ConnectRequest& request) {
  Task<Result<std::string>> looking = requested_server_name(context(), *session.downstream, request.cancel);
  Result<std::string> name = co_await looking;
  if (!name.ok()) co_return name.error();
  request.info.server_name = std::move(*name);
  note_known(session.record, request.info);
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request, session.record);
  co_return co_await connecting;
}

std::string TcpProxy::leads_to(const Cluster::Dialed& upstream, const AccessRecord& record) const {
  return tunnel_ ? record.authority : upstream.peer;
}

std::unique_ptr<Session> TcpProxy::start_session(const ConnectionInfo& info) {
  auto session = std::make_unique<Session>(*this, info, settings_.cluster);
  note_known(session->record, info);
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
  Task<Result<Cluster::Dialed>> connecting =
      reads_hello_ ? connect_named(*session, request) : connect_upstream(request, session->record);
  Result<Cluster::Dialed> upstream = co_await connecting;
  session->connecting = nullptr;
  watch.stop();
  if (!upstream.ok()) co_return session->fail(upstream.error());
  session->attach(std::move(*upstream));
  spawn(relay(std::move(session)));
}

void TcpProxy::tell_silence(const AccessRecord& record) const {
  context().counters.add(Counter::silent_tunnels);
  const bool h2 = cluster_.plan().protocol == plan::Http::h2;
  // A warning: with -l - it is all that ssh's user, who sees nothing happen, is told.
  say(log::Level::warning, "silent", record.downstream_remote, log::escape(record.authority),
      fmt::format(
          "nothing came back within {} through the proxy {}, although it accepted the tunnel: it may buffer, or "
          "the target says nothing; try {}: instead of {}:{}",
          plan::duration_text(context().limits.silence), log::escape(record.upstream), h2 ? "h1" : "h2c",
          h2 ? "h2c" : "h1", settings_.tunnel->post ? "" : ", or --post"));
}

Task<Result<TcpProxy::Opened>> TcpProxy::open(ConnectRequest& request) {
  look_at(request.info);
  if (environment().behaviour.connects_at_once) return open_at_once(request);
  return environment().force_pairs ? open_pair(request) : open_record(request);
}

Task<Result<TcpProxy::Opened>> TcpProxy::open_record(ConnectRequest& request) {
  auto hop = std::make_unique<HopStream>(*this, request.info, settings_.cluster);
  note_known(hop->record(), request.info);
  if (hop->refusal()) {
    hop->fail(hop->refusal());
    co_return hop->refusal();
  }
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request, hop->record());
  Result<Cluster::Dialed> upstream = co_await connecting;
  if (!upstream.ok()) {
    hop->fail(upstream.error());
    co_return upstream.error();
  }
  std::string behind = leads_to(*upstream, hop->record());
  FilterStatePtr state = known_here(hop->record());
  hop->attach(std::move(*upstream));
  co_return Opened{std::move(hop), std::move(behind), std::move(state)};
}

Task<Result<TcpProxy::Opened>> TcpProxy::open_pair(ConnectRequest& request) {
  // In the list while it connects, as a record is; whoever asked cancels it.
  std::unique_ptr<Session> session = start_session(request.info);
  if (session->admission.refusal()) {
    session->fail(session->admission.refusal());
    co_return session->admission.refusal();
  }
  Task<Result<Cluster::Dialed>> connecting = connect_upstream(request, session->record);
  Result<Cluster::Dialed> upstream = co_await connecting;
  if (!upstream.ok()) {
    session->fail(upstream.error());
    co_return upstream.error();
  }
  std::string behind = leads_to(*upstream, session->record);
  FilterStatePtr state = known_here(session->record);
  session->attach(std::move(*upstream));
  auto [near, far] = make_pair();
  session->downstream = std::move(far);
  spawn(relay(std::move(session)));
  co_return Opened{std::move(near), std::move(behind), std::move(state)};
}

Task<Result<TcpProxy::Opened>> TcpProxy::open_at_once(ConnectRequest& request) {
  auto [near, far] = make_pair();
  spawn(serve(std::move(far), request.info));
  // Envoy tells of the connect a turn later: what has failed by then, as what this machine refuses, is no connect.
  for (int turn = 0; turn < kTurnsToConnect; ++turn) co_await Sleep(context().loop, context().loop.now());
  if (near->error()) co_return near->error();
  co_return Opened{std::move(near), "", request.info.state};
}

}  // namespace tunnel::proxy
