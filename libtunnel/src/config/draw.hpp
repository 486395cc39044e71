// SPDX-License-Identifier: Apache-2.0
// The three forms of --graph, each a whole text that ends with a newline.
#pragma once
#include <string>

#include "config/graph.hpp"
#include "config/layout.hpp"

namespace tunnel::config {

// A flowchart of Mermaid, for Markdown; Mermaid lays it out itself.
std::string draw_mermaid(const Graph& graph);

// A document of its own: no scripts, no fonts, nothing fetched; light and dark with the reader's colour scheme.
std::string draw_svg(const Graph& graph);

// `unicode`: lines of box-drawing characters, else of - | and +. Left to right if that fits into `columns`, else
// downwards if that fits or is narrower.
struct TextStyle {
  bool unicode = false;
  int columns = 100;
};
std::string draw_text(const Graph& graph, const TextStyle& style);

// What draw_svg() and draw_text() draw with, for tests of the pictures.
Pen svg_pen();
Pen text_pen(bool downwards);

}  // namespace tunnel::config
