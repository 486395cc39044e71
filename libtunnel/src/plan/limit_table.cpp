// SPDX-License-Identifier: Apache-2.0
#include "plan/limit_table.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <type_traits>

#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

template <auto Member>
std::uint64_t get(const Limits& limits) {
  using Field = std::remove_cvref_t<decltype(limits.*Member)>;
  if constexpr (std::is_same_v<Field, Limits::Milliseconds>) {
    return static_cast<std::uint64_t>((limits.*Member).count());
  } else {
    return limits.*Member;
  }
}

template <auto Member>
void set(Limits& limits, std::uint64_t value) {
  using Field = std::remove_cvref_t<decltype(limits.*Member)>;
  if constexpr (std::is_same_v<Field, Limits::Milliseconds>) {
    limits.*Member = Limits::Milliseconds(static_cast<Limits::Milliseconds::rep>(value));
  } else {
    limits.*Member = static_cast<Field>(value);
  }
}

template <auto Member>
constexpr LimitKey row(std::string_view key, std::string_view unit, std::uint64_t min, std::uint64_t max,
                       std::string_view help) {
  return {key, unit, min, max, help, &get<Member>, &set<Member>};
}

constexpr std::uint64_t kDayMs = 86'400'000;
constexpr std::uint64_t kHourMs = 3'600'000;
constexpr std::uint64_t kMebibyte = 1048576;
constexpr std::uint64_t kLargestWindow = 2147483647;  // RFC 9113 section 6.9.1

constexpr std::array kTable = {
    row<&Limits::connections>("conns", "", 1, 10'000'000, "connections of the process"),
    row<&Limits::connect_tries>("tries", "", 1, 1000, "addresses tried a connect"),
    row<&Limits::accepts_per_wakeup>("accepts", "", 1, 10'000, "connections accepted a wake-up of a listener"),
    row<&Limits::accept_sleep>("accept-sleep", "ms", 1, 60'000, "pause of a listener when descriptors have run out"),
    row<&Limits::internal_hops>("hops", "", 1, 1000, "internal connects one request may make"),
    row<&Limits::resolver_threads>("resolvers", "", 1, 256, "threads that resolve names"),
    row<&Limits::head_time>("head-time", "ms", 1, kHourMs,
                            "a whole request head, from its first byte; a TLS ClientHello"),
    row<&Limits::settings_time>("settings-time", "ms", 1, kHourMs, "until the peer acknowledges HTTP/2 SETTINGS"),
    row<&Limits::write_time>("write-time", "ms", 1, kDayMs, "without progress while bytes wait to be written"),
    row<&Limits::silence>("silence", "ms", 0, kHourMs,
                          "nothing came back through a proxy that accepted a tunnel: a hint in the log; 0: none"),
    row<&Limits::keepalive_idle_s>("keepalive", "s", 1, 32'767, "quiet time before TCP keep-alive probes"),
    row<&Limits::pipe_bytes>("pipe", "bytes", 0, kMebibyte,
                             "a kernel pipe between two sockets in bulk; 0 copies instead"),
    row<&Limits::hello_bytes>("hello", "bytes", 512, kMebibyte,
                              "a TLS ClientHello, where its server name is looked for"),
    row<&Limits::head_bytes>("head", "bytes", 1024, kMebibyte, "a message head: name + value + 32 a field"),
    row<&Limits::head_fields>("fields", "", 1, 10'000, "fields of a message head"),
    row<&Limits::chunk_extension_bytes>("framing", "bytes", 0, kMebibyte, "chunk extensions of a message"),
    row<&Limits::early_data_bytes>("early-data", "bytes", 1, 16'384,
                                   "read from a client together with its CONNECT (HTTP/1.1)"),
    row<&Limits::linger_bytes>("linger", "bytes", 0, 16 * kMebibyte,
                               "read and discarded after a refusal, for 1 s at most"),
    row<&Limits::retries>("retries", "", 0, 10, "retries of a request that is safe to repeat"),
    row<&Limits::h2_stream_window>("h2-stream-window", "bytes", 65'536, kLargestWindow,
                                   "what the window of an HTTP/2 stream may grow to"),
    row<&Limits::h2_connection_window>("h2-window", "bytes", 65'535, kLargestWindow, "window of an HTTP/2 connection"),
    row<&Limits::h2_server_streams>("streams", "", 1, 1'000'000, "streams a client may have open on a connection"),
    row<&Limits::h2_pool_streams>("pool-streams", "", 1, 1'000'000, "streams on one pooled connection to a proxy"),
    row<&Limits::h2_resets>("h2-resets", "", 1, 1'000'000,
                            "burst of streams reset before our answer; 33 a second refill it"),
    row<&Limits::h2_own_resets>("h2-own-resets", "", 1, 1'000'000, "resets a peer's frames may provoke in 10 s"),
    row<&Limits::h2_continuations>("h2-continuations", "", 1, 1000, "CONTINUATION frames of a head"),
    row<&Limits::h2_outbound_frames>("h2-frames", "", 10, 10'000'000, "frames queued for a peer that does not read"),
    row<&Limits::h2_outbound_control>("h2-control", "", 10, 10'000'000, "control frames among those queued"),
    row<&Limits::pools>("pools", "", 1, 1'000'000, "authorities whose inner connections are kept for the next request"),
    row<&Limits::pool_idle>("pool-idle", "ms", 1, kDayMs, "an unused pooled connection stays open"),
    row<&Limits::pool_ping_after>("ping-after", "ms", 1, kDayMs,
                                  "a pooled connection idle for longer is probed with its next use"),
    row<&Limits::pool_ping_wait>("ping-wait", "ms", 1, kHourMs, "patience for the answer to that probe"),
    row<&Limits::next_endpoint>("next-endpoint", "ms", 1, kHourMs,
                                "an endpoint is silent, then the next is tried beside it"),
    row<&Limits::aside>("aside", "ms", 1, kDayMs, "an endpoint that failed is left out, and twice as long each time"),
    row<&Limits::aside_most>("aside-most", "ms", 1, kDayMs, "the longest time an endpoint is left out"),
};

}  // namespace

std::span<const LimitKey> limit_table() { return kTable; }

const LimitKey* find_limit(std::string_view key) {
  const auto* const found =
      std::find_if(kTable.begin(), kTable.end(), [&](const LimitKey& row) { return row.key == key; });
  return found == kTable.end() ? nullptr : found;
}

std::vector<std::string> limit_keys() {
  std::vector<std::string> keys;
  keys.reserve(kTable.size());
  for (const LimitKey& row : kTable) keys.emplace_back(row.key);
  return keys;
}

std::string limit_fault(std::string_view key, std::uint64_t value) {
  const LimitKey* row = find_limit(key);
  if (row == nullptr) return "there is no limit called " + in_quotes(key) + did_you_mean(key, limit_keys());
  if (value >= row->min && value <= row->max) return "";
  std::string unit = row->unit.empty() ? "" : " " + std::string(row->unit);
  return "the limit " + std::string(key) + " goes from " + std::to_string(row->min) + " to " +
         std::to_string(row->max) + unit + ", not " + std::to_string(value);
}

Limits limits_of(const Process& process) {
  Limits limits;
  for (const Limit& limit : process.limits) {
    if (const std::string fault = limit_fault(limit.key, limit.value); !fault.empty())
      throw std::invalid_argument(fault);
    find_limit(limit.key)->set(limits, limit.value);
  }
  limits.memory_bytes = process.memory_bytes;
  return limits;
}

}  // namespace tunnel::plan
