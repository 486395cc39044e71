// SPDX-License-Identifier: Apache-2.0
#include "config/graph.hpp"

#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "config/describe.hpp"
#include "config/ways.hpp"
#include "plan/match.hpp"

namespace tunnel::config {
namespace {

constexpr std::size_t kMostShown = 6;  // addresses or rules in one box

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

void add_some(std::vector<std::string>& lines, const std::vector<std::string>& texts) {
  const std::size_t shown = texts.size() <= kMostShown ? texts.size() : kMostShown - 1;
  lines.insert(lines.end(), texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < texts.size()) lines.push_back("and " + std::to_string(texts.size() - shown) + " more");
}

std::string listen_text(const plan::Address& address) {
  if (const auto* tcp = std::get_if<plan::Tcp>(&address); tcp != nullptr && tcp->host.empty())
    return "localhost:" + std::to_string(tcp->port);
  if (std::holds_alternative<plan::Stdio>(address)) return "standard input and output";
  return address_text(address);
}

// Which requests a route is for, if not for all; with the blank behind it.
std::string match_text(const plan::Match& match) {
  return match == plan::Match{} ? "" : printable(plan::to_string(match)) + ": ";
}

std::string answer_text(const plan::Route& route, const plan::Respond& respond) {
  return match_text(route.match) + "answers " + std::to_string(respond.status) + ", " +
         counted(respond.body.size(), "byte");
}

void add_handler(std::vector<std::string>& lines, const plan::Handler& handler) {
  if (std::holds_alternative<plan::TcpProxy>(handler)) lines.emplace_back("tcp_proxy");
  if (std::holds_alternative<plan::Echo>(handler)) lines.emplace_back("echo: sends all back");
  if (std::holds_alternative<plan::Discard>(handler)) lines.emplace_back("discard: drops all");
  if (std::holds_alternative<plan::Custom>(handler)) lines.emplace_back("custom");
  const auto* http = std::get_if<plan::HttpProxy>(&handler);
  if (http == nullptr) return;
  lines.push_back("http_proxy, " + std::string(http_text(http->codec)));
  std::vector<std::string> answers;
  for (const plan::Route& route : http->routes) {
    if (const auto* respond = std::get_if<plan::Respond>(&route.action))
      answers.push_back(answer_text(route, *respond));
  }
  add_some(lines, answers);
}

// Whose bytes go on.
std::string end_text(const plan::Match& match, bool post) {
  const std::string text = "inside of " + printable(plan::to_string(match));
  return match.connect && post ? text + " or POST" : text;
}

std::string short_http(plan::Http version) { return version == plan::Http::h1 ? "h1" : "h2"; }

class Builder {
 public:
  explicit Builder(const plan::Plan& plan) : plan_(plan) {}

  Graph run() {
    for (const plan::Listener& listener : plan_.listeners) add_listener(listener);
    for (const plan::Listener& listener : plan_.listeners) add_ways(listener);
    add_clients();
    return std::move(graph_);
  }

 private:
  std::size_t add(Node node) {
    graph_.nodes.push_back(std::move(node));
    return graph_.nodes.size() - 1;
  }

  void connect(std::size_t from, std::size_t to, std::string label) {
    if (drawn_.emplace(from, to, label).second) graph_.edges.push_back({from, to, std::move(label)});
  }

  void add_listener(const plan::Listener& listener) {
    Node node{is_internal(listener) ? Node::Kind::internal : Node::Kind::listener, {listener.name}};
    std::vector<std::string> addresses;
    addresses.reserve(listener.addresses.size());
    for (const plan::Address& address : listener.addresses) addresses.push_back(listen_text(address));
    // An internal listener is called what it listens on.
    if (node.kind == Node::Kind::internal) {
      node.lines = addresses;
    } else {
      add_some(node.lines, addresses);
    }
    add_handler(node.lines, listener.handler);
    listeners_[&listener] = add(std::move(node));
  }

  void add_ways(const plan::Listener& listener) {
    const std::size_t from = listeners_.at(&listener);
    if (const auto* relay = std::get_if<plan::TcpProxy>(&listener.handler)) {
      lead_to_cluster(from, relay->cluster, [&](const plan::Cluster& cluster) { return tunnel_text(*relay, cluster); });
    }
    const auto* http = std::get_if<plan::HttpProxy>(&listener.handler);
    if (http == nullptr) return;
    for (const plan::Route& route : http->routes) {
      if (const auto* forward = std::get_if<plan::Forward>(&route.action)) {
        lead_to_cluster(from, forward->cluster, [&](const plan::Cluster& cluster) {
          return match_text(route.match) + short_http(cluster.protocol) +
                 (route.match.connect ? " passed on" : " requests");
        });
      } else if (const auto* end = std::get_if<plan::Terminate>(&route.action)) {
        lead_to_cluster(from, end->cluster, [&](const plan::Cluster&) { return end_text(route.match, end->post); });
      }
    }
  }

