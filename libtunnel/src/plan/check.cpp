// SPDX-License-Identifier: Apache-2.0
#include "plan/check.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/access_format.hpp"
#include "plan/check_process.hpp"
#include "plan/check_routes.hpp"
#include "plan/check_state.hpp"
#include "plan/check_tunnels.hpp"
#include "plan/host_port.hpp"
#include "plan/references.hpp"
#include "plan/socket_place.hpp"
#include "plan/stdio.hpp"
#include "plan/time.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::size_t kSmallestBuffer = 1024;
constexpr std::size_t kLargestBuffer = 8388608;
constexpr std::size_t kSmallestWindow = 65536;  // what a stream starts with
constexpr std::size_t kLargestWindow = 1073741824;
constexpr unsigned kMostStreams = 1'000'000;

// A name, fit for a terminal even where it is the fault.
std::string shown(const std::string& name) { return name_fault(name).empty() ? name : in_quotes(name); }

// What a name is said to be for in messages.
enum class Use { relay, forward, terminate };

class Checker {
 public:
  Checker(const Plan& plan, Part part) : plan_(plan), part_(part) {}

  std::vector<Problem> run() {
    index();
    if (plan_.listeners.empty() && part_ == Part::whole) say({}, "nothing listens; give a line with -l");
    for (const Cluster& cluster : plan_.clusters) check_cluster(cluster);
    for (const Listener& listener : plan_.listeners) check_listener(listener);
    check_state(plan_, problems_);
    check_tunnels(plan_, problems_);
    check_shared_ports();
    check_shared_sockets();
    for (Problem& problem : check_stdio(plan_)) problems_.push_back(std::move(problem));
    check_cycles();
    check_process(plan_, problems_);
    return std::move(problems_);
  }

 private:
  void say(const Place& place, std::string text) { problems_.push_back({place, std::move(text)}); }

  // A longer time would not fit the clock, and nobody waits for it.
  enum class Zero : std::uint8_t { is_none, means_something };
  void check_time(const Place& place, const std::string& what, Milliseconds time, Zero zero) {
    if (const std::string fault = time_fault(time, zero == Zero::means_something); !fault.empty())
      say(place, what + " " + fault);
  }

  void index() {
    for (const Listener& listener : plan_.listeners) {
      if (auto [at, fresh] = listeners_.try_emplace(listener.name, &listener); !fresh) {
        say(listener.place, "a second listener is called " + shown(listener.name) + first_at(at->second->place) +
                                rename(listener.place, is_internal(listener) ? "of them another internal:NAME"
                                                                             : "of the lines another --name"));
      }
      if (is_internal(listener)) internal_names_.push_back(listener.name);
    }
    for (const Cluster& cluster : plan_.clusters) {
      if (auto [at, fresh] = clusters_.try_emplace(cluster.name, &cluster); !fresh) {
        say(cluster.place, "a second cluster is called " + shown(cluster.name) + first_at(at->second->place) +
                               rename(cluster.place, "of the lines another --name"));
      }
      cluster_names_.push_back(cluster.name);
    }
  }

  static bool in_envoy(const Place& place) { return place.notation == Notation::envoy; }

  static std::string rename(const Place& place, const std::string& remedy) {
    return "; give one " + (in_envoy(place) ? "of them another name" : remedy);
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
    const std::string who = "cluster " + shown(cluster.name);
    if (const std::string fault = name_fault(cluster.name); !fault.empty()) say(cluster.place, who + ": " + fault);
    if (cluster.protocol == Http::automatic) say(cluster.place, who + ": a client speaks h1 or h2, it cannot guess");
    check_time(cluster.place, who + ": the connect timeout", cluster.connect_timeout, Zero::is_none);
    check_pool(cluster);
    if (cluster.find == Cluster::Find::request) {
      if (!cluster.endpoints.empty())
        say(cluster.place, who + ": the request names the endpoint; leave out the fixed one");
      if (cluster.rules.empty()) say(cluster.place, who + ": nothing is allowed; add a rule with --allow HOST:PORT");
      for (const Rule& rule : cluster.rules) check_rule(cluster, rule);
    } else {
      if (cluster.endpoints.empty()) say(cluster.place, who + ": it needs an endpoint");
      if (!cluster.rules.empty()) say(cluster.place, who + ": rules are for targets that the request names");
      for (const Endpoint& endpoint : cluster.endpoints) check_endpoint(cluster, endpoint.address);
      check_endpoints_differ(cluster);
    }
  }

  void check_endpoints_differ(const Cluster& cluster) {
    for (auto one = cluster.endpoints.begin(); one != cluster.endpoints.end(); ++one) {
      if (std::find(cluster.endpoints.begin(), one, *one) == one) continue;
      say(cluster.place,
          "cluster " + shown(cluster.name) + ": an endpoint is there twice; each stands for itself once");
      return;
    }
  }

