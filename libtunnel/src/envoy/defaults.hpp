// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// What is taken where a file says nothing and a default of ours may be other than Envoy's.
struct Defaults {
  plan::Milliseconds route_timeout{0};  // none: it would cut a tunnel whose client has ended its side
};

inline constexpr Defaults kEnvoysDefaults{plan::Milliseconds(15000)};

}  // namespace tunnel::envoy
