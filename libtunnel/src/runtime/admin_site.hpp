// SPDX-License-Identifier: Apache-2.0
// What the admin server serves: one table of paths and methods, and what every answer has in common. Knows no socket.
#pragma once
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/admin_listing.hpp"
#include "runtime/admin_message.hpp"
#include "runtime/admin_source.hpp"
#include "runtime/envoy_stats.hpp"
#include "runtime/name_filter.hpp"

namespace tunnel::runtime {

// "admin commands are:" and a line for each path and each parameter, as Envoy lists its own.
std::string admin_help();
AdminResponse admin_typed(std::string_view type, std::string body);
inline constexpr std::string_view kAdminJson = "application/json";

class AdminSite {
 public:
  struct Parameter {
    std::string_view name;
    std::string_view help;
  };
  struct Route {
    std::string_view method;  // "GET" serves HEAD too, without the body; what changes something is "POST"
    std::string_view path;    // exact
    std::string_view help;
    void (AdminSite::*serve)(const AdminRequest& request, const AdminReply& reply);
    // Of the query. Where there are some, or the path is one of Envoy's (`strict`), any other is refused.
    std::span<const Parameter> parameters{};
    bool strict = false;
  };
  static std::span<const Route> routes();

  AdminSite(AdminSource& source, AdminListing& listing) : source_(source), listing_(listing) {}
  // Judges the request and answers it, at once or later.
  void serve(const AdminRequest& request, const AdminReply& reply);
  // What the server answers by itself, about a request it could not read, is made safe by this.
  static AdminResponse with_safe_fields(AdminResponse response);

 private:
  void page_file(const AdminRequest& request, const AdminReply& reply);
  void topology(const AdminRequest& request, const AdminReply& reply);
  void state(const AdminRequest& request, const AdminReply& reply);
  void ready(const AdminRequest& request, const AdminReply& reply);
  void alive(const AdminRequest& request, const AdminReply& reply);
  void metrics(const AdminRequest& request, const AdminReply& reply);
  void drain(const AdminRequest& request, const AdminReply& reply);
  // Envoy's paths: admin_envoy.cpp.
  void help(const AdminRequest& request, const AdminReply& reply);
  void stats(const AdminRequest& request, const AdminReply& reply);
  void prometheus(const AdminRequest& request, const AdminReply& reply);
  void listeners(const AdminRequest& request, const AdminReply& reply);
  void clusters(const AdminRequest& request, const AdminReply& reply);
  void config_dump(const AdminRequest& request, const AdminReply& reply);
  void server_info(const AdminRequest& request, const AdminReply& reply);
  void drain_listeners(const AdminRequest& request, const AdminReply& reply);
  void fail_healthcheck(const AdminRequest& request, const AdminReply& reply);
  void pass_healthcheck(const AdminRequest& request, const AdminReply& reply);
  void logging(const AdminRequest& request, const AdminReply& reply);
  void quit(const AdminRequest& request, const AdminReply& reply);
  std::vector<EnvoyStat> stats_of(const Figures& figures, const NameFilter& filter, bool used_only) const;
  std::chrono::seconds uptime(const Figures& figures) const;

  bool live() const { return !draining() && !failing_; }
  bool draining() const { return drain_asked_ || source_.draining(); }

  AdminSource& source_;
  AdminListing& listing_;
  bool drain_asked_ = false;
  bool failing_ = false;  // by /healthcheck/fail
};

}  // namespace tunnel::runtime
