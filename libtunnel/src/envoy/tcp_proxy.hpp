// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy: the handler of `listener`, and what of the listener it sets.
// `redirected`: the listener filter original_dst stands before it.
void read_tcp_proxy(Fields& fields, bool redirected, plan::Listener& listener);

}  // namespace tunnel::envoy
