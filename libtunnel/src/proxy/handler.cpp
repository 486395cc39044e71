// SPDX-License-Identifier: Apache-2.0
#include "proxy/handler.hpp"

#include <fmt/format.h>

#include <variant>

#include "base/log.hpp"

#include "proxy/http_proxy.hpp"
#include "proxy/simple_handlers.hpp"
#include "proxy/tcp_proxy.hpp"
#include "stream/user_space_pair.hpp"

namespace tunnel::proxy {

Handler::Admission::Admission(Handler& handler, const ConnectionInfo& info)
    : environment_(handler.environment_),
      listener_(handler.environment_.shared.listener_connections.at(handler.plan_.name)),
      entered_(info.hops == 0),
      gauge_(handler.environment_.context.counters, Gauge::connections) {
  Counters& counters = environment_.context.counters;
  counters.add(Counter::connections);
  const std::uint64_t in_process =
      entered_ ? environment_.shared.connections.fetch_add(1, std::memory_order_relaxed) + 1 : 0;
  const std::uint64_t on_listener = listener_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (in_process > environment_.context.limits.connections) {
    counters.add(Counter::conns_refused);
    refusal_ = Error(Error::Kind::limit, "the process has all the connections it may have");
  } else if (handler.plan_.max_connections > 0 && on_listener > handler.plan_.max_connections) {
    counters.add(Counter::listener_conns_refused);
    refusal_ = Error(Error::Kind::limit, "listener " + handler.plan_.name + " has all the connections it may have");
  }
}

Handler::Admission::~Admission() {
  if (entered_) environment_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
  listener_.fetch_sub(1, std::memory_order_relaxed);
}

AccessRecord Handler::start_record(AccessRecord::Kind kind, const ConnectionInfo& info) const {
  AccessRecord record;
  record.kind = kind;
  record.listener = plan_.name;
  record.start = std::chrono::system_clock::now();
  record.begin = context().loop.now();
  record.protocol = "TCP";
  record.downstream_remote = info.downstream;
  record.downstream_local = info.local_name;
  return record;
}

void Handler::finish_record(AccessRecord& record, const Flow* flow, const Error& error) const {
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(context().loop.now() - record.begin);
  record.error = error;
  if (flow != nullptr) {
    record.bytes_received = flow->bytes(Direction::up);
    record.bytes_sent = flow->bytes(Direction::down);
  }
  context().counters.add(Counter::bytes_received, record.bytes_received);
  context().counters.add(Counter::bytes_sent, record.bytes_sent);
  if (!plan_.access_log.empty()) environment_.records.write(record);
}

void Handler::tell(const std::string& peer, const Error& reason, std::string_view what) const {
  environment_.refusals.info(
      fmt::format("{} {}", plan_.name, to_string(reason.kind)),
      fmt::format("{} {}{}{}: {}", plan_.name, peer, what.empty() ? "" : " ", what, log::escape(reason.text())));
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