  void check_pool(const Cluster& cluster) {
    const Pool& pool = cluster.pool;
    const std::string who = "the pool of cluster " + shown(cluster.name);
    if (cluster.protocol == Http::h1 && (pool.streams > 0 || pool.window_bytes > 0))
      say(cluster.place, who + ": HTTP/1.1 has neither streams nor windows; leave them out");
    if (pool.connections > 0 && pool.prewarm > pool.connections)
      say(cluster.place, who + ": more connections are to be kept ready than it may have; lower prewarm");
    check_time(cluster.place, who + ": ping", pool.ping, Zero::means_something);
    check_time(cluster.place, who + ": idle", pool.idle, Zero::means_something);
    if (pool.window_bytes > 0 && (pool.window_bytes < kSmallestWindow || pool.window_bytes > kLargestWindow))
      say(cluster.place,
          who + ": a window goes from 64 KiB to 1 GiB, not " + std::to_string(pool.window_bytes) + " bytes");
  }

  void check_rule(const Cluster& cluster, const Rule& rule) {
    if (rule.host.empty()) say(cluster.place, "cluster " + shown(cluster.name) + ": a rule has no host");
    if (rule.first_port > rule.last_port) {
      say(cluster.place,
          "cluster " + shown(cluster.name) + ": the ports of a rule run backwards; write the lower one first");
    }
  }

  void check_endpoint(const Cluster& cluster, const Address& address) {
    if (const auto* tcp = std::get_if<Tcp>(&address)) {
      const std::string fault = tcp->host.empty() ? "the host is missing" : host_fault(tcp->host);
      if (!fault.empty()) say(cluster.place, "cluster " + shown(cluster.name) + ": " + fault);
      if (tcp->port == 0) say(cluster.place, "cluster " + shown(cluster.name) + ": nothing can be reached at port 0");
      return;
    }
    if (const auto* socket = std::get_if<Unix>(&address)) {
      const std::string fault = unix_path_fault(socket->path);
      if (!fault.empty())
        say(cluster.place, "cluster " + shown(cluster.name) + ": unix:" + socket->path + ": " + fault);
      return;
    }
    if (!std::holds_alternative<Internal>(address)) {
      say(cluster.place, "cluster " + shown(cluster.name) + ": an inherited socket or stdio can only be listened on");
      return;
    }
    const auto& internal = std::get<Internal>(address);
    const auto found = listeners_.find(internal.listener);
    if (found != listeners_.end() && is_internal(*found->second)) return;
    if (in_envoy(cluster.place)) return refuse_internal(cluster, internal.listener, found != listeners_.end());
    const std::string name = "internal:" + internal.listener;
    if (found != listeners_.end()) {
      say(cluster.place, name + ": the listener of that name listens on a socket; give its line -l " + name);
      return;
    }
    if (part_ == Part::some_names) return;
    const std::string near = nearest(internal.listener, internal_names_);
    say(cluster.place, "nothing in this process listens on " + name + "; " +
                           (near.empty() ? "" : "did you mean internal:" + near + "? otherwise ") +
                           "run both lines under tun-run (this one, and one with -l " + name +
                           "), or link them by unix:PATH");
  }

  void refuse_internal(const Cluster& cluster, const std::string& name, bool has_address) {
    const std::string who = "cluster " + shown(cluster.name) + ": ";
    if (has_address)
      return say(cluster.place, who + "listener " + name + " is no internal one; write internal_listener: {} there");
    if (part_ == Part::some_names) return;
    say(cluster.place,
        who + "there is no internal listener called " + in_quotes(name) + did_you_mean(name, internal_names_));
  }

  // Listeners

  void check_listener(const Listener& listener) {
    const std::string who = "listener " + shown(listener.name);
    if (const std::string fault = name_fault(listener.name); !fault.empty()) say(listener.place, who + ": " + fault);
    check_addresses(listener);
    check_time(listener.place, who + ": the idle timeout", listener.idle_timeout, Zero::means_something);
    check_time(listener.place, who + ": the half-close timeout", listener.half_close_timeout, Zero::is_none);
    check_time(listener.place, who + ": the lifetime", listener.max_lifetime, Zero::means_something);
    for (const std::string& fault : access_format_faults(listener.access_format))
      say(listener.place, std::string(who).append(": the access log: ").append(fault));
    if (listener.buffer_bytes < kSmallestBuffer || listener.buffer_bytes > kLargestBuffer) {
      say(listener.place,
          who + ": the buffer goes from 1 KiB to 8 MiB, not " + std::to_string(listener.buffer_bytes) + " bytes");
    }
    if (const auto* relay = std::get_if<TcpProxy>(&listener.handler)) {
      check_reference(listener.place, who, relay->cluster, Use::relay);
      if (relay->connect_attempts < 1 || relay->connect_attempts > kMostAttempts)
        say(listener.place, who + ": there are 1 to " + std::to_string(kMostAttempts) + " attempts to connect, not " +
                                std::to_string(relay->connect_attempts));
    } else if (const auto* http = std::get_if<HttpProxy>(&listener.handler)) {
      check_streams(listener, *http);
      if (http->stream_idle_timeout)
        check_time(listener.place, who + ": the idle timeout of streams", *http->stream_idle_timeout,
                   Zero::means_something);
      if (http->routes.empty()) say(listener.place, who + ": it has no route, so it could answer nothing");
      for (const Route& route : http->routes) check_route(listener, route);
    }
  }

