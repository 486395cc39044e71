// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "tunnel/plan.hpp"

namespace tunnel::runtime {

// /topology.json: the plan as its listeners, what each does and where its ways lead, and the clusters:
//   {"listeners": [{"name", "addresses": [text], "internal": bool, "handler": "tcp_proxy"|"http_proxy"|…, "ways": [
//      {"what": "CONNECT host:443"|"GET /path"|…, "cluster": name or "", "does": text}]}],
//    "clusters": [{"name", "endpoints": [{"address": text, "listener": name of ours or ""}], "protocol": text}]}
std::string topology_json(const plan::Plan& plan);

}  // namespace tunnel::runtime
