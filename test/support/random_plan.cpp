// SPDX-License-Identifier: Apache-2.0
#include "support/random_plan.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "plan/limit_table.hpp"

namespace tunnel::test {
namespace {

using plan::Milliseconds;

class Maker {
 public:
  Maker(std::uint64_t seed, const PlanTaste& taste) : random_(seed), taste_(taste) {}

  plan::Plan run() {
    const std::size_t count = 1 + below(taste_.most_listeners);
    // Who comes later is never led to by who came earlier than what it leads to: so there is no circle.
    for (std::size_t i = 0; i < count; ++i) plan_.listeners.push_back(listener(i, count));
    for (std::size_t i = 0; i < count; ++i) plan_.listeners[i].handler = handler(i);
    add_process();
    return std::move(plan_);
  }

 private:
  // Its own, the same on every machine.
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class T>
  const T& one_of(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  Milliseconds time() { return Milliseconds(one_of<int>({1, 250, 1000, 1500, 60'000, 90'000, 7'200'000})); }

  std::string name(const std::string& stem, std::size_t number) {
    std::string made = stem + std::to_string(number);
    if (chance(10)) made += "." + std::string(1 + below(60), 'x');
    if (chance(10)) made += "-a_B.9";
    return made;
  }

  std::string host() {
    return one_of<std::string>({"127.0.0.1", "10.1.2.3", "::1", "2001:db8::7", "localhost", "a", "db.internal",
                                "a-very-long-host-name.of-some-department.at.corporation.example"});
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(1 + below(65535)); }
  std::string authority() {
    const std::string at = host();
    return (at.find(':') == std::string::npos ? at : "[" + at + "]") + ":" + std::to_string(port());
  }
  std::string path() {
    return one_of<std::string>(
               {"/run/", "/tmp/with space ", "/srv/\xc3\xa9t\xc3\xa9-", "/var/lib/some/where/very/deep/"}) +
           std::to_string(below(1000));
  }

  plan::Address own_address(std::size_t number) {
    if (taste_.unix_sockets && chance(15)) {
      return plan::Unix{path() + "-" + std::to_string(number), chance(50) ? 0600U : 0660U};
    }
    if (taste_.handed_over && chance(8)) return plan::Inherited{static_cast<int>(3 + number), ""};
    if (taste_.handed_over && chance(8)) return plan::Inherited{-1, "socket" + std::to_string(number)};
    const std::string at = one_of<std::string>({"", "", "", "*", "127.0.0.1", "::1", "10.0.0.1"});
    return plan::Tcp{at, static_cast<std::uint16_t>(20'000 + number)};
  }

  plan::Listener listener(std::size_t number, std::size_t count) {
    plan::Listener made;
    made.name = name(chance(50) ? "in" : "tcp-chain-", number);
    made.place = {"random.tun", static_cast<int>(number + 1), 1};
    // The first is an entry; of the others half are.
    if (number > 0 && chance(50)) {
      made.addresses.emplace_back(plan::Internal{made.name, ""});
    } else if (taste_.handed_over && count == 1 && chance(10)) {
      made.addresses.emplace_back(plan::Stdio{});
    } else {
      for (std::size_t i = 0; i <= below(3); ++i) made.addresses.push_back(own_address(number * 10 + i));
    }
    if (chance(30)) made.idle_timeout = chance(20) ? plan::Milliseconds(0) : time();
    if (chance(30)) made.half_close_timeout = time();
    if (chance(20)) made.max_lifetime = time();
    if (chance(20)) made.max_connections = static_cast<unsigned>(1 + below(1000));
    if (chance(20)) made.buffer_bytes = 1024 << below(13);
    if (chance(30)) made.access_log = one_of<std::string>({"-", "/dev/stderr", "/var/log/access & more.log"});
    if (!made.access_log.empty() && chance(30)) made.access_format = access_format();
    return made;
  }

  plan::AccessFormat access_format() {
    if (chance(50)) return {"%START_TIME(%s.%3f)% \"%REQ(X-A?:PATH):9%\" 100%% <%RESPONSE_FLAGS%>\n", {}, true};
    return {"", {{"b \"c\"", "%DURATION%"}, {"a", "", {{"n", "1"}, {"flags", "x %RESPONSE_FLAGS%"}}}}};
  }

  plan::Handler handler(std::size_t number) {
    const std::uint64_t kind = below(10);
    if (kind == 0) return plan::Echo{};
    if (kind == 1) return plan::Discard{};
    if (kind < 6) return relay(number);
    plan::HttpProxy http;
    http.codec = one_of<plan::Http>({plan::Http::automatic, plan::Http::h1, plan::Http::h2});
    if (http.codec != plan::Http::h1 && chance(30)) http.streams = static_cast<unsigned>(1 + below(1000));
    if (chance(20)) http.stream_idle_timeout = chance(30) ? plan::Milliseconds(0) : time();
    const std::size_t routes = 1 + below(3);
    for (std::size_t i = 0; i < routes; ++i) http.routes.push_back(route(number));
    return http;
  }

  plan::TcpProxy relay(std::size_t number) {
    plan::TcpProxy made{cluster(number, false), {}, chance(20) ? static_cast<unsigned>(1 + below(5)) : 1U};
    made.tls_inspector = chance(10);
    if (!chance(50)) return made;
    plan::Tunnel tunnel;
    tunnel.target = authority();
    if (taste_.found_targets && chance(20)) tunnel.target = "@orig-dst";
    tunnel.post = chance(20);
    if (tunnel.post && chance(50)) tunnel.post_path = "/tunnel?a=1&b=2";
    if (chance(20)) tunnel.headers.push_back({"X-Trace", "a \"b\" <c>"});
    if (chance(10)) tunnel.headers.push_back({"Proxy-Authorization", "Basic c2VjcmV0"});
    made.tunnel = std::move(tunnel);
    return made;
  }

  plan::Route route(std::size_t number) {
    plan::Route made = route_without_times(number);
    const auto add_times = [&](auto& action) {
      if (chance(20)) action.timeout = time();
      if (chance(20)) action.idle_timeout = chance(30) ? plan::Milliseconds(0) : time();
    };
    if (auto* const forward = std::get_if<plan::Forward>(&made.action)) add_times(*forward);
    if (auto* const terminate = std::get_if<plan::Terminate>(&made.action)) add_times(*terminate);
    return made;
  }

  plan::Route route_without_times(std::size_t number) {
    plan::Route made;
    if (chance(40)) {
      made.match = {true, "/"};
      if (chance(80)) {
        made.action = plan::Terminate{cluster(number, true), chance(30)};
      } else {
        made.action = plan::Forward{cluster(number, false)};
      }
      return made;
    }
    if (chance(40)) made.match.prefix = one_of<std::string>({"/api", "/a/\"b\"<c>", "/static/"});
    if (chance(50)) {
      made.action = plan::Forward{cluster(number, false)};
    } else {
      made.action = chance(20) ? plan::Respond{204, ""} : plan::Respond{200, std::string(below(100), '%')};
    }
    return made;
  }

  // For the listener `number`: one it has not led to before, or one of another that comes later than it.
  std::string cluster(std::size_t number, bool by_request) {
    if (!owned_.empty() && chance(15)) {
      const auto& [index, least] = one_of(owned_);
      const bool fits = plan_.clusters[index].find == plan::Cluster::Find::fixed || by_request;
      if (least > number && fits) return plan_.clusters[index].name;
    }
    plan::Cluster made;
    made.name = name("to", plan_.clusters.size());
    made.place = plan_.listeners[number].place;
    if (chance(30)) made.connect_timeout = time();
    if (chance(20)) made.max_connections = static_cast<unsigned>(1 + below(1000));
    made.protocol = chance(50) ? plan::Http::h1 : plan::Http::h2;
    std::size_t least = plan_.listeners.size();  // the first listener it leads to
    if (by_request && chance(50)) {
      made.find = plan::Cluster::Find::request;
      for (std::size_t i = 0; i <= below(9); ++i) made.rules.push_back(rule());
    } else {
      const std::size_t endpoints = taste_.several_endpoints && chance(30) ? 2 + below(4) : 1;
      for (std::size_t i = 0; i < endpoints; ++i) {
        const plan::Endpoint drawn{endpoint(number, least)};  // one that is there already is no fault of the plan
        if (std::find(made.endpoints.begin(), made.endpoints.end(), drawn) == made.endpoints.end())
          made.endpoints.push_back(drawn);
      }
      if (made.endpoints.size() > 1)
        made.lb = one_of<plan::Lb>({plan::Lb::round_robin, plan::Lb::least, plan::Lb::first});
    }
    if (chance(30)) add_pool(made.pool);
    owned_.emplace_back(plan_.clusters.size(), least);
    plan_.clusters.push_back(std::move(made));
    return plan_.clusters.back().name;
  }

  plan::Address endpoint(std::size_t number, std::size_t& least) {
    std::vector<std::size_t> inside;
    for (std::size_t i = number + 1; i < plan_.listeners.size(); ++i) {
      if (std::holds_alternative<plan::Internal>(plan_.listeners[i].addresses.front())) inside.push_back(i);
    }
    if (!inside.empty() && chance(70)) {
      const std::size_t to = one_of(inside);
      least = std::min(least, to);
      return plan::Internal{plan_.listeners[to].name, chance(20) ? "blue/1" : ""};
    }
    if (taste_.unix_sockets && chance(20)) return plan::Unix{path(), 0600};
    // No port of ours: that would be a way back.
    return plan::Tcp{host(), static_cast<std::uint16_t>(1 + below(10'000))};
  }

  plan::Rule rule() {
    plan::Rule made;
    made.allow = chance(80);
    made.host = one_of<std::string>({"*", "*.example", "10.0.0.0/8", "2001:db8::/32", "127.0.0.1", "localhost", "db"});
    made.first_port = port();
    made.last_port = chance(60) ? made.first_port : static_cast<std::uint16_t>(65535);
    made.literal = made.last_port == 65535 && made.host.ends_with("/8");
    return made;
  }

  void add_pool(plan::Pool& pool) {
    if (chance(60)) pool.connections = static_cast<unsigned>(1 + below(16));
    if (chance(30)) pool.streams = static_cast<unsigned>(1 + below(500));
    if (chance(30)) pool.prewarm = static_cast<unsigned>(1 + below(pool.connections > 0 ? pool.connections : 4));
    if (chance(30)) pool.ping = chance(30) ? Milliseconds(0) : time();
    if (chance(30)) pool.idle = time();
    if (chance(30)) pool.window_bytes = std::size_t{65'536} << below(8);
  }

  void add_process() {
    plan::Process& process = plan_.process;
    if (chance(50)) process.workers = static_cast<unsigned>(1 + below(16));
    if (chance(30)) process.drain = time();
    if (chance(30)) process.log_format = plan::LogFormat::json;
    if (chance(20)) process.memory_bytes = std::uint64_t{1} << (20 + below(20));
    for (const plan::LimitKey& row : plan::limit_table()) {
      if (chance(10)) process.limits.push_back({std::string(row.key), row.min + below(row.max - row.min + 1)});
    }
  }

  std::mt19937_64 random_;
  const PlanTaste& taste_;
  plan::Plan plan_;
  std::vector<std::pair<std::size_t, std::size_t>> owned_;  // a cluster, and the first listener it leads to
};

}  // namespace

plan::Plan random_plan(std::uint64_t seed, const PlanTaste& taste) { return Maker(seed, taste).run(); }

}  // namespace tunnel::test
