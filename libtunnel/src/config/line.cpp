// SPDX-License-Identifier: Apache-2.0
#include "config/line.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/address.hpp"
#include "config/rule.hpp"
#include "config/value.hpp"
#include "plan/host_port.hpp"

namespace tunnel::config {
namespace {

constexpr std::size_t kSmallestBuffer = 1024;
constexpr std::size_t kLargestBuffer = 8388608;
constexpr std::uint64_t kMostConnections = 10'000'000;
constexpr plan::Milliseconds kShortest{1};

plan::HttpProxy answering(plan::Respond respond) {
  plan::HttpProxy proxy;
  proxy.routes.push_back({{}, std::move(respond), {}});
  return proxy;
}

class Line {
 public:
  Line(Program program, const Arguments& arguments, plan::Place place, plan::Plan& plan)
      : program_(program), arguments_(arguments), place_(std::move(place)), plan_(plan) {
    read_settings();
    read_listeners();
  }

  void add_tcp_chain() {
    const Given& to = required(Opt::to, "nowhere to connect to; add -t HOST:PORT");
    listen(handler_for(parse_dial(to), to.place));
  }

  void add_tun_encap() {
    const Given& proxy_given = required(Opt::proxy, "no proxy is named; add -x h2c:HOST:PORT or -x h1:HOST:PORT");
    const Given& target = required(Opt::target, "no target is named; add --target HOST:PORT");
    const Proxy proxy = parse_proxy(proxy_given);
    const plan::TcpProxy tunnel{name_ + ".proxy", plan::Tunnel{parse_target(target)}};
    const Given* http = arguments_.find(Opt::http);
    if (http == nullptr) {
      listen(tunnel);
    } else {
      const std::string inner = name_ + ".http";
      plan::HttpProxy entry;
      entry.routes.push_back({{}, plan::Forward{inner}, http->place});
      listen(entry);
      dial(inner, plan::Internal{inner, ""}, plan::Http::h1, http->place);
      listen_inside(inner, tunnel, http->place);
    }
    dial(name_ + ".proxy", proxy.address, proxy.protocol, proxy_given.place);
  }

  void add_tun_decap() {
    const Given* to = arguments_.find(Opt::to);
    const Given* allow = arguments_.find(Opt::allow);
    const Given* deny = arguments_.find(Opt::deny);
    if (to != nullptr && allow != nullptr)
      throw Refusal(allow->place, "--allow and --to exclude each other; give one of them");
    if (deny != nullptr && allow == nullptr) {
      throw Refusal(deny->place, "--deny makes exceptions from --allow; add --allow RULE or leave it out");
    }
    if (to == nullptr && allow == nullptr) {
      throw Refusal(
          place_,
          "nowhere to send tunnels to; add --to HOST:PORT for one place, or --allow HOST:PORT for what clients ask");
    }
    refuse_open_ports();
    if (to != nullptr) {
      end_at(*to);
    } else {
      end_where_asked(*allow);
    }
  }

 private:
  const Given& required(Opt id, const std::string& missing) const {
    const Given* given = arguments_.find(id);
    if (given == nullptr) throw Refusal(place_, missing);
    return *given;
  }

  void read_settings() {
    if (const Given* given = arguments_.find(Opt::connect_timeout))
      connect_timeout_ = parse_duration(*given, kShortest);
    if (const Given* given = arguments_.find(Opt::idle_timeout))
      shape_.idle_timeout = parse_duration(*given, kShortest);
    if (const Given* given = arguments_.find(Opt::half_close_timeout)) {
      shape_.half_close_timeout = parse_duration(*given, kShortest);
    }
    if (const Given* given = arguments_.find(Opt::buffer)) {
      shape_.buffer_bytes = parse_size(*given, kSmallestBuffer, kLargestBuffer);
    }
    if (const Given* given = arguments_.find(Opt::access_log)) {
      if (given->value.empty()) throw given->refusal("give a file name, or - for standard output");
      shape_.access_log = given->value;
    }
    if (const Given* given = arguments_.find(Opt::max_conns)) {
      max_connections_ = static_cast<unsigned>(parse_number(*given, 1, kMostConnections));
    }
  }

  // Fills listeners_, all but their handlers, and name_.
  void read_listeners() {
    required(Opt::listen, "nothing to listen on; add -l PORT");
    plan::Listener tcp = shape_;
    std::vector<plan::Listener> inside;
    std::string default_name;
    for (const Given& given : arguments_.all(Opt::listen)) {
      const plan::Address address = parse_listen(given);
      if (const auto* internal = std::get_if<plan::Internal>(&address)) {
        plan::Listener listener = shape_;
        listener.name = internal->listener;
        listener.place = given.place;
        listener.addresses.push_back(address);
        inside.push_back(std::move(listener));
        continue;
      }
      if (tcp.addresses.empty()) {
        tcp.place = given.place;
        default_name = std::string(name_of(program_)) + "-" + std::to_string(std::get<plan::Tcp>(address).port);
      }
      tcp.addresses.push_back(address);
    }
    const Given* name = arguments_.find(Opt::name);
    name_ = name != nullptr ? parse_name(*name) : tcp.addresses.empty() ? inside.front().name : default_name;
    if (tcp.addresses.empty() && name_ != inside.front().name) {
      throw name->refusal("a line that listens on internal:" + inside.front().name + " is called " +
                          inside.front().name + "; leave out --name");
    }
    tcp.name = name_;
    if (!tcp.addresses.empty()) listeners_.push_back(std::move(tcp));
    for (plan::Listener& listener : inside) listeners_.push_back(std::move(listener));
    for (plan::Listener& listener : listeners_) listener.max_connections = max_connections_;
  }

