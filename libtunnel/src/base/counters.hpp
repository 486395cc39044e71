// SPDX-License-Identifier: Apache-2.0
// Counters and gauges of one worker. Written by that worker only, as relaxed atomics without a read-modify-write; a
// reader (SIGUSR2, /metrics) sums all workers. A gauge is what is open now: every one is 0 when nothing is.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tunnel {

// name, exported name, help
#define TUNNEL_COUNTERS(X)                                                                                             \
  X(connections, "tunnel_connections_total", "Connections to listeners, internal ones too")                            \
  X(requests, "tunnel_requests_total", "HTTP requests, CONNECT among them")                                            \
  X(internal_connects, "tunnel_internal_connects_total", "Connects to internal listeners")                             \
  X(bytes_received, "tunnel_downstream_received_bytes_total", "Bytes from clients")                                    \
  X(bytes_sent, "tunnel_downstream_sent_bytes_total", "Bytes to clients")                                              \
  X(spliced_bytes, "tunnel_spliced_bytes_total", "Bytes relayed without leaving the kernel, see the limit pipe")       \
  X(connect_timeouts, "tunnel_connect_timeouts_total", "Connects given up after --connect-timeout")                    \
  X(connect_tries_cut, "tunnel_connect_tries_total", "Connects that had more addresses than the limit tries")          \
  X(head_timeouts, "tunnel_head_timeouts_total", "Heads, and TLS hellos, that took longer than the limit head-time")   \
  X(h2_settings_timeouts, "tunnel_h2_settings_timeouts_total",                                                         \
    "HTTP/2 SETTINGS not acknowledged within the limit settings-time")                                                 \
  X(idle_timeouts, "tunnel_idle_timeouts_total", "Connections ended by --idle-timeout")                                \
  X(half_close_timeouts, "tunnel_half_close_timeouts_total", "Connections ended by --half-close-timeout")              \
  X(response_timeouts, "tunnel_response_timeouts_total", "Responses that took longer than the timeout of their route") \
  X(write_timeouts, "tunnel_write_timeouts_total", "Receivers that took no bytes within the limit write-time")         \
  X(keepalive_timeouts, "tunnel_keepalive_timeouts_total", "Peers that answered no keep-alive probe")                  \
  X(lifetime_ends, "tunnel_lifetime_ends_total", "Connections drained for being older than --max-lifetime")            \
  X(drain_aborts, "tunnel_drain_aborts_total", "Connections reset at the end of the --drain time")                     \
  X(conns_refused, "tunnel_conns_refused_total", "Connections over the limit conns")                                   \
  X(listener_conns_refused, "tunnel_listener_conns_refused_total", "Connections over --max-conns")                     \
  X(cluster_conns_refused, "tunnel_cluster_conns_refused_total", "Connects over the limit of a cluster")               \
  X(mem_refused, "tunnel_mem_refused_total", "Connections and HTTP/2 streams refused over --mem-limit")                \
  X(internal_paused, "tunnel_internal_paused_total", "Writers that waited for room in the --buffer of a hop")          \
  X(h2_stream_flow_errors, "tunnel_h2_stream_flow_errors_total", "HTTP/2 peers that overran the window of a stream")   \
  X(h2_flow_errors, "tunnel_h2_flow_errors_total", "HTTP/2 peers that overran the window of a connection")             \
  X(h2_streams_refused, "tunnel_h2_streams_refused_total", "HTTP/2 streams over the limit streams")                    \
  X(pool_full, "tunnel_pool_full_total", "Times no pooled connection had room for another exchange")                   \
  X(pool_queued, "tunnel_pool_queued_total", "Exchanges that waited for a pooled connection others had asked for")     \
  X(pool_ping_timeouts, "tunnel_pool_ping_timeouts_total",                                                             \
    "Pooled connections that answered no PING within the limit ping-wait")                                             \
  X(pool_idle_closed, "tunnel_pool_idle_closed_total", "Pooled connections closed for not being used")                 \
  X(pool_prewarmed, "tunnel_pool_prewarmed_total", "Pooled connections made ahead of need (prewarm)")                  \
  X(pool_prewarm_failures, "tunnel_pool_prewarm_failures_total",                                                       \
    "Pooled connections that could not be made ahead of need, or were lost unused")                                    \
  X(pools_dropped, "tunnel_pools_dropped_total", "Authorities over the limit pools")                                   \
  X(h2_rapid_resets, "tunnel_h2_rapid_resets_total", "HTTP/2 clients over the limit h2-resets")                        \
  X(h2_own_resets, "tunnel_h2_own_resets_total", "HTTP/2 peers over the limit h2-own-resets")                          \
  X(h2_continuations, "tunnel_h2_continuations_total", "HTTP/2 heads over the limit h2-continuations")                 \
  X(h2_floods, "tunnel_h2_floods_total", "HTTP/2 peers over the limits h2-frames and h2-control, and other floods")    \
  X(heads_too_large, "tunnel_head_too_large_total", "Heads over the limits head and fields")                           \
  X(hellos_too_large, "tunnel_hello_too_large_total", "TLS ClientHellos over the limit hello")                         \
  X(framing_floods, "tunnel_framing_floods_total", "Messages over the limit framing, and empty HTTP/2 frames")         \
  X(early_data_paused, "tunnel_early_data_paused_total",                                                               \
    "Clients that sent more than the limit early-data before their tunnel stood")                                      \
  X(linger_cut, "tunnel_linger_cut_total", "Connections cut at the limit linger")                                      \
  X(hop_limit, "tunnel_hop_limit_total", "Requests over the limit hops")                                               \
  X(no_metadata, "tunnel_no_metadata_total",                                                                           \
    "Metadata that a connect to an internal listener was to bring but is not there")                                   \
  X(accept_bursts, "tunnel_accept_bursts_total", "Wake-ups of a listener cut at the limit accepts")                    \
  X(fd_exhausted, "tunnel_fd_exhausted_total", "Times descriptors had run out")                                        \
  X(endpoint_tries, "tunnel_endpoint_tries_total", "Connects to one of several endpoints of a cluster")                \
  X(endpoint_ejections, "tunnel_endpoint_ejections_total", "Endpoints set aside because connecting to them failed")    \
  X(dns_timeouts, "tunnel_dns_timeouts_total", "Names not resolved within the connect time")                           \
  X(silent_tunnels, "tunnel_silent_tunnels_total", "Tunnels that brought nothing back within the limit silence")       \
  X(stalled_tunnels, "tunnel_stalled_tunnels_total", "Connections that flow control stalled for most of their life")   \
  X(denied, "tunnel_denied_total", "Targets no rule allows")                                                           \
  X(connect_retries, "tunnel_connect_retries_total", "Connects and tunnels tried again after they failed")             \
  X(retries, "tunnel_retries_total", "Requests tried again over a fresh connection")                                   \
  X(access_log_lost, "tunnel_access_log_lost_total", "Lines of access logs dropped")                                   \
  X(log_lost, "tunnel_log_lost_total", "Lines of the log dropped")

