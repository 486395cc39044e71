// SPDX-License-Identifier: Apache-2.0
#include "config/line.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/access_format.hpp"
#include "config/address.hpp"
#include "config/entry.hpp"
#include "config/header.hpp"
#include "config/rule.hpp"
#include "config/state.hpp"
#include "config/value.hpp"
#include "plan/check.hpp"
#include "plan/connection_format.hpp"
#include "plan/host_port.hpp"
#include "plan/source.hpp"

namespace tunnel::config {
namespace {

constexpr std::size_t kSmallestBuffer = 1024;
constexpr std::size_t kLargestBuffer = 8388608;
constexpr unsigned kMostConnections = 10'000'000;
constexpr plan::Milliseconds kShortest{1};
constexpr plan::Milliseconds kNone{0};

plan::HttpProxy answering(plan::Respond respond) {
  plan::HttpProxy proxy;
  proxy.routes.push_back({{}, std::move(respond), {}});
  return proxy;
}

class Line {
 public:
  Line(Program program, const Arguments& arguments, plan::Place place, Faults& faults)
      : program_(program), arguments_(arguments), place_(std::move(place)), faults_(faults) {}

  // Every value by itself, so that all that is wrong with them is told at once.
  void judge_values() {
    read_settings();
    for (const Given& given : arguments_.in_order()) faults_.attempt([&] { judge_address(given); });
  }

  void judge_completeness() {
    require(Opt::listen, "nothing to listen on; add -l PORT");
    if (program_ == Program::tcp_chain) require(Opt::to, "nowhere to connect to; add -t HOST:PORT");
    if (program_ == Program::tun_encap) {
      require(Opt::proxy, "no proxy is named; add -x h2c:HOST:PORT or -x h1:HOST:PORT");
      require(Opt::target, "no target is named; add --target HOST:PORT");
    }
    if (program_ == Program::tun_decap && !arguments_.has(Opt::allow) && !arguments_.has(Opt::deny)) {
      require(
          Opt::to,
          "nowhere to send tunnels to; add --to HOST:PORT for one place, or --allow HOST:PORT for what clients ask");
    }
  }

  // For a line without faults up to here; throws Refusal for what does not fit together.
  plan::Plan build() {
    const Given* lb = arguments_.find(Opt::lb);
    if (lb != nullptr && arguments_.all(Opt::to).size() < 2)
      throw Refusal(lb->place, "--lb chooses among several -t; give another -t or leave it out");
    const Given* format = arguments_.find(Opt::access_log_format);
    if (format != nullptr && shape_.access_log.empty())
      throw Refusal(format->place, "--access-log-format is for the lines of --access-log; add that or leave it out");
    entries_ = read_entries(program_, arguments_, shape_, may_be_open());
    // A derived listener serves connections that these have counted, and that end with theirs.
    for (Entry& entry : entries_) {
      entry.listener.max_connections = max_connections_;
      entry.listener.max_lifetime = max_lifetime_;
      entry.listener.state = state_;
    }
    name_ = entries_.front().listener.name;
    if (program_ == Program::tcp_chain) {
      add_tcp_chain();
    } else if (program_ == Program::tun_encap) {
      add_tun_encap();
    } else {
      add_tun_decap();
    }
    return std::move(plan_);
  }

  // For a line with faults: the internal listeners it would have, which do nothing, so that what others say about these
  // names can be judged. Whether all could be read.
  bool stand_in(plan::Plan& plan) {
    bool known = arguments_.has(Opt::listen);
    for (const Given& given : arguments_.all(Opt::listen)) {
      try {
        const plan::Address address = parse_listen(given).address;
        const auto* internal = std::get_if<plan::Internal>(&address);
        if (internal == nullptr) continue;
        plan::Listener listener;
        listener.name = internal->listener;
        listener.place = given.place;
        listener.addresses.push_back(address);
        listener.handler = plan::Discard{};
        plan.listeners.push_back(std::move(listener));
      } catch (const Refusal&) {
        known = false;  // told already
      }
    }
    return known;
  }

 private:
  void add_tcp_chain() {
    const std::optional<plan::Handler> answer = answer_on_the_spot();
    if (!answer) return listen(plan::TcpProxy{reach_destinations(), std::nullopt, connect_attempts_});
    if (const Given* attempts = arguments_.find(Opt::connect_attempts))
      throw attempts->refusal("an answer given on the spot never fails; leave it out");
    listen(*answer);
  }

