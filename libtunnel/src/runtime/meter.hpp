// SPDX-License-Identifier: Apache-2.0
// What --stats shows: a line that is rewritten each second where stderr is a terminal, and a summary at the end.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace tunnel::runtime {

// What has come from and gone to clients since the start, over all workers; internal hops do not count again.
struct MeterReading {
  std::chrono::milliseconds elapsed{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t connections = 0;
  std::uint64_t open = 0;
  std::uint64_t failed = 0;  // connections, tunnels and requests that ended with an error of ours or the far side's
};

// 512 B, 1.5 KiB, 23.4 MiB.
std::string human_bytes(double bytes);

// "0:00:12  up 1.2 MiB  down 3.4 GiB  43.1 MiB/s  12 open  1204 in all"; the rate is that since `before`.
std::string meter_line(const MeterReading& now, const MeterReading& before);

// "1204 connections in 0:01:23, 2 failed: 1.2 GiB up, 3.4 GiB down, 43.1 MiB/s".
std::string meter_summary(const MeterReading& all);

}  // namespace tunnel::runtime