  void listen(const plan::Handler& handler) {
    for (plan::Listener listener : listeners_) {
      listener.handler = handler;
      plan_.listeners.push_back(std::move(listener));
    }
  }

  void listen_inside(const std::string& name, plan::Handler handler, const plan::Place& place) {
    plan::Listener listener = shape_;
    listener.name = name;
    listener.place = place;
    listener.addresses.push_back(plan::Internal{name, ""});
    listener.handler = std::move(handler);
    plan_.listeners.push_back(std::move(listener));
  }

  void dial(const std::string& name, const plan::Address& address, plan::Http protocol, const plan::Place& place) {
    plan::Cluster cluster;
    cluster.name = name;
    cluster.place = place;
    cluster.endpoints.push_back({address});
    cluster.protocol = protocol;
    cluster.connect_timeout = connect_timeout_;
    plan_.clusters.push_back(std::move(cluster));
  }

  // What a listener does to reach `to`: answer by itself, or relay to the cluster NAME.to, which this adds.
  plan::Handler handler_for(const Dial& to, const plan::Place& place) {
    if (const auto* respond = std::get_if<plan::Respond>(&to)) return answering(*respond);
    if (std::holds_alternative<plan::Echo>(to)) return plan::Echo{};
    if (std::holds_alternative<plan::Discard>(to)) return plan::Discard{};
    const std::string cluster = name_ + ".to";
    dial(cluster, address_of(to), plan::Http::h1, place);
    return plan::TcpProxy{cluster, std::nullopt};
  }

  static plan::Address address_of(const Dial& to) {
    if (const auto* tcp = std::get_if<plan::Tcp>(&to)) return *tcp;
    return std::get<plan::Internal>(to);
  }

  static bool is_address(const Dial& to) {
    return std::holds_alternative<plan::Tcp>(to) || std::holds_alternative<plan::Internal>(to);
  }

  void end_connects_in(const std::string& cluster, const plan::Place& place) {
    plan::HttpProxy proxy;
    proxy.routes.push_back({{true, "/"}, plan::Terminate{cluster}, place});
    listen(proxy);
  }

  void end_at(const Given& given) {
    const Dial to = parse_dial(given);
    const std::string cluster = name_ + ".to";
    end_connects_in(cluster, given.place);
    if (is_address(to)) {
      dial(cluster, address_of(to), plan::Http::h1, given.place);
      return;
    }
    dial(cluster, plan::Internal{cluster, ""}, plan::Http::h1, given.place);
    listen_inside(cluster, handler_for(to, given.place), given.place);
  }

  void end_where_asked(const Given& first) {
    plan::Cluster cluster;
    cluster.name = name_ + ".allow";
    cluster.place = first.place;
    cluster.find = plan::Cluster::Find::request;
    cluster.connect_timeout = connect_timeout_;
    for (const Given& given : arguments_.in_order()) {
      if (given.option->id == Opt::allow) cluster.rules.push_back(parse_rule(given, true));
      if (given.option->id == Opt::deny) cluster.rules.push_back(parse_rule(given, false));
    }
    end_connects_in(cluster.name, first.place);
    plan_.clusters.push_back(std::move(cluster));
  }

  void refuse_open_ports() const {
    if (arguments_.has(Opt::insecure_open)) return;
    for (const Given& given : arguments_.all(Opt::listen)) {
      const plan::Address address = parse_listen(given);
      const auto* tcp = std::get_if<plan::Tcp>(&address);
      if (tcp == nullptr || plan::is_loopback(tcp->host)) continue;
      throw given.refusal(
          "whoever reaches this address could use the proxy; listen on loopback or add --insecure-open");
    }
  }

  Program program_;
  const Arguments& arguments_;
  plan::Place place_;
  plan::Plan& plan_;
  plan::Listener shape_;  // what all listeners of the line have in common
  plan::Milliseconds connect_timeout_ = plan::Cluster{}.connect_timeout;
  unsigned max_connections_ = 0;
  std::string name_;
  std::vector<plan::Listener> listeners_;
};

}  // namespace

void add_line(Program program, const Arguments& arguments, const plan::Place& place, plan::Plan& plan) {
  Line line(program, arguments, place, plan);
  if (program == Program::tcp_chain) {
    line.add_tcp_chain();
  } else if (program == Program::tun_encap) {
    line.add_tun_encap();
  } else {
    line.add_tun_decap();
  }
}

}  // namespace tunnel::config
