// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <utility>

#include "config/layers.hpp"

namespace tunnel::config {
namespace {

constexpr int kRounds = 12;

std::vector<std::size_t> positions(const Layers& layers) {
  std::vector<std::size_t> position(layers.items.size());
  for (const std::vector<std::size_t>& layer : layers.order) {
    for (std::size_t i = 0; i < layer.size(); ++i) position[layer[i]] = i;
  }
  return position;
}

// Pairs of links that cross: of those sorted by where they begin, the pairs that end the other way round, counted with
// a binary indexed tree.
std::uint64_t crossings(const Layers& layers) {
  const std::vector<std::size_t> position = positions(layers);
  std::uint64_t total = 0;
  for (std::size_t number = 0; number + 1 < layers.order.size(); ++number) {
    std::vector<std::pair<std::size_t, std::size_t>> ends;
    for (const std::size_t item : layers.order[number]) {
      for (const std::size_t link : layers.items[item].out)
        ends.emplace_back(position[item], position[layers.links[link].to]);
    }
    std::sort(ends.begin(), ends.end());
    std::vector<std::uint64_t> tree(layers.order[number + 1].size() + 1, 0);
    std::uint64_t seen = 0;
    for (const auto& [begin, end] : ends) {
      std::uint64_t not_beyond = 0;
      for (std::size_t at = end + 1; at > 0; at &= at - 1) not_beyond += tree[at];
      total += seen++ - not_beyond;
      for (std::size_t at = end + 1; at < tree.size(); at += at & (~at + 1)) ++tree[at];
    }
  }
  return total;
}

// The mean position of what `item` is joined to in the layer before or behind; its own if there is nothing.
double barycentre(const Layers& layers, const std::vector<std::size_t>& position, std::size_t item, bool forward) {
  double sum = 0;
  std::size_t count = 0;
  const Item& self = layers.items[item];
  if (forward) {
    for (const Port& port : self.in) {
      for (const std::size_t link : port.links) {
        sum += static_cast<double>(position[layers.links[link].from]);
        ++count;
      }
    }
  } else {
    for (const std::size_t link : self.out) {
      sum += static_cast<double>(position[layers.links[link].to]);
      ++count;
    }
  }
  return count == 0 ? static_cast<double>(position[item]) : sum / static_cast<double>(count);
}

void sort_layer(Layers& layers, std::size_t number, bool forward) {
  const std::vector<std::size_t> position = positions(layers);
  struct Key {
    double centre;
    std::size_t position;  // keeps the order of equals
    std::size_t item;
  };
  std::vector<Key> keys;
  for (const std::size_t item : layers.order[number])
    keys.push_back({barycentre(layers, position, item, forward), position[item], item});
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return std::pair(a.centre, a.position) < std::pair(b.centre, b.position);
  });
  for (std::size_t i = 0; i < keys.size(); ++i) layers.order[number][i] = keys[i].item;
}

}  // namespace

void order_layers(Layers& layers) {
  std::uint64_t fewest = crossings(layers);
  std::vector<std::vector<std::size_t>> best = layers.order;
  const std::size_t count = layers.order.size();
  for (int round = 0; round < kRounds && fewest > 0; ++round) {
    const bool forward = round % 2 == 0;
    for (std::size_t step = 1; step < count; ++step) sort_layer(layers, forward ? step : count - 1 - step, forward);
    if (const std::uint64_t now = crossings(layers); now < fewest) {
      fewest = now;
      best = layers.order;
    }
  }
  layers.order = std::move(best);
}

}  // namespace tunnel::config
