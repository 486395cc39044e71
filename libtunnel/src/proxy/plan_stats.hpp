// SPDX-License-Identifier: Apache-2.0
// What one worker counts of a plan: a block a listener, one for each way on from it, and one a cluster. Written by that
// worker only; any other thread may read and sum. Its shape is fixed once made.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "base/counters.hpp"
#include "http/pool_stats.hpp"
#include "stream/flow.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::proxy {

inline constexpr std::size_t kErrorKinds = static_cast<std::size_t>(Error::Kind::cancelled) + 1;

// From a listener to a cluster. One with no cluster stands for what the listener answers or refuses by itself.
struct alignas(64) EdgeStats {
  explicit EdgeStats(std::string to) : cluster(std::move(to)) {}
  std::string cluster;
  Traffic traffic;
  Cell begun;  // connections, tunnels and requests: what has a line in the access log
  Cell ended;
  std::array<Cell, kErrorKinds> errors;  // of those that ended, by kind, if we or the far side failed
  Cell client_errors;                    // if the client did: it reset, broke the protocol, went away
  // Requests that were answered, by the first digit of the status.
  std::array<Cell, 6> answered;

  std::uint64_t active() const;
  void end(const Error& error);
};

// What begins and ends, and is open between.
struct Span {
  Cell begun;
  Cell ended;

  std::uint64_t open() const;
};

// Open in a span, if there is one, while it lives.
class SpanGuard {
 public:
  explicit SpanGuard(Span* span) : span_(span) {
    if (span_ != nullptr) span_->begun.add(1);
  }
  SpanGuard(const SpanGuard&) = delete;
  SpanGuard& operator=(const SpanGuard&) = delete;
  ~SpanGuard() {
    if (span_ != nullptr) span_->ended.add(1);
  }

 private:
  Span* span_;
};

// What an http_proxy counts beside.
struct HttpStats {
  Span h1;  // connections, by version
  Span h2;
  Span tunnels;   // CONNECTs that have a route
  Cell h1_begun;  // requests, by version
  Cell h2_begun;
  Cell routed;     // requests a route was looked for
  Cell unrouted;   // and not found
  Cell responded;  // answered by the route itself
};

// Connections to a listener, whatever is asked on them.
struct alignas(64) ListenerStats {
  explicit ListenerStats(const plan::Listener& listener);
  // To `cluster`, one of those the listener's handler names; "" is none.
  EdgeStats& edge(std::string_view cluster);

  std::string name;
  Cell begun;
  Cell ended;
  Cell over_own_limit;      // refused for max_connections
  Cell over_process_limit;  // refused for the limit conns
  HttpStats http;
  std::deque<EdgeStats> edges;  // the one without a cluster first

  std::uint64_t active() const;
};

// One endpoint of a cluster. Where there is only one nothing is counted: it is never passed over.
struct EndpointStats {
  explicit EndpointStats(std::string address) : name(std::move(address)) {}
  std::string name;
  Cell tries;
  Cell failures;  // that were its own
  Cell aside;     // 1 while it is set aside, else 0
};

// What a cluster keeps between connections.
struct alignas(64) ClusterStats {
  explicit ClusterStats(const plan::Cluster& cluster);
  std::string name;
  bool pooled = false;  // HTTP is spoken to it, over connections that are kept
  http::PoolStats pool;
  Cell no_metadata;       // passthroughs of a connect to an internal listener that found nothing to pass on
  Cell connects;          // to an endpoint; to a name with several addresses: one
  Cell connect_failures;  // of these
  Cell connect_timeouts;  // of the failures
  std::deque<EndpointStats> endpoints;  // in the order of the plan
};

class PlanStats {
 public:
  explicit PlanStats(const plan::Plan& plan);
  // In the order of Plan::listeners.
  std::deque<ListenerStats>& listeners() { return listeners_; }
  const std::deque<ListenerStats>& listeners() const { return listeners_; }
  ListenerStats& listener(std::string_view name);
  // In the order of Plan::clusters.
  const std::deque<ClusterStats>& clusters() const { return clusters_; }
  ClusterStats& cluster(std::string_view name);

 private:
  std::deque<ListenerStats> listeners_;
  std::deque<ClusterStats> clusters_;
};

}  // namespace tunnel::proxy
