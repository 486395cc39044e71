// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_site.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "runtime/admin_guard.hpp"
#include "runtime/admin_query.hpp"
#include "runtime/metrics.hpp"
#include "runtime/page.hpp"
#include "runtime/process_facts.hpp"
#include "runtime/state_json.hpp"
#include "runtime/topology_json.hpp"

namespace tunnel::runtime {
namespace {

constexpr std::size_t kMostRows = 500;
// Only what this server serves, and nobody may put it in a frame of theirs.
constexpr std::string_view kPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return name.ends_with(".js") ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8";
}

// In Envoy's words.
AdminResponse not_allowed(const AdminRequest& request) {
  std::string allowed;
  for (const AdminSite::Route& route : AdminSite::routes())
    if (route.path == request.path) allowed = route.method;
  if (allowed.empty()) return admin_text(404, "invalid path. " + admin_help());
  AdminResponse response =
      admin_text(405, "Method " + log::escape(request.method, 32) + " not allowed, " + allowed + " required.");
  response.fields.emplace_back("Allow", allowed == "GET" ? "GET, HEAD" : allowed);
  return response;
}

// A parameter nobody looks at would be one that somebody takes for granted.
std::optional<AdminResponse> refuse_query(const AdminSite::Route& route, const AdminRequest& request) {
  if (!route.strict && route.parameters.empty()) return std::nullopt;
  std::string known;
  for (const AdminSite::Parameter& one : route.parameters) known += (known.empty() ? "" : ", ") + std::string(one.name);
  const AdminQuery query(request.query);
  for (const auto& [name, value] : query.all()) {
    const bool is_known = std::any_of(route.parameters.begin(), route.parameters.end(),
                                      [&](const AdminSite::Parameter& one) { return one.name == name; });
    if (is_known) continue;
    return admin_text(
        400, "unknown parameter " + log::escape(name, 64) + "; this path takes " + (known.empty() ? "none" : known));
  }
  return std::nullopt;
}

constexpr AdminSite::Parameter kFilter{"filter", "a regular expression (RE2) that a name must match"};
constexpr AdminSite::Parameter kUsedOnly{"usedonly", "only what was counted or moved since the start"};
constexpr AdminSite::Parameter kFormat{"format", "one of text, json"};
constexpr auto kStats =
    std::to_array<AdminSite::Parameter>({kUsedOnly, kFilter, {"format", "one of text, json, prometheus"}});
constexpr auto kPrometheus = std::to_array<AdminSite::Parameter>({kUsedOnly, kFilter});
constexpr auto kListeners = std::to_array<AdminSite::Parameter>({kFormat});
constexpr auto kClusters = std::to_array<AdminSite::Parameter>({kFilter, kFormat});
constexpr auto kDrainListeners = std::to_array<AdminSite::Parameter>({
    {"graceful", "clients are asked to finish now, and listeners close after the drain time"},
    {"skip_exit", "clients are asked to finish, and listeners go on"},
});
constexpr auto kLogging = std::to_array<AdminSite::Parameter>({
    {"level", "one of trace, debug, info, warning, error"},
    {"tunnel", "the same, by the name of the only logger"},
});

}  // namespace

AdminResponse admin_typed(std::string_view type, std::string body) {
  AdminResponse response;
  response.type = type;
  response.body = std::move(body);
  return response;
}

std::string admin_help() {
  std::vector<const AdminSite::Route*> sorted;
  for (const AdminSite::Route& route : AdminSite::routes()) sorted.push_back(&route);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->path < b->path; });
  std::string text = "admin commands are:";
  for (const AdminSite::Route* route : sorted) {
    fmt::format_to(std::back_inserter(text), "\n  {}{}: {}", route->path, route->method == "POST" ? " (POST)" : "",
                   route->help);
    for (const AdminSite::Parameter& one : route->parameters)
      fmt::format_to(std::back_inserter(text), "\n      {}: {}", one.name, one.help);
  }
  return text;
}

