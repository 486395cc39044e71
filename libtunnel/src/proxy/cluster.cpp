// SPDX-License-Identifier: Apache-2.0
#include "proxy/cluster.hpp"

#include <algorithm>
#include <utility>

#include "net/listener.hpp"
#include "plan/host_port.hpp"
#include "plan/metadata.hpp"
#include "plan/wording.hpp"
#include "proxy/taken_value.hpp"
#include "stream/filter_state.hpp"

namespace tunnel::proxy {
namespace {

class Place {
 public:
  explicit Place(std::atomic<std::uint64_t>& connections) : connections_(connections) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { connections_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t>& connections_;
};

// What counts as open at its endpoint, and in its cluster.
struct Held {
  std::shared_ptr<const void> endpoint;
  std::shared_ptr<const void> place;
};

// Where HTTP is spoken the limit is that of each pool, whose exchanges wait: a place of all workers, held by a pooled
// connection that nobody uses, would shut the others out.
plan::Cluster within_limit(plan::Cluster plan) {
  unsigned& connections = plan.pool.connections;
  const bool lower = plan.max_connections > 0 && (connections == 0 || connections > plan.max_connections);
  if (lower) connections = plan.max_connections;
  return plan;
}

}  // namespace

Cluster::Cluster(Environment& environment, const plan::Cluster& plan)
    : environment_(environment),
      plan_(within_limit(plan)),
      id_source_(plan::source_of(plan)),
      stats_(environment.stats.cluster(plan.name)),
      rules_(plan.rules),
      endpoints_(environment.context, plan, environment.shared.endpoints, stats_, environment.worker),
      pools_(environment.context, *this, plan_, stats_.pool) {
  read_metadata();
  if (plan.max_connections > 0) connections_ = &environment.shared.cluster_connections.at(plan.name);
}

void Cluster::read_metadata() {
  for (const plan::Endpoint& endpoint : plan_.endpoints) {
    const plan::Passed passed = plan::passed_metadata(plan_, endpoint);
    auto metadata = passed.values.empty() ? nullptr : std::make_shared<DynamicMetadata>();
    for (const plan::Metadata* value : passed.values)
      (*metadata)[value->space][value->key] = {plan::printed(*value), value->kind == plan::Metadata::Kind::text};
    passed_.push_back({std::move(metadata), passed.missing});
  }
}

Result<std::shared_ptr<const void>> Cluster::take_place() {
  std::uint64_t open = connections_->load(std::memory_order_relaxed);
  do {
    if (open < plan_.max_connections) continue;
    environment_.context.counters.add(Counter::cluster_conns_refused);
    return Error(Error::Kind::limit, "cluster " + plan_.name + " has all the connections it may have");
  } while (!connections_->compare_exchange_weak(open, open + 1, std::memory_order_relaxed));
  return std::shared_ptr<const void>(std::make_shared<const Place>(*connections_));
}

Task<Result<Cluster::Dialed>> Cluster::in_place(Task<Result<Dialed>> connecting) {
  Result<std::shared_ptr<const void>> place = take_place();
  if (!place.ok()) co_return place.error();
  Result<Dialed> dialed = co_await connecting;
  if (dialed.ok()) dialed->endpoint = std::make_shared<const Held>(std::move(dialed->endpoint), std::move(*place));
  co_return dialed;
}

Result<std::shared_ptr<http::Pool>> Cluster::pool_for(const ConnectRequest& request) {
  std::string own = own_part(request.info);
  if (id_source_ == plan::Source::written) return pools_.at(own);
  Result<std::string> id = taken_value(id_source_, request);
  if (!id.ok()) return id.error();
  return pools_.at(own.empty() ? *id : *id + " " + own);
}

std::string Cluster::own_part(const ConnectionInfo& info) const {
  using Address = plan::ClientPart::Address;
  std::string own;
  if (apart_by_.address != Address::nothing)
    own = apart_by_.address == Address::host ? info.remote.ip() : info.remote.to_string();
  if (apart_by_.server_name) own += " " + info.server_name;
  if (!plan_.passes_state) return own;
  const std::string state = shared_key(info.state);
  return state.empty() ? own : own.append(" ").append(state);
}

void Cluster::start() {
  const bool one_pool = id_source_ == plan::Source::written && apart_by_ == plan::ClientPart{};
  if (one_pool && plan_.pool.prewarm > 0) pools_.at("")->start();
}

Error Cluster::timeout_error() const {
  const bool one_place = plan_.endpoints.size() == 1 && id_source_ == plan::Source::written;
  const std::string where = one_place ? " to " + plan::to_string(plan_.endpoints.front().address) : "";
  return Error(Error::Kind::timeout, "connecting" + where + " took longer than " +
                                         plan::duration_text(plan_.connect_timeout) + " (--connect-timeout)");
}

void Cluster::count_failure(const Error& why) {
  stats_.connect_failures.add(1);
  if (why.kind == Error::Kind::timeout) stats_.connect_timeouts.add(1);
}

Task<Result<Cluster::Dialed>> Cluster::connect(ConnectRequest& request) {
  return connections_ == nullptr ? connect_any_endpoint(request) : in_place(connect_any_endpoint(request));
}

Task<Result<Cluster::Dialed>> Cluster::connect_to(const Authority& authority, ConnectRequest& request) {
  return connections_ == nullptr ? connect_allowed(authority, request) : in_place(connect_allowed(authority, request));
}

Task<Result<Cluster::Dialed>> Cluster::connect_any_endpoint(ConnectRequest& request) {
  return endpoints_.size() == 1 ? dial_endpoint(0, request) : connect_one_of(request);
}

Task<Result<Cluster::Dialed>> Cluster::connect_one_of(ConnectRequest& request) {
  const Duration share = plan_.connect_timeout / static_cast<int>(endpoints_.size());
  const Duration patience = std::min<Duration>(environment_.context.limits.next_endpoint, share);
  EndpointRace race(environment_.context, endpoints_, *this, patience, request);
  Task<Result<Dialed>> running = race.run();
  co_return co_await running;
}

// The one place that knows what kinds of endpoints there are.
Task<Result<Cluster::Dialed>> Cluster::dial_endpoint(std::size_t endpoint, ConnectRequest& request) {
  const plan::Address& address = plan_.endpoints[endpoint].address;
  if (const auto* tcp = std::get_if<plan::Tcp>(&address)) return connect_tcp(*tcp, request);
  if (const auto* file = std::get_if<plan::Unix>(&address)) return connect_unix(*file, request);
  return connect_internal(std::get<plan::Internal>(address), endpoint, request);
}

Task<Result<Cluster::Dialed>> Cluster::connect_internal(plan::Internal address, std::size_t endpoint,
                                                        ConnectRequest& request) {
  if (const plan::Source source = plan::source_of(address.endpoint_id); source != plan::Source::written) {
    Result<std::string> id = taken_value(source, request);
    if (!id.ok()) co_return id.error();
    address.endpoint_id = std::move(*id);
  }
  const Passed& passed = passed_[endpoint];
  if (passed.missing > 0) {
    environment_.context.counters.add(Counter::no_metadata, passed.missing);
    stats_.no_metadata.add(passed.missing);
  }
  stats_.connects.add(1);
  Task<Result<net::InternalListener::Opened>> opening =
      environment_.registry.connect(address, request, {passed.metadata, plan_.passes_state});
  Result<net::InternalListener::Opened> opened = co_await opening;
  if (!opened.ok()) {
    if (!plan_.passes_state) opened.error().far_state = nullptr;
    count_failure(opened.error());
    co_return opened.error();
  }
  std::string name = plan::to_string(address);
  std::string peer = opened->upstream.empty() ? name : std::move(opened->upstream);
  FilterStatePtr state = plan_.passes_state ? std::move(opened->state) : nullptr;
  co_return Dialed{std::move(opened->stream), std::move(name), std::move(peer), nullptr, {}, std::move(state)};
}

Task<Result<Cluster::Dialed>> Cluster::connect_unix(const plan::Unix& address, ConnectRequest& request) {
  stats_.connects.add(1);
  Task<Result<StreamPtr>> connecting = environment_.network.connect_unix(address.path, request.cancel);
  Result<StreamPtr> connected = co_await connecting;
  if (!connected.ok()) count_failure(connected.error());
  if (!connected.ok()) co_return connected.error();
  const std::string name = plan::to_string(address);
  co_return Dialed{std::move(*connected), name, name};
}

Task<Result<std::vector<SocketAddress>>> Cluster::resolve(const std::string& host, std::uint16_t port,
                                                          ConnectRequest& request) {
  Task<Result<std::vector<SocketAddress>>> resolving = environment_.network.resolve(host, port, request.cancel);
  Result<std::vector<SocketAddress>> addresses = co_await resolving;
  if (!addresses.ok() && proxy_status_token(addresses.error()) == "dns_timeout")
    environment_.context.counters.add(Counter::dns_timeouts);
  if (!addresses.ok() || plan_.family == plan::Family::any || SocketAddress::from_literal(host, port))
    co_return addresses;
  const int wanted = plan_.family == plan::Family::v4 ? AF_INET : AF_INET6;
  std::erase_if(*addresses, [&](const SocketAddress& address) { return address.family() != wanted; });
  if (addresses->empty())
    co_return Error(Error::Kind::dns, host + " has no " + (wanted == AF_INET ? "IPv4" : "IPv6") + " address")
        .with(502, "dns_error;rcode=\"NODATA\"");
  co_return addresses;
}

Task<Result<Cluster::Dialed>> Cluster::connect_any(std::vector<SocketAddress> addresses, ConnectRequest& request) {
  stats_.connects.add(1);
  Task<Result<net::Connected>> connecting = environment_.network.connect(std::move(addresses), request.cancel);
  Result<net::Connected> connected = co_await connecting;
  if (!connected.ok()) count_failure(connected.error());
  if (!connected.ok()) co_return connected.error();
  std::string address = connected->address.to_string();
  co_return Dialed{std::move(connected->stream), address, address, nullptr, connected->local};
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

Task<Result<Cluster::Dialed>> Cluster::connect_allowed(const Authority& authority, ConnectRequest& request) {
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

}  // namespace tunnel::proxy
