// SPDX-License-Identifier: Apache-2.0
// In what we do as Envoy with --envoy-compat, where else we are stricter or kinder than it is. Each of these is asked
// at one place. That a route has a timeout where its file names none is for envoy::load(), see envoy/defaults.hpp.
#pragma once
#include "tunnel/plan.hpp"

namespace tunnel::proxy {

struct Behaviour {
  // An internal listener takes a connect before its own upstream is connected: whoever connects learns of a failure
  // behind it only that the connection has ended.
  bool connects_at_once = false;
  // An upstream that failed is answered 503, with the reason in Envoy's words.
  bool answers_503 = false;
  // Once the upstream of a client's tunnel has ended the tunnel has: what the client still sends is lost.
  bool ends_with_upstream = false;
  // Over HTTP/2 no answer but 200 opens a tunnel.
  bool wants_200 = false;
};

constexpr Behaviour behaviour_of(const plan::Process& process) {
  return process.envoy_compat ? Behaviour{true, true, true, true} : Behaviour{};
}

}  // namespace tunnel::proxy
