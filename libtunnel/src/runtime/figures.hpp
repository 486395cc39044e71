// SPDX-License-Identifier: Apache-2.0
// Every number a serving process keeps of itself, to be read at any time by any thread: the workers' own blocks, not
// copies.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/counters.hpp"
#include "proxy/plan_stats.hpp"

namespace tunnel::runtime {

struct Figures {
  std::vector<const Counters*> counters;       // one a worker; these two outlive whoever reads
  std::vector<const proxy::PlanStats*> stats;  // one a worker, all of one shape
  std::uint64_t access_log_lost = 0;
  std::uint64_t log_lost = 0;
  std::chrono::system_clock::time_point started;

  std::size_t workers() const { return counters.size(); }
  std::uint64_t value(Counter counter) const;
  std::uint64_t value(Gauge gauge) const;
};

// One listener, one of its edges or one cluster, summed over the workers.
struct Sum {
  std::uint64_t begun = 0;
  std::uint64_t active = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::array<std::uint64_t, proxy::kErrorKinds> errors{};
  std::uint64_t client_errors = 0;
  std::array<std::uint64_t, 6> answered{};  // as EdgeStats::answered

  void add(const proxy::EdgeStats& edge);
  void add(const Sum& other);
  std::uint64_t all_errors() const;
};

struct EdgeSum {
  std::string cluster;  // empty: what the listener answers or refuses by itself
  Sum sum;
};

// As proxy::HttpStats.
struct HttpSum {
  struct Span {
    std::uint64_t begun = 0;
    std::uint64_t open = 0;
    void add(const proxy::Span& of);
  };
  Span h1;
  Span h2;
  Span tunnels;
  std::uint64_t h1_begun = 0;
  std::uint64_t h2_begun = 0;
  std::uint64_t routed = 0;
  std::uint64_t unrouted = 0;
  std::uint64_t responded = 0;

  void add(const proxy::HttpStats& worker);
  void add(const HttpSum& other);
};

struct ListenerSum {
  std::string name;
  std::uint64_t begun = 0;  // connections
  std::uint64_t active = 0;
  std::uint64_t over_own_limit = 0;
  std::uint64_t over_process_limit = 0;
  HttpSum http{};
  Sum sum{};  // of the edges: connections, tunnels and requests
  std::vector<EdgeSum> edges{};
};

// One of several endpoints.
struct EndpointSum {
  std::string name;
  std::uint64_t tries = 0;
  std::uint64_t failures = 0;
  std::uint64_t aside = 0;  // workers that leave it out
};

struct ClusterSum {
  std::string name;
  Sum sum{};
  bool pooled = false;
  std::uint64_t pool_connections = 0;
  std::uint64_t pool_exchanges = 0;        // on them
  std::uint64_t pool_exchanges_begun = 0;  // ever
  std::uint64_t connects = 0;              // as of proxy::ClusterStats
  std::uint64_t connect_failures = 0;
  std::uint64_t connect_timeouts = 0;
  std::vector<EndpointSum> endpoints{};  // none of a cluster that has no choice
};

// In the order of the plan.
std::vector<ListenerSum> listener_sums(const Figures& figures);
// Every cluster a listener leads to, once, in the order they first appear.
std::vector<ClusterSum> cluster_sums(const Figures& figures, const std::vector<ListenerSum>& listeners);
// That of the cluster called `name`; of one that nothing leads to, nothing.
ClusterSum sum_of(const std::string& name, const std::vector<ClusterSum>& sums);

}  // namespace tunnel::runtime
