// SPDX-License-Identifier: Apache-2.0
#include "envoy/route.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/letter_case.hpp"
#include "envoy/direct_response.hpp"
#include "envoy/route_match.hpp"
#include "plan/match.hpp"
#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::uint64_t kUsualBody = 4096;  // Envoy's
constexpr std::uint64_t kMostBody = 4294967295;

class RouteReader {
 public:
  RouteReader(Fields& fields, const Upgrade& upgrade, std::uint64_t most_body)
      : fields_(fields), upgrade_(upgrade), most_body_(most_body) {}

  plan::Route read(const std::vector<std::string>& domains) {
    plan::Route route;
    route.place = fields_.value().place();
    fields_.label("name");
    fields_.refuse({"redirect", "filter_action", "non_forwarding_action", "metadata", "decorator",
                    "typed_per_filter_config", "request_headers_to_add", "request_headers_to_remove",
                    "response_headers_to_add", "response_headers_to_remove", "tracing",
                    "per_request_buffer_limit_bytes", "stat_prefix"});
    if (const auto match = fields_.need("match")) route.match = read_match(*match);
    route.match.domains = domains;
    const auto action = fields_.find("route");
    const auto answer = fields_.find("direct_response");
    if (action.has_value() == answer.has_value()) {
      fields_.value().refuse("give one of route and direct_response");
    } else if (answer) {
      route.action = read_direct_response(*answer, most_body_);
    } else {
      read_message(*action, [&](Fields& fields) { read_action(fields, route); });
    }
    return route;
  }

 private:
  void read_action(Fields& fields, plan::Route& route) {
    fields.refuse({"weighted_clusters", "cluster_header", "cluster_specifier_plugin", "prefix_rewrite", "regex_rewrite",
                   "host_rewrite_literal", "auto_host_rewrite", "host_rewrite_header", "retry_policy", "hash_policy",
                   "max_stream_duration", "request_mirror_policies", "cors", "rate_limits", "metadata_match",
                   "priority", "early_data_policy", "internal_redirect_policy"});
    const auto cluster = fields.need("cluster");
    const std::string name = cluster ? cluster->text().value_or("") : "";
    plan::Milliseconds timeout = fields.value().document().defaults().route_timeout;
    std::optional<plan::Milliseconds> idle;
    if (const auto value = fields.find("timeout")) timeout = value->duration().value_or(timeout);
    if (const auto value = fields.find("idle_timeout")) idle = value->duration();
    const auto upgrades = fields.find("upgrade_configs");
    const Upgrade own = upgrades ? read_upgrades(*upgrades, true) : Upgrade{};
    judge_upgrade(fields.value(), route.match, own);
    if (own.terminated)
      route.action = plan::Terminate{name, own.post, timeout, idle};
    else
      route.action = plan::Forward{name, timeout, idle};
  }

  void judge_upgrade(const Value& value, const plan::Match& match, const Upgrade& own) const {
    if (match.connect && !own.enabled.value_or(upgrade_.enabled.value_or(false)))
      value.refuse(
          "a CONNECT has a route here, but nothing allows it, so that each would be refused; add upgrade_configs with "
          "upgrade_type: CONNECT");
    if (match.connect && own.post)
      value.refuse(
          "connect_matcher matches no POST, so allow_post would do nothing; add a route that matches :method POST");
    if (!own.terminated || match.connect) return;
    if (match.method != "POST")
      value.refuse("only a CONNECT can end here, or a POST: match connect_matcher: {}, or :method POST");
    else if (!own.post)
      value.refuse("a POST ends here only with allow_post: true");
  }

  Fields& fields_;
  const Upgrade& upgrade_;
  std::uint64_t most_body_;
};

class RouteConfigReader {
 public:
  RouteConfigReader(Fields& fields, const Upgrade& upgrade, plan::HttpProxy& proxy)
      : fields_(fields), upgrade_(upgrade), proxy_(proxy) {}