std::span<const AdminSite::Route> AdminSite::routes() {
  static constexpr auto kRoutes = std::to_array<Route>({
      {"GET", "/", "the live page", &AdminSite::page_file},
      {"GET", "/page.css", "its style", &AdminSite::page_file},
      {"GET", "/page.js", "its script", &AdminSite::page_file},
      {"GET", "/topology.json", "what runs, as the page draws it", &AdminSite::topology},
      {"GET", "/state.json", "the figures of now and what is under way", &AdminSite::state},
      {"GET", "/ready", "LIVE, or DRAINING with 503 once a drain has begun or /healthcheck/fail was asked for",
       &AdminSite::ready},
      {"GET", "/live", "200", &AdminSite::alive},
      {"GET", "/metrics", "all counters and gauges, for Prometheus", &AdminSite::metrics},
      {"POST", "/drain", "begins a drain, as SIGTERM does", &AdminSite::drain},
      {"GET", "/help", "these lines", &AdminSite::help, {}, true},
      {"GET", "/stats", "statistics under Envoy's names", &AdminSite::stats, kStats, true},
      {"GET", "/stats/prometheus", "the same for Prometheus", &AdminSite::prometheus, kPrometheus, true},
      {"GET", "/listeners", "listeners and their addresses", &AdminSite::listeners, kListeners, true},
      {"GET", "/clusters", "clusters and their endpoints", &AdminSite::clusters, kClusters, true},
      {"GET", "/config_dump", "what runs, as an Envoy configuration", &AdminSite::config_dump, {}, true},
      {"GET", "/server_info", "version and state", &AdminSite::server_info, {}, true},
      {"POST", "/drain_listeners", "closes the listeners; what is connected goes on", &AdminSite::drain_listeners,
       kDrainListeners, true},
      {"POST", "/healthcheck/fail", "makes /ready say DRAINING", &AdminSite::fail_healthcheck, {}, true},
      {"POST", "/healthcheck/ok", "ends that", &AdminSite::pass_healthcheck, {}, true},
      {"POST", "/logging", "tells, or changes, what the log has", &AdminSite::logging, kLogging, true},
      {"POST", "/quitquitquit", "ends the process at once", &AdminSite::quit, {}, true},
  });
  return kRoutes;
}

AdminResponse AdminSite::with_safe_fields(AdminResponse response) {
  response.fields.emplace_back("Cache-Control", "no-store");
  response.fields.emplace_back("Content-Security-Policy", kPolicy);
  response.fields.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  response.fields.emplace_back("Referrer-Policy", "no-referrer");
  response.fields.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

void AdminSite::serve(const AdminRequest& request, const AdminReply& reply) {
  const auto answer = [&reply](AdminResponse response) { reply(with_safe_fields(std::move(response))); };
  if (auto refusal = refuse_host(request)) return answer(std::move(*refusal));
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  const auto all = routes();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Route& route) { return route.method == method && route.path == request.path; });
  if (found == all.end()) return answer(not_allowed(request));
  if (found->method != "GET")
    if (auto refusal = refuse_origin(request)) return answer(std::move(*refusal));
  if (auto refusal = refuse_query(*found, request)) return answer(std::move(*refusal));
  (this->*found->serve)(request, [reply](AdminResponse response) { reply(with_safe_fields(std::move(response))); });
}

void AdminSite::page_file(const AdminRequest& request, const AdminReply& reply) {
  const std::string_view name = request.path == "/" ? "page.html" : std::string_view(request.path).substr(1);
  const auto files = page_files();
  const auto found = std::find_if(files.begin(), files.end(), [&](const PageFile& file) { return file.name == name; });
  if (found == files.end()) return reply(admin_text(404, "this build has no such file"));
  reply(admin_typed(type_of(name), std::string(found->bytes)));
}

void AdminSite::topology(const AdminRequest& /*request*/, const AdminReply& reply) {
  reply(admin_typed(kAdminJson, topology_json(source_.plan())));
}

void AdminSite::state(const AdminRequest& /*request*/, const AdminReply& reply) {
  listing_.ask(kMostRows, [this, reply](const Tunnels& tunnels) {
    reply(admin_typed(kAdminJson, state_json(source_.figures(), tunnels, kMostRows, draining())));
  });
}

// Workers start with every listener bound, and this server after them.
void AdminSite::ready(const AdminRequest& /*request*/, const AdminReply& reply) {
  reply(live() ? admin_text(200, "LIVE") : admin_text(503, "DRAINING"));
}

void AdminSite::alive(const AdminRequest& /*request*/, const AdminReply& reply) { reply(admin_text(200, "live")); }

void AdminSite::metrics(const AdminRequest& /*request*/, const AdminReply& reply) {
  reply(admin_typed(kMetricsType, metrics_text(source_.figures(), process_facts(), draining())));
}

void AdminSite::drain(const AdminRequest& /*request*/, const AdminReply& reply) {
  if (!source_.may_drain()) return reply(admin_text(501, "the program around this does not let it be drained"));
  AdminResponse response = admin_text(202, "draining");
  drain_asked_ = true;
  // Without a connection left the process would end before it had answered.
  response.then = [this] { source_.drain(); };
  reply(std::move(response));
}

}  // namespace tunnel::runtime
