// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "envoy/node.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// The access_log of a filter: at most one logger, to standard output, standard error or a file. Without a format of its
// own the lines are ours.
void read_access_log(const Value& value, plan::Listener& listener);

}  // namespace tunnel::envoy
