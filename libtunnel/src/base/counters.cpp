// SPDX-License-Identifier: Apache-2.0
#include "base/counters.hpp"

namespace tunnel {

std::string_view name_of(Counter counter) {
  static constexpr std::array<std::string_view, kCounterCount> kNames{
#define X(name, text, help) text,
      TUNNEL_COUNTERS(X)
#undef X
  };
  return kNames[static_cast<std::size_t>(counter)];
}

std::string_view name_of(Gauge gauge) {
  static constexpr std::array<std::string_view, kGaugeCount> kNames{
#define X(name, text, help) text,
      TUNNEL_GAUGES(X)
#undef X
  };
  return kNames[static_cast<std::size_t>(gauge)];
}

std::string_view help_of(Counter counter) {
  static constexpr std::array<std::string_view, kCounterCount> kHelp{
#define X(name, text, help) help,
      TUNNEL_COUNTERS(X)
#undef X
  };
  return kHelp[static_cast<std::size_t>(counter)];
}

std::string_view help_of(Gauge gauge) {
  static constexpr std::array<std::string_view, kGaugeCount> kHelp{
#define X(name, text, help) help,
      TUNNEL_GAUGES(X)
#undef X
  };
  return kHelp[static_cast<std::size_t>(gauge)];
}

}  // namespace tunnel
