// SPDX-License-Identifier: Apache-2.0
// Counters and gauges of one worker. Written by that worker only, as relaxed atomics without a read-modify-write; a
// reader (SIGUSR2) sums all workers. A gauge is what is open now: every one is 0 when nothing is.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tunnel {

#define TUNNEL_COUNTERS(X)                                         \
  X(connections, "tunnel_connections_total")                       \
  X(requests, "tunnel_requests_total")                             \
  X(internal_connects, "tunnel_internal_connects_total")           \
  X(bytes_received, "tunnel_downstream_received_bytes_total")      \
  X(bytes_sent, "tunnel_downstream_sent_bytes_total")              \
  X(connect_timeouts, "tunnel_connect_timeouts_total")             \
  X(connect_tries_cut, "tunnel_connect_tries_total")               \
  X(head_timeouts, "tunnel_head_timeouts_total")                   \
  X(h2_settings_timeouts, "tunnel_h2_settings_timeouts_total")     \
  X(idle_timeouts, "tunnel_idle_timeouts_total")                   \
  X(half_close_timeouts, "tunnel_half_close_timeouts_total")       \
  X(write_timeouts, "tunnel_write_timeouts_total")                 \
  X(keepalive_timeouts, "tunnel_keepalive_timeouts_total")         \
  X(drain_aborts, "tunnel_drain_aborts_total")                     \
  X(conns_refused, "tunnel_conns_refused_total")                   \
  X(listener_conns_refused, "tunnel_listener_conns_refused_total") \
  X(internal_paused, "tunnel_internal_paused_total")               \
  X(h2_stream_flow_errors, "tunnel_h2_stream_flow_errors_total")   \
  X(h2_flow_errors, "tunnel_h2_flow_errors_total")                 \
  X(h2_streams_refused, "tunnel_h2_streams_refused_total")         \
  X(pool_full, "tunnel_pool_full_total")                           \
  X(pool_queued, "tunnel_pool_queued_total")                       \
  X(pool_ping_timeouts, "tunnel_pool_ping_timeouts_total")         \
  X(pool_idle_closed, "tunnel_pool_idle_closed_total")             \
  X(h2_rapid_resets, "tunnel_h2_rapid_resets_total")               \
  X(h2_own_resets, "tunnel_h2_own_resets_total")                   \
  X(h2_continuations, "tunnel_h2_continuations_total")             \
  X(h2_floods, "tunnel_h2_floods_total")                           \
  X(heads_too_large, "tunnel_head_too_large_total")                \
  X(framing_floods, "tunnel_framing_floods_total")                 \
  X(early_data_paused, "tunnel_early_data_paused_total")           \
  X(linger_cut, "tunnel_linger_cut_total")                         \
  X(hop_limit, "tunnel_hop_limit_total")                           \
  X(accept_bursts, "tunnel_accept_bursts_total")                   \
  X(fd_exhausted, "tunnel_fd_exhausted_total")                     \
  X(dns_timeouts, "tunnel_dns_timeouts_total")                     \
  X(denied, "tunnel_denied_total")                                 \
  X(retries, "tunnel_retries_total")                               \
  X(access_log_lost, "tunnel_access_log_lost_total")               \
  X(log_lost, "tunnel_log_lost_total")

#define TUNNEL_GAUGES(X)                      \
  X(connections, "tunnel_connections_active") \
  X(pairs, "tunnel_pairs_active")             \
  X(streams, "tunnel_streams_active")         \
  X(leases, "tunnel_leases_active")           \
  X(pool_connections, "tunnel_pool_connections")

enum class Counter : std::uint8_t {
#define X(name, text) name,
  TUNNEL_COUNTERS(X)
#undef X
      count_
};
enum class Gauge : std::uint8_t {
#define X(name, text) name,
  TUNNEL_GAUGES(X)
#undef X
      count_
};
inline constexpr std::size_t kCounterCount = static_cast<std::size_t>(Counter::count_);
inline constexpr std::size_t kGaugeCount = static_cast<std::size_t>(Gauge::count_);

std::string_view name_of(Counter counter);
std::string_view name_of(Gauge gauge);

class Counters {
 public:
  void add(Counter counter, std::uint64_t n = 1) { bump(counters_[static_cast<std::size_t>(counter)], n); }
  void up(Gauge gauge) { bump(gauges_[static_cast<std::size_t>(gauge)], 1); }
  void down(Gauge gauge) { bump(gauges_[static_cast<std::size_t>(gauge)], ~std::uint64_t{0}); }
  std::uint64_t value(Counter counter) const {
    return counters_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  }
  std::uint64_t value(Gauge gauge) const {
    return gauges_[static_cast<std::size_t>(gauge)].load(std::memory_order_relaxed);
  }

 private:
  static void bump(std::atomic<std::uint64_t>& cell, std::uint64_t n) {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, kCounterCount> counters_{};
  std::array<std::atomic<std::uint64_t>, kGaugeCount> gauges_{};
};

// Counts one in a gauge while it lives.
class GaugeGuard {
 public:
  GaugeGuard(Counters& counters, Gauge gauge) : counters_(&counters), gauge_(gauge) { counters.up(gauge); }
  GaugeGuard(GaugeGuard&& other) noexcept : counters_(other.counters_), gauge_(other.gauge_) {
    other.counters_ = nullptr;
  }
  GaugeGuard& operator=(GaugeGuard&&) = delete;
  GaugeGuard(const GaugeGuard&) = delete;
  GaugeGuard& operator=(const GaugeGuard&) = delete;
  ~GaugeGuard() {
    if (counters_ != nullptr) counters_->down(gauge_);
  }

 private:
  Counters* counters_;
  Gauge gauge_;
};

}  // namespace tunnel