  void add_tun_encap() {
    const Given& target = *arguments_.find(Opt::target);
    plan::Tunnel tunnel{parse_target(target)};
    tunnel.post = arguments_.has(Opt::post);
    for (const Given& given : arguments_.all(Opt::header)) tunnel.headers.push_back(parse_header(given));
    const plan::Source source = plan::target_source_of(tunnel.target);
    if (source == plan::Source::authority)
      refuse_open_ports();
    else if (const Given* open = arguments_.find(Opt::insecure_open))
      throw Refusal(open->place,
                    "--insecure-open is for --target @authority, where clients name targets; leave it out");
    const Given* http = arguments_.find(Opt::http);
    const bool named = plan::has_operator(tunnel, plan::Operator::server_name);
    if (source == plan::Source::authority)
      parse_at_entry(std::move(tunnel), target.place);
    else if (http != nullptr)
      parse_at_entry(std::move(tunnel), http->place);
    else
      listen(plan::TcpProxy{name_ + ".proxy", std::move(tunnel), connect_attempts_, named});
    reach_proxies();
  }

  // What is taken from the connection or request is known at the entry only: from there it goes on as an endpoint id.
  void parse_at_entry(plan::Tunnel tunnel, const plan::Place& place) {
    const std::string inner = name_ + ".http";
    const plan::Source source = plan::target_source_of(tunnel.target);
    refuse_lost_values(tunnel, place);
    std::string id;
    if (source != plan::Source::written) id = std::exchange(tunnel.target, "@endpoint");
    plan::HttpProxy entry;
    if (source == plan::Source::authority) entry.routes.push_back({{true, "/"}, plan::Terminate{inner}, place});
    entry.routes.push_back({{}, plan::Forward{inner}, place});
    listen(entry);
    dial(inner, {plan::Internal{inner, id}}, plan::Http::h1, place);
    listen_inside(inner, plan::TcpProxy{name_ + ".proxy", std::move(tunnel), connect_attempts_}, place);
  }

  // Behind what parses requests nothing is known of how the connection came, but who the client is.
  static void refuse_lost_values(const plan::Tunnel& tunnel, const plan::Place& place) {
    if (plan::target_source_of(tunnel.target) == plan::Source::format)
      throw Refusal(place, "--http: a target with operators is for connections that are not parsed; use @endpoint");
    if (plan::has_operator(tunnel, plan::Operator::metadata))
      throw Refusal(place, "--header: metadata comes with connections, and here requests are parsed; leave it out");
    if (plan::has_operator(tunnel, plan::Operator::server_name))
      throw Refusal(place, "--header: a server's name comes with TLS, and here requests are parsed; leave it out");
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
    refuse_open_ports();
    if (to != nullptr) {
      end_at_destinations(to->place);
    } else {
      end_where_asked(*allow);
    }
  }

  void require(Opt id, const std::string& missing) {
    if (!arguments_.has(id)) faults_.add({place_, missing});
  }

  void judge_address(const Given& given) {
    if (given.option->id == Opt::listen) parse_listen(given);
    if (given.option->id == Opt::proxy) parse_proxy(given);
    if (given.option->id == Opt::target) parse_target(given);
    if (given.option->id == Opt::header) parse_header(given);
    if (given.option->id == Opt::to) parse_dial(given);
    if (given.option->id == Opt::allow || given.option->id == Opt::deny) parse_rule(given, true);
  }

  template <class Read>
  void with(Opt id, const Read& read) {
    read_option(arguments_, id, faults_, read);
  }

