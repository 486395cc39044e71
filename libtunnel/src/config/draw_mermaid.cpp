// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "config/draw.hpp"

namespace tunnel::config {
namespace {

// Mermaid takes #NAME; and #NUMBER; for characters; in quotes nothing else is special.
std::string escaped(std::string_view text) {
  constexpr std::string_view kSpecial = "#\"&<>`;\\";
  std::string safe;
  for (const char c : text) {
    if (kSpecial.find(c) == std::string_view::npos) {
      safe += c;
    } else {
      safe += "#" + std::to_string(static_cast<int>(c)) + ";";
    }
  }
  return safe;
}

struct Brackets {
  std::string_view open;
  std::string_view close;
};

Brackets brackets_of(Node::Kind kind) {
  if (kind == Node::Kind::clients || kind == Node::Kind::endpoint) return {"([", "])"};
  return kind == Node::Kind::cluster ? Brackets{"{{", "}}"} : Brackets{"[", "]"};
}

}  // namespace

std::string draw_mermaid(const Graph& graph) {
  std::string out = "flowchart LR\n";
  for (std::size_t at = 0; at < graph.nodes.size(); ++at) {
    const auto [open, close] = brackets_of(graph.nodes[at].kind);
    out += "  n" + std::to_string(at + 1) + std::string(open) + "\"";
    for (const std::string& line : graph.nodes[at].lines) {
      if (&line != &graph.nodes[at].lines.front()) out += "<br/>";
      out += escaped(line);
    }
    out += "\"" + std::string(close) + "\n";
  }
  for (const Edge& edge : graph.edges) {
    out += "  n" + std::to_string(edge.from + 1) + " -->";
    if (!edge.label.empty()) out += "|\"" + escaped(edge.label) + "\"|";
    out += " n" + std::to_string(edge.to + 1) + "\n";
  }
  std::string internal;
  for (std::size_t at = 0; at < graph.nodes.size(); ++at) {
    if (graph.nodes[at].kind != Node::Kind::internal) continue;
    internal += (internal.empty() ? "" : ",") + std::string("n") + std::to_string(at + 1);
  }
  if (!internal.empty()) out += "  classDef internal stroke-dasharray: 4 3\n  class " + internal + " internal\n";
  return out;
}

}  // namespace tunnel::config
