// SPDX-License-Identifier: Apache-2.0
// The paths of Envoy's admin server.
#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "runtime/admin_query.hpp"
#include "runtime/admin_site.hpp"
#include "runtime/config_dump.hpp"
#include "runtime/envoy_stats_text.hpp"
#include "runtime/envoy_views.hpp"
#include "runtime/metrics.hpp"
#include "runtime/process_facts.hpp"

namespace tunnel::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct LevelName {
  std::string_view name;
  log::Level level;
};
constexpr auto kLevels = std::to_array<LevelName>({{"trace", log::Level::trace},
                                                   {"debug", log::Level::debug},
                                                   {"info", log::Level::info},
                                                   {"warning", log::Level::warning},
                                                   {"error", log::Level::error}});

std::string_view level_name() {
  const auto found =
      std::find_if(kLevels.begin(), kLevels.end(), [](const LevelName& one) { return one.level == log::level(); });
  return found == kLevels.end() ? "" : found->name;
}

AdminResponse usage(std::string text) { return admin_text(400, std::move(text)); }

// The filter asked for, or what is wrong with it.
Result<NameFilter> filter_of(const AdminQuery& query) {
  const std::optional<std::string> expression = query.value("filter");
  if (!expression) return NameFilter();
  return NameFilter::of(*expression);
}

std::string loggers() { return "active loggers:\n  tunnel: " + std::string(level_name()); }

}  // namespace

void AdminSite::help(const AdminRequest& /*request*/, const AdminReply& reply) { reply(admin_text(200, admin_help())); }

seconds AdminSite::uptime(const Figures& figures) const {
  return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now() - figures.started);
}

std::vector<EnvoyStat> AdminSite::stats_of(const Figures& figures, const NameFilter& filter, bool used_only) const {
  const EnvoyState state{live(), source_.listening(), process_facts().resident_bytes, uptime(figures)};
  std::vector<EnvoyStat> stats = envoy_stats(source_.plan(), figures, state);
  std::erase_if(stats, [&](const EnvoyStat& stat) { return (used_only && !stat.used) || !filter.passes(stat.name); });
  return stats;
}

void AdminSite::stats(const AdminRequest& request, const AdminReply& reply) {
  const AdminQuery query(request.query);
  const std::string format = query.value("format").value_or("text");
  if (format == "prometheus") return prometheus(request, reply);
  if (format != "text" && format != "json") return reply(usage("usage: /stats?format=(json|prometheus|text)"));
  const Result<NameFilter> filter = filter_of(query);
  if (!filter.ok()) return reply(usage(std::string(filter.error().text())));
  const std::vector<EnvoyStat> all = stats_of(source_.figures(), *filter, query.has("usedonly"));
  if (format == "json") return reply(admin_typed(kAdminJson, stats_as_json(all)));
  reply(admin_typed(AdminResponse().type, stats_as_text(all)));
}

void AdminSite::prometheus(const AdminRequest& request, const AdminReply& reply) {
  const AdminQuery query(request.query);
  const Result<NameFilter> filter = filter_of(query);
  if (!filter.ok()) return reply(usage(std::string(filter.error().text())));
  reply(admin_typed(kMetricsType, stats_as_prometheus(stats_of(source_.figures(), *filter, query.has("usedonly")))));
}

void AdminSite::listeners(const AdminRequest& request, const AdminReply& reply) {
  const std::string format = AdminQuery(request.query).value("format").value_or("text");
  const BoundAddresses bound = [this](const std::string& name) { return source_.addresses(name); };
  if (format == "json") return reply(admin_typed(kAdminJson, listeners_as_json(source_.plan(), bound)));
  if (format != "text") return reply(usage("usage: /listeners?format=(json|text)"));
  reply(admin_typed(AdminResponse().type, listeners_as_text(source_.plan(), bound)));
}

void AdminSite::clusters(const AdminRequest& request, const AdminReply& reply) {
  const AdminQuery query(request.query);
  const std::string format = query.value("format").value_or("text");
  if (format != "text" && format != "json") return reply(usage("usage: /clusters?format=(json|text)"));
  const Result<NameFilter> filter = filter_of(query);
  if (!filter.ok()) return reply(usage(std::string(filter.error().text())));
  const Figures figures = source_.figures();
  if (format == "json") return reply(admin_typed(kAdminJson, clusters_as_json(source_.plan(), figures, *filter)));
  reply(admin_typed(AdminResponse().type, clusters_as_text(source_.plan(), figures, *filter)));
}

void AdminSite::config_dump(const AdminRequest& /*request*/, const AdminReply& reply) {
  reply(admin_typed(kAdminJson, config_dump_json(source_.plan(), source_.figures().started)));
}

void AdminSite::server_info(const AdminRequest& /*request*/, const AdminReply& reply) {
  const Figures figures = source_.figures();
  const ServerFacts facts{TUNNEL_VERSION, live(), uptime(figures), figures.workers(), source_.plan().process.drain,
                          level_name()};
  reply(admin_typed(kAdminJson, server_info_json(facts)));
}

void AdminSite::drain_listeners(const AdminRequest& request, const AdminReply& reply) {
  if (!source_.may_drain()) return reply(admin_text(501, "the program around this does not let it be drained"));
  const AdminQuery query(request.query);
  const bool graceful = query.has("graceful");
  const bool goes_on = query.has("skip_exit");
  const milliseconds after = graceful ? source_.plan().process.drain : milliseconds::zero();
  source_.stop_listening(goes_on ? std::nullopt : std::optional(after), graceful || goes_on);
  reply(admin_text(200, "OK"));
}

void AdminSite::fail_healthcheck(const AdminRequest& /*request*/, const AdminReply& reply) {
  failing_ = true;
  reply(admin_text(200, "OK"));
}

void AdminSite::pass_healthcheck(const AdminRequest& /*request*/, const AdminReply& reply) {
  failing_ = false;
  reply(admin_text(200, "OK"));
}

void AdminSite::logging(const AdminRequest& request, const AdminReply& reply) {
  const AdminQuery query(request.query);
  const std::optional<std::string> wanted = query.has("level") ? query.value("level") : query.value("tunnel");
  if (wanted && !wanted->empty()) {
    const auto found =
        std::find_if(kLevels.begin(), kLevels.end(), [&](const LevelName& one) { return one.name == *wanted; });
    if (found == kLevels.end())
      return reply(
          usage("error: unknown logger level\n\nusage: /logging?level=<level>\n"
                "levels: trace debug info warning error\n" +
                loggers()));
    log::set_level(found->level);
  }
  reply(admin_text(200, loggers()));
}

void AdminSite::quit(const AdminRequest& /*request*/, const AdminReply& reply) {
  if (!source_.may_drain()) return reply(admin_text(501, "the program around this does not let it be ended"));
  AdminResponse response = admin_text(200, "OK");
  response.then = [this] { source_.quit(); };
  reply(std::move(response));
}

}  // namespace tunnel::runtime
