// SPDX-License-Identifier: Apache-2.0
// The normal form of a Plan: what two plans that do the same under Envoy have in common. An export writes it; a plan
// that was exported and loaded again equals the first in it.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// `plan` with its defaults written out: the addresses of a bare port and of *, the limits pool-idle and pool-streams in
// each pool; routes grouped by their domains; and what nothing looks at as it is by default: the buffer of a listener
// that is not internal, protocol and pool of a cluster no HTTP is spoken to, the family of one without names, the
// balancing of one endpoint, the mode of an endpoint or an abstract socket; rules for all addresses are for literal
// ones, which is as far as Envoy goes.
plan::Plan spelt_out(plan::Plan plan);

// The names of the clusters that HTTP is spoken to: tunnels are asked of them, or requests forwarded to them.
std::set<std::string> spoken_to(const plan::Plan& plan);

// The rules that a cluster of type ORIGINAL_DST has: it goes to any address that is written as one.
std::vector<plan::Rule> all_literals();
// Whether these are the same, or allow names beside.
bool allows_all_addresses(std::vector<plan::Rule> rules);

// Whether an endpoint is a name that is to be resolved.
bool has_names(const plan::Cluster& cluster);

}  // namespace tunnel::envoy