  static std::string tunnel_text(const plan::TcpProxy& relay, const plan::Cluster& cluster) {
    if (!relay.tunnel) return "";
    const std::string method = relay.tunnel->post ? "POST " + printable(relay.tunnel->post_path) + " for" : "CONNECT";
    return short_http(cluster.protocol) + " " + method + " " + printable(relay.tunnel->target);
  }

  template <class Label>
  void lead_to_cluster(std::size_t from, const std::string& name, const Label& label) {
    const plan::Cluster* cluster = find_cluster(plan_, name);
    if (cluster == nullptr) return;
    const auto [known, fresh] = clusters_.try_emplace(cluster, 0);
    if (fresh) known->second = add(cluster_node(*cluster));
    connect(from, known->second, label(*cluster));
    if (!fresh) return;
    for (const plan::Endpoint& endpoint : cluster->endpoints) lead_to_endpoint(known->second, endpoint.address);
    if (cluster->find == plan::Cluster::Find::request) connect(known->second, add(targets_of(*cluster)), "TCP");
  }

  static Node cluster_node(const plan::Cluster& cluster) {
    Node node{Node::Kind::cluster, {cluster.name}};
    node.lines.push_back(cluster.endpoints.size() > 1 ? "cluster, lb: " + std::string(lb_text(cluster.lb)) : "cluster");
    if (cluster.pool.connections > 0)
      node.lines.push_back(counted(cluster.pool.connections, "connection") + " a worker");
    return node;
  }

  static Node targets_of(const plan::Cluster& cluster) {
    Node node{Node::Kind::endpoint, {"what the CONNECT names"}};
    std::vector<std::string> rules;
    rules.reserve(cluster.rules.size());
    for (const plan::Rule& rule : cluster.rules) rules.push_back((rule.allow ? "allow " : "deny ") + rule_text(rule));
    add_some(node.lines, rules);
    return node;
  }

  void lead_to_endpoint(std::size_t from, const plan::Address& address) {
    const auto* internal = std::get_if<plan::Internal>(&address);
    const std::string kind = std::holds_alternative<plan::Tcp>(address) ? "TCP" : "unix";
    const std::vector<const plan::Listener*> own = listeners_at(plan_, address);
    for (const plan::Listener* listener : own) {
      std::string label = internal == nullptr ? kind + " " + address_text(address) : "internal";
      if (internal != nullptr && !internal->endpoint_id.empty()) label += ", id " + printable(internal->endpoint_id);
      connect(from, listeners_.at(listener), label);
    }
    if (!own.empty() || internal != nullptr) return;
    const std::string text = address_text(address);
    const auto [known, fresh] = endpoints_.try_emplace(text, 0);
    if (fresh) known->second = add({Node::Kind::endpoint, {text}});
    connect(from, known->second, kind);
  }

  // One node of clients for all listeners that lead to a common place.
  void add_clients() {
    std::vector<std::size_t> group(graph_.nodes.size());
    std::iota(group.begin(), group.end(), 0U);
    const auto root = [&](std::size_t node) {
      while (group[node] != node) node = group[node] = group[group[node]];
      return node;
    };
    for (const Edge& edge : graph_.edges) group[root(edge.to)] = root(edge.from);
    std::map<std::size_t, std::size_t> clients;
    for (const plan::Listener& listener : plan_.listeners) {
      if (is_internal(listener)) continue;
      const std::size_t at = listeners_.at(&listener);
      const auto [known, fresh] = clients.try_emplace(root(at), 0);
      if (fresh) known->second = add({Node::Kind::clients, {"clients"}});
      connect(known->second, at, "");
    }
  }

  const plan::Plan& plan_;
  Graph graph_;
  std::set<std::tuple<std::size_t, std::size_t, std::string>> drawn_;  // the edges
  std::map<const plan::Listener*, std::size_t> listeners_;
  std::map<const plan::Cluster*, std::size_t> clusters_;
  std::map<std::string, std::size_t> endpoints_;
};

}  // namespace

Graph graph_of(const plan::Plan& plan) { return Builder(plan).run(); }

}  // namespace tunnel::config
