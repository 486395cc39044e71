// SPDX-License-Identifier: Apache-2.0
#include "proxy/handler.hpp"

#include <fmt/format.h>

#include <variant>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "plan/host_port.hpp"
#include "plan/metadata.hpp"
#include "plan/references.hpp"
#include "plan/state.hpp"
#include "proxy/formatted_value.hpp"
#include "proxy/http_proxy.hpp"
#include "proxy/simple_handlers.hpp"
#include "proxy/tcp_proxy.hpp"
#include "stream/filter_state.hpp"
#include "stream/user_space_pair.hpp"

namespace tunnel::proxy {
namespace {

constexpr std::chrono::seconds kWorthTelling{1};  // a stall; shorter ones are the normal work of flow control

void take(const std::vector<std::string>& names, const http::Fields& fields, LoggedFields::List& into) {
  into.clear();
  for (const std::string& name : names)
    if (const std::string* value = fields.find(name)) into.emplace_back(name, *value);
}

std::size_t least_read_ahead(const Environment& environment, const plan::Listener& plan) {
  std::size_t least = plan.read_ahead_bytes;
  for (const std::string& name : plan::clusters_of(plan)) {
    const std::size_t bytes = environment.clusters.at(name)->plan().read_ahead_bytes;
    if (bytes > 0 && (least == 0 || bytes < least)) least = bytes;
  }
  return least;
}

}  // namespace

Handler::Handler(Environment& environment, const plan::Listener& plan)
    : environment_(environment),
      plan_(plan),
      logged_(plan::logged_names(plan.access_format)),
      read_ahead_(least_read_ahead(environment, plan)),
      stats_(environment.stats.listener(plan.name)),
      on_stdio_(std::holds_alternative<plan::Stdio>(plan.addresses.front())) {
  for (const plan::State& state : plan.state)
    sets_.push_back({state.key, plan::parse_connection_format(state.value), state.share});
}

Handler::Admission::Admission(Handler& handler, const ConnectionInfo& info)
    : handler_(handler),
      listener_(handler.environment_.shared.listener_connections.at(handler.plan_.name)),
      stats_(handler.stats_),
      entered_(info.hops == 0),
      gauge_(handler.environment_.context.counters, Gauge::connections) {
  Environment& environment = handler.environment_;
  Counters& counters = environment.context.counters;
  counters.add(Counter::connections);
  stats_.begun.add(1);
  const std::uint64_t in_process =
      entered_ ? environment.shared.connections.fetch_add(1, std::memory_order_relaxed) + 1 : 0;
  const std::uint64_t on_listener = listener_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (in_process > environment.context.limits.connections) {
    counters.add(Counter::conns_refused);
    stats_.over_process_limit.add(1);
    refusal_ = Error(Error::Kind::limit, "the process has all the connections it may have");
  } else if (handler.plan_.max_connections > 0 && on_listener > handler.plan_.max_connections) {
    counters.add(Counter::listener_conns_refused);
    stats_.over_own_limit.add(1);
    refusal_ = Error(Error::Kind::limit, "listener " + handler.plan_.name + " has all the connections it may have");
  } else if (entered_ && memory::used_up(environment.context.limits)) {
    counters.add(Counter::mem_refused);
    refusal_ = Error(Error::Kind::limit, "the process holds all the memory it may (--mem-limit)");
  }
}

Handler::Admission::~Admission() {
  if (entered_) handler_.environment_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
  listener_.fetch_sub(1, std::memory_order_relaxed);
  stats_.ended.add(1);
  if (handler_.on_stdio_) handler_.environment_.shared.stdio_ended(handler_.outcome_);
}

AccessRecord Handler::start_record(AccessRecord::Kind kind, const Admission& admission, const ConnectionInfo& info,
                                   std::string_view cluster) const {
  EdgeStats& edge = stats_.edge(cluster);
  edge.begun.add(1);
  AccessRecord record;
  record.kind = kind;
  record.listener = plan_.name;
  record.cluster = edge.cluster;
  record.start = std::chrono::system_clock::now();
  record.begin = context().loop.now();
  record.protocol = "TCP";
  record.downstream_remote = info.downstream;
  record.downstream_local = info.local_name;
  record.metadata = info.metadata;
  record.state = info.state;
  record.refused = static_cast<bool>(admission.refusal());
  return record;
}

void Handler::note_request(AccessRecord& record, const http::Fields& fields) const {
  if (logged_.empty()) return;
  record.fields = std::make_shared<LoggedFields>();
  take(logged_.request, fields, record.fields->request);
}

void Handler::note_response(AccessRecord& record, const http::Fields& fields) const {
  if (record.fields) take(logged_.response, fields, record.fields->response);
}

void Handler::note_trailers(AccessRecord& record, const http::Fields& fields) const {
  if (record.fields) take(logged_.trailers, fields, record.fields->trailers);
}

void Handler::count_sent(const AccessRecord& record) const {
  context().counters.add(Counter::bytes_sent, record.bytes_sent);
  stats_.edge("").traffic.bytes[static_cast<std::size_t>(Direction::down)].add(record.bytes_sent);
}

void Handler::count_answer(const AccessRecord& record) const {
  EdgeStats& edge = stats_.edge(record.cluster);
  if (const std::size_t digit = record.status / 100U; digit > 0 && digit < edge.answered.size())
    edge.answered[digit].add(1);
}

void Handler::finish_record(AccessRecord& record, const Flow* flow, const Error& error) {
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(context().loop.now() - record.begin);
  record.error = error;
  if (flow != nullptr) {
    record.bytes_received = flow->bytes(Direction::up);
    record.bytes_sent = flow->bytes(Direction::down);
  }
  stats_.edge(record.cluster).end(error);
  if (!plan_.access_log.empty()) environment_.records.write(record);
  note(error, flow != nullptr || (record.status >= 200 && record.status < 300));
}

void Handler::note(const Error& error, bool established) {
  if (!on_stdio_ || !error || outcome_.error) return;
  outcome_ = {error, established};
  environment_.shared.stdio_failed(outcome_);
}

void Handler::tell(const std::string& peer, const Error& reason, std::string_view what) const {
  if (on_stdio_) return;
  say(log::Level::info, to_string(reason.kind), peer, what, log::escape(reason.text()));
}

void Handler::say(log::Level level, std::string_view topic, const std::string& peer, std::string_view what,
                  std::string_view text) const {
  environment_.refusals.write(level, fmt::format("{} {}", plan_.name, topic),
                              fmt::format("{} {}{}{}: {}", plan_.name, peer, what.empty() ? "" : " ", what, text));
}

FlowTimeouts Handler::tunnel_timeouts() const {
  FlowTimeouts timeouts{plan_.idle_timeout, plan_.half_close_timeout};
  const auto* relaying = std::get_if<plan::TcpProxy>(&plan_.handler);
  if (relaying != nullptr && relaying->tunnel) timeouts.silence = context().limits.silence;
  return timeouts;
}

void Handler::tell_end(const AccessRecord& record, const Flow& flow, const Error& error, bool entered) const {
  const std::string what = record.method.empty() ? "" : log::escape(record.method + " " + record.authority);
  if (error.kind == Error::Kind::timeout) tell(record.downstream_remote, error, what);
  if (!entered) return;
  for (const Direction direction : {Direction::up, Direction::down}) {
    const Duration stalled = flow.stalled(direction);
    if (stalled < kWorthTelling || stalled * 2 < flow.age()) continue;
    context().counters.add(Counter::stalled_tunnels);
    const auto seconds = [](Duration time) { return std::chrono::duration<double>(time).count(); };
    say(log::Level::info, "stalled", record.downstream_remote, what,
        fmt::format("flow control stalled this {} {:.1f} s of {:.1f} s: the {} reads slowly",
                    what.empty() ? "connection" : "tunnel", seconds(stalled), seconds(flow.age()),
                    direction == Direction::up ? "target" : "client"));
  }
}

bool Handler::wants_original() const {
  const auto* relay = std::get_if<plan::TcpProxy>(&plan_.handler);
  if (relay != nullptr && relay->tunnel && plan::source_of(relay->tunnel->target) == plan::Source::original)
    return true;
  for (const std::string& name : plan::clusters_of(plan_))
    if (plan::source_of(environment_.clusters.at(name)->plan()) == plan::Source::original) return true;
  return false;
}

void Handler::look_at(ConnectionInfo& info) const {
  if (info.hops > 0 && (info.metadata || info.state) && wants_original()) take_original(info);
  for (const SetState& set : sets_) {
    std::string value = formatted_value(set.value, info);
    if (!value.empty()) info.state = with_object(info.state, set.key, {std::move(value), set.share});
  }
}

void Handler::take_original(ConnectionInfo& info) {
  const MetadataValue* told = metadata_value(info.metadata.get(), plan::kOriginalSpace, plan::kOriginalKey);
  const std::string value =
      told != nullptr ? told->text : plan::state_value(info.state.get(), plan::kOriginalStateKey, true);
  plan::Tcp tcp;
  if (value.empty() || !plan::parse_host_port(value, tcp).empty()) return;
  if (const auto address = SocketAddress::from_literal(tcp.host, tcp.port)) info.original = *address;
}

std::pair<StreamPtr, StreamPtr> Handler::make_pair() const {
  return make_user_space_pair(context(), plan_.buffer_bytes);
}

std::unique_ptr<Handler> make_handler(Environment& environment, const plan::Listener& plan) {
  if (std::holds_alternative<plan::TcpProxy>(plan.handler)) return std::make_unique<TcpProxy>(environment, plan);
  if (std::holds_alternative<plan::HttpProxy>(plan.handler)) return std::make_unique<HttpProxy>(environment, plan);
  return std::make_unique<SimpleHandler>(environment, plan);
}

}  // namespace tunnel::proxy