#define TUNNEL_GAUGES(X)                                                                                         \
  X(connections, "tunnel_connections_active", "Connections to listeners, internal ones too")                     \
  X(pairs, "tunnel_pairs_active", "Pairs of user-space sockets")                                                 \
  X(streams, "tunnel_streams_active", "HTTP exchanges, a tunnel being one, towards clients and towards proxies") \
  X(leases, "tunnel_leases_active", "Exchanges on pooled connections")                                           \
  X(pool_connections, "tunnel_pool_connections", "Pooled connections")

enum class Counter : std::uint8_t {
#define X(name, text, help) name,
  TUNNEL_COUNTERS(X)
#undef X
      count_
};
enum class Gauge : std::uint8_t {
#define X(name, text, help) name,
  TUNNEL_GAUGES(X)
#undef X
      count_
};
inline constexpr std::size_t kCounterCount = static_cast<std::size_t>(Counter::count_);
inline constexpr std::size_t kGaugeCount = static_cast<std::size_t>(Gauge::count_);

std::string_view name_of(Counter counter);
std::string_view name_of(Gauge gauge);
// What it counts, in a line without a full stop.
std::string_view help_of(Counter counter);
std::string_view help_of(Gauge gauge);

// A number that one thread writes and any thread reads: an ordinary addition, never a locked one.
class Cell {
 public:
  void add(std::uint64_t n) { set(value() + n); }
  void subtract(std::uint64_t n) { set(value() - n); }
  void set(std::uint64_t n) { cell_.store(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return cell_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> cell_{0};
};

class Counters {
 public:
  void add(Counter counter, std::uint64_t n = 1) { counters_[static_cast<std::size_t>(counter)].add(n); }
  void up(Gauge gauge) { gauges_[static_cast<std::size_t>(gauge)].add(1); }
  void down(Gauge gauge) { gauges_[static_cast<std::size_t>(gauge)].add(~std::uint64_t{0}); }
  std::uint64_t value(Counter counter) const { return counters_[static_cast<std::size_t>(counter)].value(); }
  std::uint64_t value(Gauge gauge) const { return gauges_[static_cast<std::size_t>(gauge)].value(); }

 private:
  std::array<Cell, kCounterCount> counters_;
  std::array<Cell, kGaugeCount> gauges_;
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