  void read_settings() {
    with(Opt::connect_timeout, [&](const Given& given) { connect_timeout_ = parse_duration(given, kShortest); });
    with(Opt::connect_attempts,
         [&](const Given& given) { connect_attempts_ = parse_count(given, plan::kMostAttempts); });
    with(Opt::idle_timeout, [&](const Given& given) { shape_.idle_timeout = parse_duration(given, kNone); });
    with(Opt::half_close_timeout,
         [&](const Given& given) { shape_.half_close_timeout = parse_duration(given, kShortest); });
    with(Opt::max_lifetime, [&](const Given& given) { max_lifetime_ = parse_duration(given, kShortest); });
    with(Opt::buffer,
         [&](const Given& given) { shape_.buffer_bytes = parse_size(given, kSmallestBuffer, kLargestBuffer); });
    with(Opt::read_ahead, [&](const Given& given) {
      shape_.read_ahead_bytes = parse_size(given, kSmallestBuffer, plan::kMostReadAhead);
    });
    with(Opt::access_log, [&](const Given& given) { shape_.access_log = parse_access_log(given); });
    with(Opt::access_log_format, [&](const Given& given) { shape_.access_format = parse_access_format(given); });
    with(Opt::max_conns, [&](const Given& given) { max_connections_ = parse_count(given, kMostConnections); });
    for (const Given& given : arguments_.all(Opt::state))
      faults_.attempt([&] { state_.push_back(parse_state(given)); });
    const auto is_shared = [](const plan::State& state) { return state.share != StateShare::none; };
    passes_state_ = arguments_.has(Opt::pass_state) || std::any_of(state_.begin(), state_.end(), is_shared);
    with(Opt::lb, [&](const Given& given) { lb_ = parse_lb(given); });
    with(Opt::name, [&](const Given& given) { parse_name(given); });
  }

