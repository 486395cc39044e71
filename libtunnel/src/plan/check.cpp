// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/host_port.hpp"
#include "plan/limit_table.hpp"
#include "plan/wording.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::plan {
namespace {

constexpr std::size_t kSmallestBuffer = 1024;
constexpr std::size_t kLargestBuffer = 8388608;
constexpr unsigned kMostWorkers = 1024;

// What a name is said to be for in messages.
enum class Use { relay, forward, terminate };

class Checker {
 public:
  explicit Checker(const Plan& plan) : plan_(plan) {}

  std::vector<Problem> run() {
    index();
    if (plan_.listeners.empty()) say({}, "nothing listens; give a line with -l");
    for (const Cluster& cluster : plan_.clusters) check_cluster(cluster);
    for (const Listener& listener : plan_.listeners) check_listener(listener);
    check_shared_ports();
    check_cycles();
    check_process();
    return std::move(problems_);
  }

 private:
  void say(const Place& place, std::string text) { problems_.push_back({place, std::move(text)}); }

  void index() {
    for (const Listener& listener : plan_.listeners) {
      if (auto [at, fresh] = listeners_.try_emplace(listener.name, &listener); !fresh) {
        say(listener.place, "a second listener is called " + listener.name + first_at(at->second->place) +
                                (is_internal(listener) ? "; give one of them another internal:NAME"
                                                       : "; give one of the lines another --name"));
      }
      if (is_internal(listener)) internal_names_.push_back(listener.name);
    }
    for (const Cluster& cluster : plan_.clusters) {
      if (auto [at, fresh] = clusters_.try_emplace(cluster.name, &cluster); !fresh) {
        say(cluster.place, "a second cluster is called " + cluster.name + first_at(at->second->place) +
                               "; give one of the lines another --name");
      }
      cluster_names_.push_back(cluster.name);
    }
  }

  static std::string first_at(const Place& place) {
    const std::string where = to_string(place);
    return where.empty() ? "" : " (the first is at " + where + ")";
  }

  static bool is_internal(const Listener& listener) {
    return listener.addresses.size() == 1 && std::holds_alternative<Internal>(listener.addresses.front());
  }

  // Clusters

  void check_cluster(const Cluster& cluster) {
    const std::string who = "cluster " + cluster.name;
    if (const std::string fault = name_fault(cluster.name); !fault.empty()) say(cluster.place, who + ": " + fault);
    if (cluster.protocol == Http::automatic) say(cluster.place, who + ": a client speaks h1 or h2, it cannot guess");
    if (cluster.connect_timeout <= Milliseconds::zero())
      say(cluster.place, who + ": the connect timeout must be above 0");
    if (cluster.find == Cluster::Find::request) {
      if (!cluster.endpoints.empty())
        say(cluster.place, who + ": the request names the endpoint; leave out the fixed one");
      if (cluster.rules.empty()) say(cluster.place, who + ": nothing is allowed; add a rule with --allow HOST:PORT");
      for (const Rule& rule : cluster.rules) check_rule(cluster, rule);
    } else {
      if (cluster.endpoints.size() != 1) say(cluster.place, who + ": it needs exactly one endpoint");
      if (!cluster.rules.empty()) say(cluster.place, who + ": rules are for targets that the request names");
      for (const Endpoint& endpoint : cluster.endpoints) check_endpoint(cluster, endpoint.address);
    }
  }

  void check_rule(const Cluster& cluster, const Rule& rule) {
    if (rule.host.empty()) say(cluster.place, "cluster " + cluster.name + ": a rule has no host");
    if (rule.first_port > rule.last_port) {
      say(cluster.place, "cluster " + cluster.name + ": the ports of a rule run backwards; write the lower one first");
    }
  }

  void check_endpoint(const Cluster& cluster, const Address& address) {
    if (const auto* tcp = std::get_if<Tcp>(&address)) {
      const std::string fault = tcp->host.empty() ? "the host is missing" : host_fault(tcp->host);
      if (!fault.empty()) say(cluster.place, "cluster " + cluster.name + ": " + fault);
      if (tcp->port == 0) say(cluster.place, "cluster " + cluster.name + ": nothing can be reached at port 0");
      return;
    }
    const auto& internal = std::get<Internal>(address);
    const auto found = listeners_.find(internal.listener);
    if (found != listeners_.end() && is_internal(*found->second)) return;
    const std::string name = "internal:" + internal.listener;
    if (found != listeners_.end()) {
      say(cluster.place, name + ": the listener of that name listens on TCP; give its line -l " + name);
      return;
    }
    const std::string near = nearest(internal.listener, internal_names_);
    say(cluster.place, "nothing in this process listens on " + name + "; " +
                           (near.empty() ? "" : "did you mean internal:" + near + "? otherwise ") +
                           "run both lines under tun-run: this one, and one with -l " + name);
  }

  // Listeners

