// SPDX-License-Identifier: Apache-2.0
#include "envoy/export.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <variant>

#include "envoy/export_parts.hpp"
#include "envoy/spelt_out.hpp"
#include "plan/limit_table.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::size_t kKibibyte = 1024;

class Exporter {
 public:
  Exporter(const plan::Plan& plan, bool lossy) : plan_(spelt_out(plan)), report_(lossy), writing_{yaml_, report_} {}

  Exported run() {
    note_process(plan_.process);
    write_admin(plan_.process.admin);
    write_extension();
    yaml_.map("static_resources", [&] {
      yaml_.list("listeners", [&] {
        for (const plan::Listener& listener : plan_.listeners) write_listener(writing_, listener);
      });
      if (!plan_.clusters.empty()) yaml_.list("clusters", [&] { write_clusters(); });
    });
    if (!report_.problems.empty()) return {"", std::move(report_.problems)};
    return {head() + yaml_.take(), {}, std::move(report_.losses)};
  }

 private:
  void note_process(const plan::Process& process) {
    const plan::Process initial;
    const auto note = [&](bool given, const ExportRow& row, const std::string& what) {
      if (given) report_.note(row, {}, what);
    };
    note(process.workers != initial.workers, row("process.workers"), "--workers " + std::to_string(process.workers));
    note(process.drain != initial.drain, row("process.drain"),
         "--drain " + std::to_string(process.drain.count()) + "ms");
    note(process.log_format != initial.log_format, row("process.log_format"), "--log-format");
    note(process.verbosity != initial.verbosity, row("process.verbosity"), process.verbosity < 0 ? "-q" : "-v");
    for (const plan::Limit& limit : process.limits)
      note(true, row("process.limits"), "--limit " + limit.key + "=" + std::to_string(limit.value));
    note(process.memory_bytes != initial.memory_bytes, row("process.memory_bytes"),
         "--mem-limit " + std::to_string(process.memory_bytes));
    note(process.stats, row("process.stats"), "--stats");
    note(process.force_pairs, row("process.force_pairs"), "--force-pairs");
  }

  void write_admin(const std::optional<plan::Address>& admin) {
    if (!admin) return;
    plan::Address address = *admin;
    if (auto* const tcp = std::get_if<plan::Tcp>(&address); tcp != nullptr && tcp->host.empty()) {
      report_.note(row("process.admin", "a bare port"), {}, "--admin " + std::to_string(tcp->port));
      tcp->host = "127.0.0.1";
    }
    yaml_.map("admin", [&] { write_address(writing_, address, true, {}, "--admin"); });
  }

  // Internal listeners are an extension of Envoy's, with one buffer size for all of them.
  void write_extension() {
    std::set<std::size_t> sizes;
    for (const plan::Listener& listener : plan_.listeners) {
      if (!std::holds_alternative<plan::Internal>(listener.addresses.front())) continue;
      sizes.insert(listener.buffer_bytes);
      if (sizes.size() > 1 || listener.buffer_bytes % kKibibyte != 0)
        report_.note(row("listener.buffer_bytes", "several sizes, or a part of a KiB"), listener.place,
                     "listener " + listener.name + ", buffer " + std::to_string(listener.buffer_bytes) + " bytes");
    }
    if (sizes.empty()) return;
    yaml_.list("bootstrap_extensions", [&] {
      yaml_.item([&] {
        yaml_.typed("envoy.bootstrap.internal_listener",
                    "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
                    [&] { yaml_.number("buffer_size_kb", (*sizes.rbegin() + kKibibyte - 1) / kKibibyte); });
      });
    });
  }

  void write_clusters() {
    const std::set<std::string> http = spoken_to(plan_);
    const plan::Milliseconds ping_wait = plan::limits_of(plan_.process).pool_ping_wait;
    for (const plan::Cluster& cluster : plan_.clusters)
      write_cluster(writing_, cluster, http.contains(cluster.name), ping_wait);
  }

  std::string head() const {
    std::string text = "# For Envoy 1.40. Check it: envoy --mode validate -c FILE\n";
    if (!report_.losses.empty()) text += "# Lost:\n";
    for (const std::string& loss : report_.losses) text += "# - " + loss + "\n";
    return text;
  }

  plan::Plan plan_;
  Yaml yaml_;
  Report report_;
  Writing writing_;
};

}  // namespace

Exported export_plan(const plan::Plan& plan, bool lossy) { return Exporter(plan, lossy).run(); }

}  // namespace tunnel::envoy
