// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "config/layers.hpp"

namespace tunnel::config {
namespace {

constexpr int kRounds = 8;

// What an item takes across, labels included, from its own edge.
int slot_begin(const Item& item) {
  int begin = 0;
  for (const Port& port : item.in) begin = std::min(begin, port.offset - port.before);
  return begin;
}
int slot_end(const Item& item) {
  int end = item.across;
  for (const Port& port : item.in) end = std::max(end, port.offset + port.after + 1);
  return end;
}

// As near to `wanted` as can be (least squares) with at least `apart[i]` between i and i + 1: pooled adjacent
// violators.
std::vector<double> spread(const std::vector<double>& wanted, const std::vector<int>& apart) {
  struct Block {
    double sum;
    std::size_t count;
    double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Block> blocks;
  double shift = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    blocks.push_back({wanted[i] - shift, 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean() > blocks.back().mean()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back().sum += last.sum;
      blocks.back().count += last.count;
    }
    if (i < apart.size()) shift += apart[i];
  }
  std::vector<double> spread;
  shift = 0;
  for (const Block& block : blocks) {
    for (std::size_t i = 0; i < block.count; ++i) {
      const std::size_t at = spread.size();
      spread.push_back(block.mean() + shift);
      if (at < apart.size()) shift += apart[at];
    }
  }
  return spread;
}

class Placer {
 public:
  Placer(Layers& layers, const Spacing& spacing) : layers_(layers), spacing_(spacing), at_(layers.items.size(), 0) {}

  void run() {
    for (const auto& layer : layers_.order) set(layer, std::vector<double>(layer.size(), 0));
    const std::size_t count = layers_.order.size();
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t step = 1; step < count; ++step) settle(layers_.order[count - 1 - step], false);
      for (std::size_t number = 1; number < count; ++number) settle(layers_.order[number], true);
    }
    for (std::size_t number = 0; number < count; ++number) fix(number);
  }

 private:
  Item& item(std::size_t at) { return layers_.items[at]; }

  int apart(std::size_t above, std::size_t below) {
    const bool boxes = item(above).is_box() || item(below).is_box();
    return slot_end(item(above)) - slot_begin(item(below)) + (boxes ? spacing_.box_gap : spacing_.line_gap);
  }

  void set(const std::vector<std::size_t>& layer, const std::vector<double>& wanted) {
    std::vector<int> apart;
    for (std::size_t i = 0; i + 1 < layer.size(); ++i) apart.push_back(this->apart(layer[i], layer[i + 1]));
    const std::vector<double> found = spread(wanted, apart);
    for (std::size_t i = 0; i < layer.size(); ++i) at_[layer[i]] = found[i];
  }

  // Every item of a layer where its lines to the layer before (or behind) would be straight, on average.
  void settle(const std::vector<std::size_t>& layer, bool forward) {
    std::vector<double> wanted;
    for (const std::size_t self : layer) {
      double sum = 0;
      std::size_t count = 0;
      const auto add = [&](double begin) {
        sum += begin;
        ++count;
      };
      if (forward) {
        for (const Port& port : item(self).in) {
          for (const std::size_t link : port.links) {
            const std::size_t from = layers_.links[link].from;
            add(at_[from] + item(from).out_offset() - port.offset);
          }
        }
      } else {
        for (const std::size_t link : item(self).out) {
          const std::size_t to = layers_.links[link].to;
          add(at_[to] + item(to).in[layers_.links[link].port].offset - item(self).out_offset());
        }
      }
      wanted.push_back(count == 0 ? at_[self] : sum / static_cast<double>(count));
    }
    set(layer, wanted);
  }

  // Whole numbers, from the first item of a layer to the last.
  void fix(std::size_t number) {
    const std::vector<std::size_t>& layer = layers_.order[number];
    std::vector<std::pair<int, std::size_t>> leaving;  // where, and which item
    if (number > 0) {
      for (const std::size_t from : layers_.order[number - 1]) {
        if (!item(from).out.empty()) leaving.emplace_back(item(from).out_at(), from);
      }
    }
    for (std::size_t i = 0; i < layer.size(); ++i) {
      Item& self = item(layer[i]);
      self.begin = static_cast<int>(std::lround(at_[layer[i]]));
      if (i > 0) self.begin = std::max(self.begin, item(layer[i - 1]).begin + apart(layer[i - 1], layer[i]));
      while (clashes(self, leaving)) ++self.begin;
    }
  }

  // Whether one of the lines into `self` would lie on one that leaves the layer before and is not it.
  bool clashes(const Item& self, const std::vector<std::pair<int, std::size_t>>& leaving) {
    for (const Port& port : self.in) {
      const int at = self.begin + port.offset;
      auto near = std::lower_bound(leaving.begin(), leaving.end(), std::pair(at - clear(), std::size_t{0}));
      for (; near != leaving.end() && near->first <= at + clear(); ++near) {
        if (near->first != at || !continues(near->second, port)) return true;
      }
    }
    return false;
  }

  // Nearer than that two lines look like one.
  int clear() const { return (spacing_.line_gap - 1) / 3; }

  // A line may run straight on only where nobody could take another for it: alone from its item, or alone at its port.
  bool continues(std::size_t from, const Port& port) {
    const auto comes = [&](std::size_t link) { return layers_.links[link].from == from; };
    if (std::none_of(port.links.begin(), port.links.end(), comes)) return false;
    if (std::all_of(port.links.begin(), port.links.end(), comes)) return true;
    const Link& first = layers_.links[item(from).out.front()];
    return std::all_of(item(from).out.begin(), item(from).out.end(), [&](std::size_t link) {
      return layers_.links[link].to == first.to && layers_.links[link].port == first.port;
    });
  }

  Layers& layers_;
  const Spacing& spacing_;
  std::vector<double> at_;
};

}  // namespace

void place_items(Layers& layers, const Spacing& spacing) { Placer(layers, spacing).run(); }

Tracks assign_tracks(const Layers& layers) {
  struct Span {
    std::size_t item;
    int begin;
    int end;
    int leaves;
  };
  Tracks tracks{std::vector<int>(layers.links.size(), -1), {}};
  for (std::size_t number = 0; number + 1 < layers.order.size(); ++number) {
    std::vector<Span> spans;
    for (const std::size_t from : layers.order[number]) {
      const int leaves = layers.items[from].out_at();
      Span span{from, leaves, leaves, leaves};
      for (const std::size_t link : layers.items[from].out) {
        const Item& to = layers.items[layers.links[link].to];
        const int arrives = to.begin + to.in[layers.links[link].port].offset;
        span.begin = std::min(span.begin, arrives);
        span.end = std::max(span.end, arrives);
      }
      if (span.begin != span.end) spans.push_back(span);
    }
    // Those that go down turn earlier the lower they leave, those that go up the higher: they do not cross each other.
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
      const auto key = [](const Span& span) {
        const bool down = span.end - span.leaves >= span.leaves - span.begin;
        return std::pair(down, down ? -span.leaves : span.leaves);
      };
      return key(a) < key(b);
    });
    int count = 0;
    std::vector<int> track(spans.size(), 0);
    for (std::size_t i = 0; i < spans.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (spans[i].begin <= spans[j].end + 1 && spans[j].begin <= spans[i].end + 1)
          track[i] = std::max(track[i], track[j] + 1);
      }
      count = std::max(count, track[i] + 1);
      for (const std::size_t link : layers.items[spans[i].item].out) tracks.of_link[link] = track[i];
    }
    tracks.count.push_back(count);
  }
  return tracks;
}

}  // namespace tunnel::config