  void check_listener(const Listener& listener) {
    const std::string who = "listener " + listener.name;
    if (const std::string fault = name_fault(listener.name); !fault.empty()) say(listener.place, who + ": " + fault);
    check_addresses(listener);
    if (listener.idle_timeout <= Milliseconds::zero()) say(listener.place, who + ": the idle timeout must be above 0");
    if (listener.half_close_timeout <= Milliseconds::zero()) {
      say(listener.place, who + ": the half-close timeout must be above 0");
    }
    if (listener.buffer_bytes < kSmallestBuffer || listener.buffer_bytes > kLargestBuffer) {
      say(listener.place,
          who + ": the buffer goes from 1 KiB to 8 MiB, not " + std::to_string(listener.buffer_bytes) + " bytes");
    }
    if (const auto* relay = std::get_if<TcpProxy>(&listener.handler)) {
      check_reference(listener.place, who, relay->cluster, Use::relay);
      if (relay->tunnel) check_target(listener, *relay->tunnel);
    } else if (const auto* http = std::get_if<HttpProxy>(&listener.handler)) {
      if (http->routes.empty()) say(listener.place, who + ": it has no route, so it could answer nothing");
      for (const Route& route : http->routes) check_route(listener, route);
    }
  }

  void check_addresses(const Listener& listener) {
    const std::string who = "listener " + listener.name;
    if (listener.addresses.empty())
      say(listener.place, who + ": it has no address; add -l [HOST:]PORT or -l internal:NAME");
    for (const Address& address : listener.addresses) {
      if (const auto* internal = std::get_if<Internal>(&address)) {
        if (listener.addresses.size() > 1)
          say(listener.place, who + ": an internal address stands alone in its listener");
        if (!internal->endpoint_id.empty()) say(listener.place, who + ": a listener has no endpoint id");
        if (internal->listener != listener.name) {
          say(listener.place, who + ": it listens on internal:" + internal->listener + " and so must be called that");
        }
        continue;
      }
      const Tcp& tcp = std::get<Tcp>(address);
      if (!tcp.host.empty() && tcp.host != "*" && !is_ipv4(tcp.host) && !is_ipv6(tcp.host)) {
        say(listener.place,
            who + ": " + in_quotes(tcp.host) + " is not an address of this machine; listen on a number or *");
      }
    }
  }

  void check_target(const Listener& listener, const Tunnel& tunnel) {
    const std::string fault = target_fault(tunnel.target);
    if (!fault.empty())
      say(listener.place, "listener " + listener.name + ": target " + in_quotes(tunnel.target) + ": " + fault);
  }

  void check_route(const Listener& listener, const Route& route) {
    const std::string who = "a route of listener " + listener.name;
    const Place& place = route.place.file.empty() ? listener.place : route.place;
    if (!route.match.connect && !route.match.prefix.starts_with('/'))
      say(place, who + ": a path prefix begins with '/'");
    if (const auto* forward = std::get_if<Forward>(&route.action)) {
      check_reference(place, who, forward->cluster, Use::forward);
    } else if (const auto* terminate = std::get_if<Terminate>(&route.action)) {
      if (!route.match.connect) say(place, who + ": only a CONNECT can be terminated");
      check_reference(place, who, terminate->cluster, Use::terminate);
    } else {
      check_answer(place, who, std::get<Respond>(route.action));
    }
  }

  void check_answer(const Place& place, const std::string& who, const Respond& respond) {
    if (respond.status < 200 || respond.status > 599) {
      say(place, who + ": a final answer has a status from 200 to 599, not " + std::to_string(respond.status));
    }
    const bool bodiless = respond.status == 204 || respond.status == 205 || respond.status == 304;
    if (bodiless && !respond.body.empty())
      say(place, who + ": an answer " + std::to_string(respond.status) + " has no body");
  }

  void check_reference(const Place& place, const std::string& who, const std::string& cluster, Use use) {
    const auto found = clusters_.find(cluster);
    if (found == clusters_.end()) {
      say(place, who + ": there is no cluster called " + in_quotes(cluster) + did_you_mean(cluster, cluster_names_));
    } else if (found->second->find == Cluster::Find::request && use != Use::terminate) {
      say(place, who + ": cluster " + cluster + " goes where a CONNECT asks, and only a terminated CONNECT asks");
    }
  }

  // Sockets share a port among workers (SO_REUSEPORT), so the kernel would not refuse two listeners on one address: it
  // would split the connections between them.
  void check_shared_ports() {
    struct Bound {
      std::string host;
      const Listener* listener;
    };
    std::map<std::uint16_t, std::vector<Bound>> ports;
    for (const Listener& listener : plan_.listeners) {
      for (const Address& address : listener.addresses) {
        const auto* tcp = std::get_if<Tcp>(&address);
        if (tcp == nullptr || tcp->port == 0) continue;
        std::vector<Bound>& bound = ports[tcp->port];
        const auto same = std::find_if(bound.begin(), bound.end(),
                                       [&](const Bound& other) { return overlap(other.host, tcp->host); });
        if (same != bound.end()) {
          say(listener.place, twice_text(tcp->port, *same->listener, listener));
        }
        bound.push_back({tcp->host, &listener});
      }
    }
  }

