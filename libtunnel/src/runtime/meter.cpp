// SPDX-License-Identifier: Apache-2.0
#include "runtime/meter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace tunnel::runtime {
namespace {

std::string clock_text(std::chrono::milliseconds elapsed) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string rate_text(std::uint64_t bytes, std::chrono::milliseconds time) {
  const double seconds = std::max(std::chrono::duration<double>(time).count(), 0.001);
  return human_bytes(static_cast<double>(bytes) / seconds) + "/s";
}

}  // namespace

std::string human_bytes(double bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  // 1023.95 would be printed as 1024.0.
  for (; bytes >= 1023.95 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits.at(unit));
}

std::string meter_line(const MeterReading& now, const MeterReading& before) {
  const std::uint64_t moved = now.bytes_received + now.bytes_sent - before.bytes_received - before.bytes_sent;
  return fmt::format("{}  up {}  down {}  {}  {} open  {} in all", clock_text(now.elapsed),
                     human_bytes(static_cast<double>(now.bytes_received)),
                     human_bytes(static_cast<double>(now.bytes_sent)), rate_text(moved, now.elapsed - before.elapsed),
                     now.open, now.connections);
}

std::string meter_summary(const MeterReading& all) {
  return fmt::format(
      "{} connection{} in {}, {} failed: {} up, {} down, {}", all.connections, all.connections == 1 ? "" : "s",
      clock_text(all.elapsed), all.failed, human_bytes(static_cast<double>(all.bytes_received)),
      human_bytes(static_cast<double>(all.bytes_sent)), rate_text(all.bytes_received + all.bytes_sent, all.elapsed));
}

}  // namespace tunnel::runtime
