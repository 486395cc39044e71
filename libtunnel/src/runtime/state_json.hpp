// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "proxy/live_record.hpp"
#include "runtime/figures.hpp"

namespace tunnel::runtime {

// What is under way in the process.
struct Tunnels {
  std::vector<proxy::LiveRecord> rows;
  bool complete = true;  // every worker has answered
};

// /state.json: the figures of now. Times in milliseconds, sizes in bytes; `active` of `begun`:
//   {"now", "started", "version", "workers", "draining": bool,
//    "listeners": [{"name", "active", "begun" (connections), FIGURES, "edges": [{"cluster", FIGURES}]}],
//    "clusters": [{"name", FIGURES}],
//    "tunnels": {"total", "complete": bool, "rows": [{"listener", "cluster", "kind", "peer", "target", "upstream",
//    …}]}}
// FIGURES of an edge: "uses_active", "uses_begun", "received", "sent", "client_errors", "errors": {kind: count}.
// The rows are the youngest at most `most`.
std::string state_json(const Figures& figures, Tunnels tunnels, std::size_t most, bool draining);

}  // namespace tunnel::runtime