  static std::string twice_text(std::uint16_t port, const Listener& first, const Listener& second) {
    const std::string by =
        &first == &second ? "by one line" : "by " + first.name + first_at(first.place) + " and by " + second.name;
    return "port " + std::to_string(port) + " is listened on twice, " + by + "; choose another port";
  }

  static bool overlap(const std::string& a, const std::string& b) {
    if (a == b || a == "*" || b == "*") return true;
    const auto covers = [](const std::string& wide, const std::string& narrow) {
      if (wide.empty()) return narrow == "127.0.0.1" || narrow == "::1";
      if (wide == "0.0.0.0") return narrow.empty() || is_ipv4(narrow);
      return wide == "::" && (narrow.empty() || is_ipv6(narrow));
    };
    return covers(a, b) || covers(b, a);
  }

  // Cycles: listener -> its clusters -> the listeners of this plan they lead to, by name or by an own TCP address.

  std::vector<std::string> next_hops(const Listener& listener) const {
    std::vector<std::string> clusters;
    if (const auto* relay = std::get_if<TcpProxy>(&listener.handler)) clusters.push_back(relay->cluster);
    if (const auto* http = std::get_if<HttpProxy>(&listener.handler)) {
      for (const Route& route : http->routes) {
        if (const auto* forward = std::get_if<Forward>(&route.action)) clusters.push_back(forward->cluster);
        if (const auto* terminate = std::get_if<Terminate>(&route.action)) clusters.push_back(terminate->cluster);
      }
    }
    std::vector<std::string> hops;
    for (const std::string& name : clusters) {
      const auto cluster = clusters_.find(name);
      if (cluster == clusters_.end()) continue;
      for (const Endpoint& endpoint : cluster->second->endpoints) {
        if (const auto* internal = std::get_if<Internal>(&endpoint.address)) hops.push_back(internal->listener);
        if (const auto* tcp = std::get_if<Tcp>(&endpoint.address)) add_listeners_at(*tcp, hops);
      }
    }
    return hops;
  }

  void add_listeners_at(const Tcp& dialled, std::vector<std::string>& hops) const {
    const std::string host = dialled.host == "localhost" ? "" : dialled.host;
    for (const auto& [name, listener] : listeners_) {
      for (const Address& address : listener->addresses) {
        const auto* own = std::get_if<Tcp>(&address);
        if (own != nullptr && own->port == dialled.port && overlap(own->host, host)) hops.push_back(name);
      }
    }
  }

  // Depth first with a stack of its own: a file may hold more lines than the thread's stack has room for.
  void check_cycles() {
    struct Frame {
      const Listener* listener;
      std::vector<std::string> hops;
      std::size_t next = 0;
    };
    std::set<std::string> finished;
    for (const auto& [start, start_listener] : listeners_) {
      if (finished.contains(start)) continue;
      std::vector<Frame> path{{start_listener, next_hops(*start_listener)}};
      std::set<std::string> on_path{start};
      while (!path.empty()) {
        Frame& top = path.back();
        if (top.next == top.hops.size()) {
          finished.insert(top.listener->name);
          on_path.erase(top.listener->name);
          path.pop_back();
          continue;
        }
        const std::string hop = top.hops[top.next++];
        if (on_path.contains(hop)) {
          say(top.listener->place, cycle_text(path, hop));
        } else if (const auto found = listeners_.find(hop); found != listeners_.end() && !finished.contains(hop)) {
          on_path.insert(hop);
          path.push_back({found->second, next_hops(*found->second)});
        }
      }
    }
  }

  template <class Path>
  static std::string cycle_text(const Path& path, const std::string& hop) {
    std::string text = "the lines go round in a circle: ";
    auto at = std::find_if(path.begin(), path.end(), [&](const auto& frame) { return frame.listener->name == hop; });
    for (; at != path.end(); ++at) text += at->listener->name + " -> ";
    return text + hop + "; send one of them elsewhere";
  }

  // The process

  void check_process() {
    const Process& process = plan_.process;
    if (process.workers > kMostWorkers)
      say({}, "there are at most 1024 workers, not " + std::to_string(process.workers));
    if (process.drain < Milliseconds::zero()) say({}, "the drain time cannot be below 0");
    std::set<std::string> seen;
    for (const Limit& limit : process.limits) {
      if (const std::string fault = limit_fault(limit.key, limit.value); !fault.empty()) say({}, fault);
      if (!seen.insert(limit.key).second) say({}, "the limit " + in_quotes(limit.key) + " is given twice");
    }
  }

  const Plan& plan_;
  std::vector<Problem> problems_;
  std::map<std::string, const Listener*> listeners_;
  std::map<std::string, const Cluster*> clusters_;
  std::vector<std::string> internal_names_;
  std::vector<std::string> cluster_names_;
};

}  // namespace

std::vector<Problem> check(const Plan& plan) { return Checker(plan).run(); }

}  // namespace tunnel::plan
