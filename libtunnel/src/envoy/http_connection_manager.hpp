// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager: the handler of `listener`, and
// what of the listener it sets.
void read_http_connection_manager(Fields& fields, plan::Listener& listener);

}  // namespace tunnel::envoy
