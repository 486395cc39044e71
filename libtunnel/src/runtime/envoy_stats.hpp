// SPDX-License-Identifier: Apache-2.0
// What a process counts, under the names it has in Envoy (version 1.40). What Envoy counts and this program does not
// has no name here: a 0 that may be wrong is worse than none. The table of names and sources is envoy_stats.cpp.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/figures.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

struct EnvoyStat {
  using Labels = std::vector<std::pair<std::string_view, std::string>>;
  enum class Kind : std::uint8_t { counter, gauge };
  std::string name;  // "cluster.c0.upstream_cx_total"
  Kind kind = Kind::counter;
  std::uint64_t value = 0;
  bool used = false;   // something happened that it tells of
  std::string family;  // as Envoy calls it for Prometheus: "envoy_cluster_upstream_cx_total"
  Labels labels;       // and the rest of its name: envoy_cluster_name="c0"
};

// The state of the process beside what is counted.
struct EnvoyState {
  bool live = true;       // false: DRAINING
  bool listening = true;  // false: the listeners' sockets are closed
  std::uint64_t resident_bytes = 0;
  std::chrono::seconds uptime{};
};

// Listeners that share a stat_prefix are added up, as Envoy does. Sorted by name.
std::vector<EnvoyStat> envoy_stats(const plan::Plan& plan, const Figures& figures, const EnvoyState& state);

// The part of a name that stands for a listener: "127.0.0.1_9999", "envoy_internal_encap".
std::string envoy_listener_key(const plan::Listener& listener);

}  // namespace tunnel::runtime