  void listen(const plan::Handler& handler) {
    for (Entry entry : entries_) {
      entry.serve(handler);
      plan_.listeners.push_back(std::move(entry.listener));
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

  plan::Cluster& dial(const std::string& name, plan::Endpoint endpoint, plan::Http protocol, const plan::Place& place) {
    plan::Cluster cluster;
    cluster.name = name;
    cluster.place = place;
    cluster.endpoints.push_back(std::move(endpoint));
    pass_on(cluster);
    cluster.protocol = protocol;
    cluster.connect_timeout = connect_timeout_;
    return plan_.clusters.emplace_back(std::move(cluster));
  }

  // All that an address has, and the state.
  void pass_on(plan::Cluster& cluster) const {
    for (const plan::Endpoint& endpoint : cluster.endpoints) {
      if (!std::holds_alternative<plan::Internal>(endpoint.address)) continue;
      cluster.passes_state = passes_state_ || !endpoint.metadata.empty() || cluster.passes_state;
      for (const plan::Metadata& value : endpoint.metadata) {
        const plan::Passthrough source{value.space, plan::Passthrough::From::host};
        const auto known = std::find(cluster.passthrough.begin(), cluster.passthrough.end(), source);
        if (known == cluster.passthrough.end()) cluster.passthrough.push_back(source);
      }
    }
  }

  // NAME.proxy leads to the last -x; on the way there every -x before it is an internal listener that tunnels through
  // it.
  void reach_proxies() {
    const std::vector<Given> all = arguments_.all(Opt::proxy);
    Proxy proxy = parse_proxy(all.front());
    for (std::size_t i = 1; i < all.size(); ++i) {
      Proxy next = parse_proxy(all[i]);
      const std::string hop = name_ + ".hop" + std::to_string(i);
      listen_inside(hop, plan::TcpProxy{hop + ".proxy", plan::Tunnel{tunnel_target(all[i], next)}}, all[i].place);
      dial(hop + ".proxy", std::move(proxy.endpoint), proxy.protocol, all[i - 1].place);
      plan_.clusters.back().pool = proxy.pool;
      proxy = std::move(next);
      proxy.endpoint = {plan::Internal{hop, ""}};
    }
    dial(name_ + ".proxy", std::move(proxy.endpoint), proxy.protocol, all.back().place);
    plan_.clusters.back().pool = proxy.pool;
  }

  // What the proxy before is asked for.
  static std::string tunnel_target(const Given& given, const Proxy& proxy) {
    const auto* tcp = std::get_if<plan::Tcp>(&proxy.endpoint.address);
    if (tcp == nullptr) {
      throw given.refusal("the proxy before it can connect to HOST:PORT only; name that, or put this one first");
    }
    std::string target = plan::to_string(*tcp);
    if (const std::string fault = plan::target_fault(target); !fault.empty()) throw given.refusal(fault);
    return target;
  }

  // What -t answers without connecting to anything.
  std::optional<plan::Handler> answer_on_the_spot() const {
    const std::vector<Given> all = arguments_.all(Opt::to);
    const Dial to = parse_dial(all.front());
    if (std::holds_alternative<plan::Endpoint>(to)) return std::nullopt;
    if (all.size() > 1) refuse_beside_others(all.front());
    if (const auto* respond = std::get_if<plan::Respond>(&to)) return answering(*respond);
    if (std::holds_alternative<plan::Echo>(to)) return plan::Echo{};
    return plan::Discard{};
  }

  [[noreturn]] static void refuse_beside_others(const Given& given) {
    throw given.refusal("an answer given on the spot never fails, so it stands alone; leave out the other -t");
  }

  // Adds the cluster NAME.to of every -t and returns its name.
  std::string reach_destinations() {
    const std::vector<Given> all = arguments_.all(Opt::to);
    std::vector<plan::Endpoint> endpoints;
    for (const Given& given : all) {
      const Dial to = parse_dial(given);
      const auto* endpoint = std::get_if<plan::Endpoint>(&to);
      if (endpoint == nullptr) refuse_beside_others(given);
      if (std::find(endpoints.begin(), endpoints.end(), *endpoint) != endpoints.end())
        throw given.refusal("this address is given twice; give it once");
      endpoints.push_back(*endpoint);
    }
    plan::Cluster& cluster = dial(name_ + ".to", endpoints.front(), plan::Http::h1, all.front().place);
    cluster.endpoints = std::move(endpoints);
    pass_on(cluster);
    cluster.lb = lb_;
    return cluster.name;
  }

  void end_connects_in(const std::string& cluster, const plan::Place& place) {
    plan::HttpProxy proxy;
    proxy.routes.push_back({{true, "/"}, plan::Terminate{cluster, arguments_.has(Opt::post)}, place});
    listen(proxy);
  }

  void end_at_destinations(const plan::Place& place) {
    const std::string cluster = name_ + ".to";
    end_connects_in(cluster, place);
    if (std::optional<plan::Handler> answer = answer_on_the_spot()) {
      dial(cluster, {plan::Internal{cluster, ""}}, plan::Http::h1, place);
      listen_inside(cluster, std::move(*answer), place);
    } else {
      reach_destinations();
    }
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

  // Where clients name targets, a port that anybody can reach is an open proxy.
  bool may_be_open() const { return !clients_may_misuse() || arguments_.has(Opt::insecure_open); }
  bool clients_may_misuse() const {
    const Given* target = arguments_.find(Opt::target);
    const bool by_request = target != nullptr && plan::source_of(target->value) == plan::Source::authority;
    return program_ == Program::tun_decap || by_request;
  }

  // A unix socket is no more open than loopback, whatever its mode; an inherited one is judged when it is seen.
  void refuse_open_ports() const {
    if (may_be_open()) return;
    for (const Given& given : arguments_.all(Opt::listen)) {
      const plan::Address address = parse_listen(given).address;
      const auto* tcp = std::get_if<plan::Tcp>(&address);
      if (tcp == nullptr || plan::is_loopback(tcp->host)) continue;
      throw given.refusal(
          "whoever reaches this address could use the proxy; listen on loopback or add --insecure-open");
    }
  }

  Program program_;
  const Arguments& arguments_;
  plan::Place place_;
  Faults& faults_;
  plan::Plan plan_;       // of this line
  plan::Listener shape_;  // what all listeners of the line have in common
  plan::Milliseconds connect_timeout_ = plan::Cluster{}.connect_timeout;
  unsigned connect_attempts_ = plan::TcpProxy{}.connect_attempts;
  plan::Lb lb_ = plan::Lb::round_robin;
  std::vector<plan::State> state_;
  bool passes_state_ = false;
  unsigned max_connections_ = 0;
  plan::Milliseconds max_lifetime_{0};
  std::string name_;
  std::vector<Entry> entries_;
};

}  // namespace

bool add_line(Program program, const Arguments& arguments, const plan::Place& place, plan::Plan& plan, Faults& faults) {
  Line line(program, arguments, place, faults);
  line.judge_values();
  // What seems to be missing may be among the words nobody understood.
  if (arguments.understood()) line.judge_completeness();
  plan::Plan own;
  if (!faults.empty() || !faults.attempt([&] { own = line.build(); })) return line.stand_in(plan);
  for (plan::Listener& listener : own.listeners) plan.listeners.push_back(std::move(listener));
  for (plan::Cluster& cluster : own.clusters) plan.clusters.push_back(std::move(cluster));
  return true;
}

}  // namespace tunnel::config
