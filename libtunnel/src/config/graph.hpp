// SPDX-License-Identifier: Apache-2.0
// A Plan as nodes and edges: what the three forms of --graph draw. Plain data, without coordinates; the texts are fit
// for a terminal and escaped for nothing else.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::config {

struct Node {
  // `clients` and `endpoint` are outside of the process, `internal` is a listener without a socket.
  enum class Kind : std::uint8_t { clients, listener, internal, cluster, endpoint };
  Kind kind = Kind::listener;
  std::vector<std::string> lines;  // the first is its name
};

struct Edge {
  std::size_t from = 0;  // of Graph::nodes
  std::size_t to = 0;
  std::string label;  // may be empty
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Edge> edges;
};

// In the order of the plan: one node of clients for every part that hangs together, then for each listener itself, its
// clusters and what they lead to.
Graph graph_of(const plan::Plan& plan);

}  // namespace tunnel::config
