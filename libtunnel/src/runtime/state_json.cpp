// SPDX-License-Identifier: Apache-2.0
#include "runtime/state_json.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "tunnel/error.hpp"

namespace tunnel::runtime {
namespace {

namespace json = boost::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

void add_figures(json::object& object, const Sum& sum) {
  object["uses_active"] = sum.active;
  object["uses_begun"] = sum.begun;
  object["received"] = sum.received;
  object["sent"] = sum.sent;
  object["client_errors"] = sum.client_errors;
  json::object errors;
  for (std::size_t kind = 0; kind < sum.errors.size(); ++kind)
    if (sum.errors[kind] != 0) errors[to_string(static_cast<Error::Kind>(kind))] = sum.errors[kind];
  object["errors"] = std::move(errors);
}

json::object listener_of(const ListenerSum& listener) {
  json::object object;
  object["name"] = listener.name;
  object["active"] = listener.active;
  object["begun"] = listener.begun;
  add_figures(object, listener.sum);
  json::array edges;
  for (const EdgeSum& edge : listener.edges) {
    json::object one;
    one["cluster"] = edge.cluster;
    add_figures(one, edge.sum);
    edges.emplace_back(std::move(one));
  }
  object["edges"] = std::move(edges);
  return object;
}

json::object cluster_of(const ClusterSum& cluster) {
  json::object object;
  object["name"] = cluster.name;
  add_figures(object, cluster.sum);
  object["pool"] = nullptr;
  if (cluster.pooled) {
    json::object pool;
    pool["connections"] = cluster.pool_connections;
    pool["exchanges"] = cluster.pool_exchanges;
    object["pool"] = std::move(pool);
  }
  json::array endpoints;
  for (const EndpointSum& endpoint : cluster.endpoints) {
    json::object one;
    one["address"] = log::escape(endpoint.name);
    one["tries"] = endpoint.tries;
    one["failures"] = endpoint.failures;
    one["aside"] = endpoint.aside;
    endpoints.emplace_back(std::move(one));
  }
  object["endpoints"] = std::move(endpoints);
  return object;
}

std::string_view word(AccessRecord::Kind kind) {
  if (kind == AccessRecord::Kind::connection) return "connection";
  return kind == AccessRecord::Kind::tunnel ? "tunnel" : "request";
}

// What it waits for, if anything.
std::string_view waits_for(const proxy::LiveRecord& row) {
  if (row.up_blocked) return "upstream takes no bytes";
  if (row.down_blocked) return "client takes no bytes";
  return row.upstream.empty() ? "connecting" : "";
}

json::object row_of(const proxy::LiveRecord& row) {
  json::object object;
  object["kind"] = word(row.kind);
  object["listener"] = row.listener;
  object["cluster"] = row.cluster;
  object["protocol"] = row.protocol;
  object["peer"] = log::escape(row.peer);
  object["local"] = log::escape(row.local);
  object["target"] = log::escape(row.target);
  object["upstream"] = log::escape(row.upstream);
  object["status"] = row.status;
  object["waits"] = waits_for(row);
  object["age"] = duration_cast<milliseconds>(row.age).count();
  object["received"] = row.bytes_received;
  object["sent"] = row.bytes_sent;
  return object;
}

json::object tunnels_of(Tunnels tunnels, std::size_t most, std::uint64_t total) {
  std::vector<proxy::LiveRecord>& rows = tunnels.rows;
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.age < b.age; });
  if (rows.size() > most) rows.resize(most);
  json::array list;
  list.reserve(rows.size());
  for (const proxy::LiveRecord& row : rows) list.emplace_back(row_of(row));
  json::object object;
  object["total"] = total;
  object["complete"] = tunnels.complete;
  object["rows"] = std::move(list);
  return object;
}

std::int64_t since_epoch(std::chrono::system_clock::time_point when) {
  return duration_cast<milliseconds>(when.time_since_epoch()).count();
}

}  // namespace

std::string state_json(const Figures& figures, Tunnels tunnels, std::size_t most, bool draining) {
  const std::vector<ListenerSum> sums = listener_sums(figures);
  json::object object;
  object["now"] = since_epoch(std::chrono::system_clock::now());
  object["started"] = since_epoch(figures.started);
  object["version"] = TUNNEL_VERSION;
  object["workers"] = figures.workers();
  object["buffered"] = memory::held();
  object["draining"] = draining;
  std::uint64_t total = 0;
  json::array listeners;
  for (const ListenerSum& listener : sums) {
    listeners.emplace_back(listener_of(listener));
    total += listener.sum.active;
  }
  json::array clusters;
  for (const ClusterSum& cluster : cluster_sums(figures, sums)) clusters.emplace_back(cluster_of(cluster));
  object["listeners"] = std::move(listeners);
  object["clusters"] = std::move(clusters);
  object["tunnels"] = tunnels_of(std::move(tunnels), most, total);
  return json::serialize(object);
}

}  // namespace tunnel::runtime
