// SPDX-License-Identifier: Apache-2.0
// Every limit of the process with its default; plain data, read by all layers, written once at start. The `--limit
// KEY=N` table (plan/limit_table.hpp) names each field. Durations are milliseconds, sizes bytes.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tunnel {

struct Limits {
  using Milliseconds = std::chrono::milliseconds;
  // Connections
  std::uint64_t connections = 10000;      // conns: in the process
  std::uint64_t connect_tries = 24;       // tries: addresses tried a connect (happy eyeballs)
  std::uint64_t accepts_per_wakeup = 16;  // accepts
  Milliseconds accept_sleep{100};         // accept-sleep: pause of a listener when out of descriptors
  std::uint64_t internal_hops = 16;       // hops: internal connects one request may make
  std::uint64_t resolver_threads = 4;     // resolvers
  // Time
  Milliseconds head_time{10000};        // head-time: a whole request head, from its first byte; a ClientHello
  Milliseconds settings_time{10000};    // settings-time: until SETTINGS are acknowledged
  Milliseconds write_time{60000};       // write-time: without progress while bytes wait
  Milliseconds silence{5000};           // silence: of a tunnel whose proxy accepted it, before we say what may be wrong
  std::uint64_t keepalive_idle_s = 60;  // keepalive: TCP_KEEPIDLE in seconds; probes every 10 s, 6 of them
  // Bytes
  std::uint64_t pipe_bytes = 1048576;  // pipe: a kernel pipe between two sockets in bulk; 0: copy always
  std::uint64_t memory_bytes = 0;      // (--mem-limit) of all buffers; 0: none
  // TLS. As Envoy's max_client_hello_size; what browsers send, key shares of ML-KEM too, is under 2 KiB.
  std::uint64_t hello_bytes = 16384;  // hello: the beginning of a connection in which a ClientHello ends
  // HTTP messages
  std::uint64_t head_bytes = 16384;            // head: name + value + 32 a field, and the raw head over h1
  std::uint64_t head_fields = 100;             // fields
  std::uint64_t chunk_extension_bytes = 1024;  // framing: chunk extensions a message
  std::uint64_t early_data_bytes = 16384;  // early-data: read from a client with its CONNECT, before its tunnel stands
  std::uint64_t linger_bytes = 65536;      // linger: discarded after a refusal before the connection closes
  Milliseconds linger_time{1000};          // (with linger)
  std::uint64_t retries = 1;               // retries: of a request that is safe to repeat
  // HTTP/2
  std::uint32_t h2_stream_window_start = 65536;   // (fixed) a stream's window before it grew
  std::uint32_t h2_stream_window = 4194304;       // h2-stream-window: what it may grow to
  std::uint32_t h2_connection_window = 16777216;  // h2-window
  std::uint64_t h2_server_streams = 100;          // streams: a client may open at a time
  std::uint64_t h2_pool_streams = 100;            // pool-streams: on one pooled connection
  std::uint64_t h2_resets = 200;             // h2-resets: burst; 33 a second; streams reset before our final answer
  std::uint64_t h2_own_resets = 100;         // h2-own-resets: provoked by the peer's frames, in 10 s
  std::uint64_t h2_continuations = 8;        // h2-continuations: a head
  std::uint64_t h2_outbound_frames = 10000;  // h2-frames: queued for a peer that does not read
  std::uint64_t h2_outbound_control = 1000;  // h2-control: of them control frames
  // Pools (per worker)
  std::uint64_t pools = 256;           // pools: of a cluster that has one for every authority asked for
  Milliseconds pool_idle{300000};      // pool-idle: an unused pooled connection is closed
  Milliseconds pool_ping_after{1000};  // ping-after: a pooled connection idle longer gets a PING with the HEADERS
  Milliseconds pool_ping_wait{1000};   // ping-wait: patience for its answer; after a quarter of it one is sent at all
  // Clusters with several endpoints (per worker). A lost SYN is sent again after 1 s: who is silent for longer is slow
  // or gone. A server that restarts is back in about a second; one that is gone for longer costs one connect in 30 s.
  Milliseconds next_endpoint{1000};  // next-endpoint: silence before the next one is tried beside it
  Milliseconds aside{1000};          // aside: first time, doubled by each further failure
  Milliseconds aside_most{30000};    // aside-most
};

}  // namespace tunnel
