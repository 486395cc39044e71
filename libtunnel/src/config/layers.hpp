// SPDX-License-Identifier: Apache-2.0
// The steps from a part of a Graph that hangs together to its place on paper: layers, an order within each that crosses
// few lines, coordinates. Everything here is "along" the direction of the lines or "across" it.
#pragma once
#include <cstddef>
#include <vector>

namespace tunnel::config {

// At least, between neighbours of a layer: where one of them is a box, and where both are lines.
struct Spacing {
  int box_gap = 0;
  int line_gap = 0;
};

// Where lines with one label arrive at an item.
struct Port {
  int offset = 0;  // across, from the item's edge
  int before = 0;  // room its label takes on both sides of the line
  int after = 0;
  int label_along = 0;
  std::vector<std::size_t> links;
};

// A box, or the place where a line passes through a layer it has no box in.
struct Item {
  int along = 0;
  int across = 0;
  std::size_t layer = 0;
  std::vector<Port> in;
  std::vector<std::size_t> out;  // links, all from the middle
  int begin = 0;                 // across, once placed

  bool is_box() const { return along > 0; }
  int out_offset() const { return (across - 1) / 2; }
  int out_at() const { return begin + out_offset(); }
};

// Joins items of adjacent layers.
struct Link {
  std::size_t from = 0;
  std::size_t to = 0;
  std::size_t port = 0;
};

struct Layers {
  std::vector<Item> items;
  std::vector<Link> links;
  std::vector<std::vector<std::size_t>> order;  // a layer each
};

// Few crossings: barycentres, to and fro, the best order seen.
void order_layers(Layers& layers);

// Sets Item::begin: near to what an item is joined to, apart from its neighbours, and so that no line arrives where
// another one leaves, unless it is its straight continuation.
void place_items(Layers& layers, const Spacing& spacing);

// For each layer but the last, the lines that turn between it and the next: the track a link takes, counted from the
// layer, and how many there are. A link that runs straight has none (-1).
struct Tracks {
  std::vector<int> of_link;
  std::vector<int> count;  // a layer each
};
Tracks assign_tracks(const Layers& layers);

}  // namespace tunnel::config