  void read() {
    fields_.label("name");
    fields_.refuse({"vhds", "internal_only_headers", "response_headers_to_add", "response_headers_to_remove",
                    "request_headers_to_add", "request_headers_to_remove", "validate_clusters",
                    "typed_per_filter_config", "request_mirror_policies", "most_specific_header_mutations_wins",
                    "ignore_port_in_host_matching"});
    if (const auto most = fields_.find("max_direct_response_body_size_bytes"))
      most_body_ = most->number(0, kMostBody).value_or(kUsualBody);
    const auto hosts = fields_.need("virtual_hosts");
    if (!hosts) return;
    read_messages(*hosts, [&](Fields& host) { read_host(host); });
    join_posts();
  }

 private:
  void read_host(Fields& fields) {
    fields.refuse({"require_tls", "virtual_clusters", "rate_limits", "request_headers_to_add",
                   "request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove", "cors",
                   "typed_per_filter_config", "retry_policy", "hedge_policy", "matcher", "metadata",
                   "include_request_attempt_count", "include_attempt_count_in_response"});
    if (const auto name = fields.need("name"))
      if (const auto text = name->text(); text && !names_.insert(*text).second)
        name->refuse("a second virtual host is called " + plan::in_quotes(*text));
    const std::vector<std::string> domains = read_domains(fields);
    const auto routes = fields.need("routes");
    if (!routes) return;
    const std::vector<Value> all = routes->items();
    if (all.empty()) routes->refuse("a route is missing, so nothing could be answered");
    for (const Value& value : all)
      read_message(value, [&](Fields& route) {
        proxy_.routes.push_back(RouteReader(route, upgrade_, most_body_).read(domains));
      });
  }

  // In lower case; empty for "*" alone.
  std::vector<std::string> read_domains(Fields& fields) {
    std::vector<std::string> domains;
    const auto value = fields.need("domains");
    if (!value) return domains;
    const std::vector<Value> all = value->items();
    if (all.empty()) value->refuse("a domain is missing; write \"*\" for any");
    for (const Value& one : all) {
      const auto text = one.text();
      if (!text) continue;
      std::string domain = to_lower(*text);
      if (const std::string fault = plan::domain_fault(domain); !fault.empty()) one.refuse(fault);
      if (!domains_.insert(domain).second) one.refuse("the domain " + plan::in_quotes(domain) + " is given twice");
      domains.push_back(std::move(domain));
    }
    if (domains == std::vector<std::string>{"*"}) domains.clear();
    return domains;
  }

  // A CONNECT and a POST that end alike, one behind the other, are what a Plan has as one route.
  void join_posts() {
    const auto joined = [](plan::Route& route, const plan::Route& next) {
      auto* const connect = std::get_if<plan::Terminate>(&route.action);
      const auto* const post = std::get_if<plan::Terminate>(&next.action);
      if (connect == nullptr || post == nullptr || !route.match.connect) return false;
      plan::Terminate ended = *connect;
      ended.post = true;
      if (ended != *post) return false;
      plan::Match twin = route.match;
      twin.connect = false;
      twin.method = "POST";
      if (twin != next.match) return false;
      connect->post = true;
      return true;
    };
    std::vector<plan::Route> routes;
    for (plan::Route& route : proxy_.routes)
      if (routes.empty() || !joined(routes.back(), route)) routes.push_back(std::move(route));
    proxy_.routes = std::move(routes);
  }

  Fields& fields_;
  const Upgrade& upgrade_;
  plan::HttpProxy& proxy_;
  std::uint64_t most_body_ = kUsualBody;
  std::set<std::string> names_;
  std::set<std::string> domains_;
};

}  // namespace

void read_route_config(const Value& value, const Upgrade& upgrade, plan::HttpProxy& proxy) {
  read_message(value, [&](Fields& fields) { RouteConfigReader(fields, upgrade, proxy).read(); });
}

}  // namespace tunnel::envoy