  void check_streams(const Listener& listener, const HttpProxy& http) {
    if (http.streams > kMostStreams)
      say(listener.place, "listener " + shown(listener.name) + ": a connection has at most 1000000 streams, not " +
                              std::to_string(http.streams));
    if (http.streams > 0 && http.codec == Http::h1)
      say(listener.place, "listener " + shown(listener.name) + ": HTTP/1.1 has no streams; leave their number out");
  }

  void check_addresses(const Listener& listener) {
    const std::string who = "listener " + shown(listener.name);
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
      if (std::holds_alternative<Stdio>(address)) continue;  // see check_stdio()
      if (const std::string fault = listen_fault(address); !fault.empty())
        say(listener.place, std::string(who).append(": ").append(fault));
    }
  }

  void check_route(const Listener& listener, const Route& route) {
    const std::string who = "a route of listener " + shown(listener.name);
    const Place& place = route.place.file.empty() ? listener.place : route.place;
    for (const std::string& fault : route_faults(route)) say(place, std::string(who).append(": ").append(fault));
    if (const auto* forward = std::get_if<Forward>(&route.action)) {
      check_reference(place, who, forward->cluster, Use::forward);
    } else if (const auto* terminate = std::get_if<Terminate>(&route.action)) {
      check_reference(place, who, terminate->cluster, Use::terminate);
    }
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
          say_twice("port " + std::to_string(tcp->port), *same->listener, listener, "choose another port");
        }
        bound.push_back({tcp->host, &listener});
      }
    }
  }

  void check_shared_sockets() {
    std::map<std::string, const Listener*> bound;
    for (const Listener& listener : plan_.listeners) {
      for (const Address& address : listener.addresses) {
        const std::string socket = sole_socket(address);
        if (socket.empty()) continue;
        if (auto [at, fresh] = bound.try_emplace(socket, &listener); !fresh)
          say_twice(socket, *at->second, listener, "choose another socket");
      }
    }
  }

  void say_twice(const std::string& what, const Listener& first, const Listener& second, const std::string& remedy) {
    const std::string by =
        &first == &second ? "by one line" : "by " + first.name + first_at(first.place) + " and by " + second.name;
    say(second.place, what + " is listened on twice, " + by + "; " + remedy);
  }

  // Cycles: listener -> its clusters -> the listeners of this plan they lead to, by name or by an own address.

  std::vector<std::string> next_hops(const Listener& listener) const {
    std::vector<std::string> hops;
    for (const std::string& name : clusters_of(listener)) {
      const auto cluster = clusters_.find(name);
      if (cluster == clusters_.end()) continue;
      for (const Endpoint& endpoint : cluster->second->endpoints) {
        if (const auto* internal = std::get_if<Internal>(&endpoint.address)) hops.push_back(internal->listener);
        add_listeners_at(endpoint.address, hops);
      }
    }
    return hops;
  }

  void add_listeners_at(const Address& dialled, std::vector<std::string>& hops) const {
    for (const auto& [name, listener] : listeners_) {
      for (const Address& address : listener->addresses) {
        if (leads_to(dialled, address)) hops.push_back(name);
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
    const bool envoy = in_envoy(path.back().listener->place);
    std::string text = std::string(envoy ? "the listeners" : "the lines") + " go round in a circle: ";
    auto at = std::find_if(path.begin(), path.end(), [&](const auto& frame) { return frame.listener->name == hop; });
    for (; at != path.end(); ++at) text += at->listener->name + " -> ";
    return text + hop + "; send one of them elsewhere";
  }

  const Plan& plan_;
  Part part_;
  std::vector<Problem> problems_;
  std::map<std::string, const Listener*> listeners_;
  std::map<std::string, const Cluster*> clusters_;
  std::vector<std::string> internal_names_;
  std::vector<std::string> cluster_names_;
};

}  // namespace

std::vector<Problem> check(const Plan& plan) { return check(plan, Part::whole); }

std::vector<Problem> check(const Plan& plan, Part part) { return Checker(plan, part).run(); }

}  // namespace tunnel::plan
