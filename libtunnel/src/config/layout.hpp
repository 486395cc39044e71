// SPDX-License-Identifier: Apache-2.0
// Where the boxes, lines and labels of a Graph go on paper: in layers from left to right (or downwards), what hangs
// together apart from the rest. No two boxes, no two labels and no label and a box overlap; lines run along the axes,
// around the boxes; lines from one box may leave together, and those with one label may arrive together.
// The same graph and pen give the same picture on every machine.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/graph.hpp"

namespace tunnel::config {

struct Point {
  int x = 0;
  int y = 0;
  bool operator==(const Point&) const = default;
};

struct Rect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

// What a picture is drawn with. Lengths are in its unit: a pixel, or a character's cell.
struct Pen {
  int (*text_width)(std::string_view text) = nullptr;  // of a whole line of UTF-8
  int widest_text = 0;                                 // longer lines of a box are broken, longer labels cut
  int text_height = 0;
  int box_margin_x = 0;  // from the edge of a box to its text
  int box_margin_y = 0;
  int label_height = 0;  // above its line; 0: the line is interrupted for it
  int box_gap = 0;       // at least, between two boxes of a layer
  int line_gap = 0;      // at least, between two lines that run side by side
  int track_gap = 0;     // between two lines that run across, on the way from one layer to the next
  int stub = 0;          // of a line that leaves a box, before it may turn
  int tail = 0;          // of a line behind its label, arrow included
  bool downwards = false;
};

struct Picture {
  struct Box {
    Rect at;
    Node::Kind kind = Node::Kind::listener;
    std::vector<std::string> lines;
  };
  struct Line {
    std::vector<Point> points;  // each apart from the next in one direction only; the last touches the box it leads to
    std::string label;          // empty where another line that arrives at the same point has it
    Rect label_at;
  };
  std::vector<Box> boxes;   // as Graph::nodes
  std::vector<Line> lines;  // as Graph::edges
  int width = 0;
  int height = 0;
};

Picture picture_of(const Graph& graph, const Pen& pen);

}  // namespace tunnel::config
