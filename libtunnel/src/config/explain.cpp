// SPDX-License-Identifier: Apache-2.0
#include "config/explain.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/describe.hpp"
#include "config/sheet.hpp"
#include "config/ways.hpp"
#include "plan/limit_table.hpp"
#include "plan/match.hpp"
#include "plan/metadata.hpp"
#include "plan/references.hpp"
#include "plan/stdio.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

using plan::Milliseconds;

constexpr std::string_view kGiven = "given";
constexpr std::string_view kDefault = "default";

template <class T>
std::string_view source_of(const T& value, const T& initial) {
  return value == initial ? kDefault : kGiven;
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

class Explainer {
 public:
  Explainer(const plan::Plan& plan, const ExplainStyle& style)
      : plan_(plan),
        style_(style),
        limits_(plan::limits_of(plan.process)),
        workers_(workers_of(plan, style.cores)),
        sheet_(style.colour),
        ways_(plan) {}

  std::string run(const plan::Listener* only) {
    explain_process();
    std::vector<std::size_t> begins;  // the first step of each way
    const auto add = [&](const plan::Listener& listener) {
      if (ways_.step_of(listener) > 0) return;
      begins.push_back(ways_.steps().size());
      ways_.add(listener);
    };
    if (only != nullptr) {
      add(*only);
    } else {
      for (const plan::Listener& listener : plan_.listeners) {
        if (!is_internal(listener)) add(listener);
      }
      for (const plan::Listener& listener : plan_.listeners) add(listener);
    }
    begins.push_back(ways_.steps().size());
    for (std::size_t i = 0; i + 1 < begins.size(); ++i) explain_way(begins[i], begins[i + 1]);
    return sheet_.take();
  }

 private:
  static unsigned workers_of(const plan::Plan& plan, unsigned cores) {
    if (plan.process.workers > 0) return plan.process.workers;
    return plan::stdio_listener(plan) != nullptr ? 1 : cores;
  }

  std::string workers_reason() const {
    if (plan_.process.workers > 0) return "";
    return plan::stdio_listener(plan_) != nullptr ? ", for one connection" : ", one a core allowed";
  }

  std::string_view limit_source(std::string_view key) const {
    const std::vector<plan::Limit>& limits = plan_.process.limits;
    const bool given =
        std::any_of(limits.begin(), limits.end(), [&](const plan::Limit& limit) { return limit.key == key; });
    return given ? kGiven : kDefault;
  }

  std::string times() const { return style_.unicode ? " × " : " x "; }

  // "2 × 8 workers = 16"
  std::string in_all(std::uint64_t each) const {
    return std::to_string(each) + times() + counted(workers_, "worker") + " = " + std::to_string(each * workers_);
  }

  // The process

  void explain_process() {
    const plan::Process& process = plan_.process;
    const plan::Process initial;
    sheet_.heading("The process");
    sheet_.row("--workers", std::to_string(workers_) + workers_reason(), source_of(process.workers, initial.workers));
    sheet_.row("--limit conns", counted(limits_.connections, "connection") + " at a time", limit_source("conns"));
    sheet_.row("--drain", duration_text(process.drain), source_of(process.drain, initial.drain));
    sheet_.row("--mem-limit", process.memory_bytes > 0 ? size_text(process.memory_bytes) + " in buffers" : "none",
               source_of(process.memory_bytes, initial.memory_bytes));
    if (process.admin) sheet_.row("--admin", address_text(*process.admin), kGiven);
    if (process.force_pairs) sheet_.row("--force-pairs", "on", kGiven);
    if (process.envoy_compat) sheet_.row("--envoy-compat", "on: as Envoy, where else stricter or kinder", kGiven);
  }

  void explain_way(std::size_t begin, std::size_t end) {
    const plan::Listener& start = *ways_.steps()[begin];
    sheet_.blank();
    sheet_.heading((is_internal(start) ? "From inside: a connection to " : "A connection to ") + start.name);
    for (std::size_t at = begin; at < end; ++at) explain_listener(*ways_.steps()[at]);
    sum_up(start);
  }

  void explain_listener(const plan::Listener& listener) {
    const plan::Listener initial;
    const Bounds& before = ways_.before(listener);
    sheet_.blank();
    sheet_.heading(std::to_string(ways_.step_of(listener)) + "  " + listener.name, plan::to_string(listener.place));
    std::string addresses;
    for (const plan::Address& address : listener.addresses)
      addresses += (addresses.empty() ? "" : ", ") + listen_text(address);
    sheet_.row("listens on", addresses);
    if (is_internal(listener)) explain_hop(listener);
    for (const plan::State& state : listener.state) sheet_.row("--state", state_text(state), kGiven);
    explain_handler(listener.handler);
    if (listener.read_ahead_bytes > 0)
      sheet_.row("--read-ahead", size_text(listener.read_ahead_bytes) + " in each direction", kGiven);
    if (hello_listeners_.contains(listener.name)) explain_hello();
    explain_count(listener);
    time_row("--idle-timeout", listener.idle_timeout, initial.idle_timeout, before.idle);
    time_row("--half-close-timeout", listener.half_close_timeout, initial.half_close_timeout, before.half_close);
    time_row("--max-lifetime", listener.max_lifetime, initial.max_lifetime, before.lifetime);
    std::string log = listener.access_log.empty() ? "off" : printable(listener.access_log);
    if (listener.access_format != plan::AccessFormat{}) log += ", in a form of its own";
    sheet_.row("--access-log", log.starts_with('-') ? "standard output" + log.substr(1) : log,
               source_of(listener.access_log, initial.access_log));
    for (const plan::Cluster* cluster : clusters_of(plan_, listener.handler)) explain_cluster(listener, *cluster);
  }

  static std::string state_text(const plan::State& state) {
    const std::string text = printable(state.key + "=" + state.value);
    if (state.share == StateShare::none) return text + ", stays here";
    return text + (state.share == StateShare::once ? ", goes along over the next internal hop"
                                                   : ", goes along over every internal hop");
  }

  static std::string listen_text(const plan::Address& address) {
    const auto* tcp = std::get_if<plan::Tcp>(&address);
    if (tcp != nullptr && tcp->host.empty())
      return "127.0.0.1:" + std::to_string(tcp->port) + ", [::1]:" + std::to_string(tcp->port);
    if (tcp != nullptr && tcp->host == "*") return address_text(address) + " (every interface)";
    if (std::holds_alternative<plan::Stdio>(address)) return "standard input and output, once";
    const auto* local = std::get_if<plan::Unix>(&address);
    if (local == nullptr) return address_text(address);
    std::array<char, 8> mode{};
    (void)std::snprintf(mode.data(), mode.size(), "%03o", local->mode & 0777U);
    return address_text(address) + " (mode " + mode.data() + ")";
  }

  // How an internal connection is made: a handler that only relays needs no pair of sockets.
  void explain_hop(const plan::Listener& listener) {
    const plan::Listener initial;
    const bool record = std::holds_alternative<plan::TcpProxy>(listener.handler) && !plan_.process.force_pairs &&
                        !plan_.process.envoy_compat;
    sheet_.row("joined by", record ? "a record: no socket, nothing is copied" : "a pair of user-space sockets");
    const bool given = listener.buffer_bytes != initial.buffer_bytes;
    if (!record || given) {
      sheet_.row("--buffer",
                 size_text(listener.buffer_bytes) + " in each direction" + (record ? ", if it had sockets" : ""),
                 given ? kGiven : kDefault);
    }
  }

  void explain_handler(const plan::Handler& handler) {
    if (const auto* relay = std::get_if<plan::TcpProxy>(&handler)) {
      sheet_.row("handler",
                 relay->tunnel ? "tcp_proxy: asks for a tunnel, then relays bytes" : "tcp_proxy: relays bytes");
      if (relay->tunnel) explain_tunnel(*relay->tunnel);
      sheet_.row("--connect-attempts", std::to_string(relay->connect_attempts),
                 source_of(relay->connect_attempts, plan::TcpProxy{}.connect_attempts));
    } else if (const auto* http = std::get_if<plan::HttpProxy>(&handler)) {
      sheet_.row("handler", "http_proxy: reads " + std::string(http_text(http->codec)));
      for (const plan::Route& route : http->routes) explain_route(route);
      if (http->stream_idle_timeout)
        sheet_.row("an idle stream",
                   *http->stream_idle_timeout == Milliseconds::zero()
                       ? "never ended"
                       : "ended after " + duration_text(*http->stream_idle_timeout) + " without a byte",
                   kGiven);
      limit_row("head-time", "for a whole head", limits_.head_time);
      sheet_.row("--limit head, fields",
                 size_text(limits_.head_bytes) + ", " + counted(limits_.head_fields, "field") + " a head",
                 limit_source("head") == kGiven ? kGiven : limit_source("fields"));
      if (http->codec != plan::Http::h1) {
        const bool given = http->streams > 0;
        sheet_.row(
            given ? "streams=" : "--limit streams",
            counted(given ? http->streams : limits_.h2_server_streams, "stream") + " at a time on an HTTP/2 connection",
            given ? kGiven : limit_source("streams"));
      }
    } else if (std::holds_alternative<plan::Echo>(handler)) {
      sheet_.row("handler", "echo: sends every byte back");
    } else if (std::holds_alternative<plan::Discard>(handler)) {
      sheet_.row("handler", "discard: reads and drops every byte");
    } else {
      sheet_.row("handler", "custom: of the program that runs this");
    }
  }

  void explain_hello() {
    sheet_.row("reads first", "a TLS ClientHello, for the server it names");
    limit_row("head-time", "for a whole hello", limits_.head_time);
    sheet_.row("--limit hello", size_text(limits_.hello_bytes) + " a hello", limit_source("hello"));
  }

  void limit_row(std::string_view key, const std::string& meaning, Milliseconds time) {
    sheet_.row("--limit " + std::string(key), duration_text(time) + " " + meaning, limit_source(key));
  }

  void explain_tunnel(const plan::Tunnel& tunnel) {
    std::string target = printable(tunnel.target);
    if (target == "@authority") target += ", what the request names";
    if (target == "@endpoint") target += ", the id of the internal connection";
    if (target == "@orig-dst") target += ", where the client wanted to go";
    sheet_.row("--target", target);
    sheet_.row("asks with", tunnel.post ? "POST " + printable(tunnel.post_path) : "CONNECT");
    std::string names;
    for (const plan::Header& header : tunnel.headers) names += (names.empty() ? "" : ", ") + printable(header.name);
    if (!names.empty()) sheet_.row("--header", names + " (values are not shown)");
  }

  void explain_route(const plan::Route& route) {
    std::string text = printable(plan::to_string(route.match));
    if (const auto* respond = std::get_if<plan::Respond>(&route.action)) {
      text += ": answered " + std::to_string(respond->status) + " with " + counted(respond->body.size(), "byte");
    } else if (const auto* forward = std::get_if<plan::Forward>(&route.action)) {
      text += ": passed on to cluster " + forward->cluster + times_text(*forward);
    } else {
      const auto& end = std::get<plan::Terminate>(route.action);
      text += std::string(end.post && route.match.connect ? " or a tunnel by POST" : "") +
              ": ends here, its bytes go to cluster " + end.cluster + times_text(end);
    }
    sheet_.row("route", text);
  }

  template <class Action>
  static std::string times_text(const Action& action) {
    std::string text;
    if (action.timeout > Milliseconds::zero())
      text += ", answered to the end within " + duration_text(action.timeout) + " of the end of what is asked";
    if (action.idle_timeout && *action.idle_timeout == Milliseconds::zero()) text += ", however long without a byte";
    if (action.idle_timeout && *action.idle_timeout > Milliseconds::zero())
      text += ", ended after " + duration_text(*action.idle_timeout) + " without a byte";
    return text;
  }

  void explain_count(const plan::Listener& listener) {
    if (listener.max_connections > 0) {
      const bool beyond = listener.max_connections > limits_.connections && !is_internal(listener);
      sheet_.row("--max-conns",
                 counted(listener.max_connections, "connection") +
                     (beyond ? ", but " + std::to_string(limits_.connections) + " in the process" : ""),
                 kGiven);
    } else {
      sheet_.row("--max-conns", is_internal(listener) ? "as many as come" : "the process's", kDefault);
    }
  }

  void time_row(std::string_view label, Milliseconds time, Milliseconds initial, const Bound& before) {
    std::string text = time == Milliseconds::zero() ? "none" : duration_text(time);
    const bool cut = before.step > 0 && (time == Milliseconds::zero() || before.time < time);
    if (cut) text += ", but step " + std::to_string(before.step) + " ends it after " + duration_text(before.time);
    sheet_.row(label, text, source_of(time, initial));
  }

  // Clusters

  void explain_cluster(const plan::Listener& from, const plan::Cluster& cluster) {
    const plan::Cluster initial;
    const std::size_t step = ways_.step_of(from);
    sheet_.row("leads to", "cluster " + cluster.name);
    if (const auto [first, fresh] = told_.try_emplace(&cluster, step); !fresh) {
      sheet_.row("", "as in step " + std::to_string(first->second));
      return;
    }
    const Bound& before = ways_.before(from).connect;
    time_row("--connect-timeout", cluster.connect_timeout, initial.connect_timeout, before);
    if (cluster.max_connections > 0)
      sheet_.row("at most", counted(cluster.max_connections, "connection") + " at a time", kGiven);
    explain_endpoints(cluster);
    if (cluster.passes_state)
      sheet_.row("--pass-state", "filter state goes along, and the far side's comes back", kGiven);
    if (cluster.read_ahead_bytes > 0)
      sheet_.row("--read-ahead", size_text(cluster.read_ahead_bytes) + " in each direction", kGiven);
    if (cluster.family != initial.family)
      sheet_.row("of a name's addresses", cluster.family == plan::Family::v4 ? "IPv4 only" : "IPv6 only", kGiven);
    if (cluster.endpoints.size() > 1)
      sheet_.row("--lb", std::string(lb_text(cluster.lb)), source_of(cluster.lb, initial.lb));
    for (const plan::Rule& rule : cluster.rules) {
      sheet_.row(&rule == &cluster.rules.front() ? "rules, deny wins" : "",
                 std::string(rule.allow ? "allow " : "deny ") + rule_text(rule));
    }
    if (speaks_http(from.handler, cluster)) explain_pool(cluster);
  }

  // Whether a pool of HTTP connections is kept to `cluster`: a cluster whose bytes are only relayed has none.
  static bool speaks_http(const plan::Handler& handler, const plan::Cluster& cluster) {
    if (const auto* relay = std::get_if<plan::TcpProxy>(&handler)) return relay->tunnel.has_value();
    const auto* http = std::get_if<plan::HttpProxy>(&handler);
    return http != nullptr && std::any_of(http->routes.begin(), http->routes.end(), [&](const plan::Route& route) {
             const auto* forward = std::get_if<plan::Forward>(&route.action);
             return forward != nullptr && forward->cluster == cluster.name;
           });
  }

  void explain_endpoints(const plan::Cluster& cluster) {
    std::string_view label = "connects to";
    if (cluster.find == plan::Cluster::Find::request) sheet_.row(label, "what the CONNECT names, if a rule allows it");
    for (const plan::Endpoint& endpoint : cluster.endpoints) {
      std::string text = address_text(endpoint.address) + brought_along(cluster, endpoint);
      for (const plan::Listener* own : listeners_at(plan_, endpoint.address)) {
        const std::size_t step = ways_.step_of(*own);
        text += step == 0 ? ", which is " + own->name : ", step " + std::to_string(step);
      }
      sheet_.row(std::exchange(label, ""), text);
    }
  }

  static std::string brought_along(const plan::Cluster& cluster, const plan::Endpoint& endpoint) {
    std::string text;
    for (const plan::Metadata* value : plan::passed_metadata(cluster, endpoint).values)
      text += (text.empty() ? " with " : " and ") + printable(plan::to_string(*value));
    return text;
  }

  void explain_pool(const plan::Cluster& cluster) {
    const plan::Pool& pool = cluster.pool;
    const plan::Pool initial;
    const bool h2 = cluster.protocol == plan::Http::h2;
    sheet_.row("speaks", std::string(http_text(cluster.protocol)) + " in clear");
    if (const auto asked = asked_of_clients_.find(cluster.name); asked != asked_of_clients_.end())
      sheet_.row("pools", asked->second.address != plan::ClientPart::Address::nothing
                              ? "one a client: tunnels behind it name it"
                              : "one a server's name: tunnels behind it take it from TLS");
    sheet_.row("conns=", pool.connections > 0 ? in_all(pool.connections) + " at most" : "as many as it takes",
               source_of(pool.connections, initial.connections));
    if (h2) explain_streams(pool);
    if (pool.prewarm > 0) sheet_.row("prewarm=", in_all(pool.prewarm) + " kept up", kGiven);
    const bool idle = pool.idle > Milliseconds::zero();
    sheet_.row("idle=", duration_text(idle ? pool.idle : limits_.pool_idle) + ", then an unused one is closed",
               idle ? kGiven : limit_source("pool-idle"));
    if (!h2) return;
    sheet_.row("ping=",
               pool.ping > Milliseconds::zero() ? duration_text(pool.ping) + " between probes of an idle one" : "never",
               source_of(pool.ping, initial.ping));
    sheet_.row("--limit ping-after",
               duration_text(limits_.pool_ping_after) + " idle: probed with its next use, for " +
                   duration_text(limits_.pool_ping_wait),
               limit_source("ping-after") == kGiven ? kGiven : limit_source("ping-wait"));
    const bool window = pool.window_bytes > 0;
    sheet_.row("window=",
               size_text(limits_.h2_stream_window_start) + " a stream, growing to " +
                   size_text(window ? pool.window_bytes : limits_.h2_stream_window),
               window ? kGiven : limit_source("h2-stream-window"));
    sheet_.row("--limit h2-window", size_text(limits_.h2_connection_window) + " a connection",
               limit_source("h2-window"));
  }

  void explain_streams(const plan::Pool& pool) {
    const std::uint64_t streams = pool.streams > 0 ? pool.streams : limits_.h2_pool_streams;
    std::string text = std::to_string(streams) + " on one connection";
    if (pool.connections > 0) text += ", " + std::to_string(streams * pool.connections * workers_) + " in all";
    sheet_.row("streams=", text, pool.streams > 0 ? kGiven : limit_source("pool-streams"));
  }

  // In short: the times that run out first on any way from `start`.
  void sum_up(const plan::Listener& start) {
    const Bounds least = ways_.from(start);
    std::string text = "In short: ";
    if (least.connect.step > 0) text += "connected within " + duration_text(least.connect.time) + " or refused; ";
    if (least.idle.step > 0)
      text += "ended after " + duration_text(least.idle.time) + " without a byte, and ";
    else
      text += "never ended for being idle, but ";
    text += duration_text(least.half_close.time) + " after one side ended if the other says nothing";
    if (least.lifetime.step > 0) text += "; drained after " + duration_text(least.lifetime.time);
    sheet_.blank();
    sheet_.paragraph(text + ".");
  }

  const plan::Plan& plan_;
  const ExplainStyle& style_;
  Limits limits_;
  unsigned workers_;
  Sheet sheet_;
  Ways ways_;
  std::map<std::string_view, plan::ClientPart> asked_of_clients_ = plan::asked_of_clients(plan_);
  std::set<std::string> hello_listeners_ = plan::hello_listeners(plan_);
  std::map<const plan::Cluster*, std::size_t> told_;  // and in which step
};

}  // namespace

std::string explain(const plan::Plan& plan, const plan::Listener* only, const ExplainStyle& style) {
  return Explainer(plan, style).run(only);
}

const plan::Listener* listener_called(const plan::Plan& plan, const std::string& text) {
  for (const plan::Listener& listener : plan.listeners) {
    if (listener.name == text) return &listener;
  }
  for (const plan::Listener& listener : plan.listeners) {
    for (const plan::Address& address : listener.addresses) {
      const auto* tcp = std::get_if<plan::Tcp>(&address);
      if (address_text(address) == text || "tcp:" + address_text(address) == text) return &listener;
      if (tcp != nullptr && std::to_string(tcp->port) == text) return &listener;
    }
  }
  return nullptr;
}

}  // namespace tunnel::config
