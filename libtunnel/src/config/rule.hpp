// SPDX-License-Identifier: Apache-2.0
// RULE of tun-decap(1): [tcp:]HOST:PORT[-PORT], HOST a name, a glob ("*", "*.example.com"), an address or a network;
// IPv6 in brackets: [2001:db8::]/32:443. Judging addresses by rules is not done here.
#pragma once
#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// `allow` tells --allow from --deny. Throws the option's Refusal.
plan::Rule parse_rule(const Given& given, bool allow);

}  // namespace tunnel::config
