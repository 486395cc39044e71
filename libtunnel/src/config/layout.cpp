// SPDX-License-Identifier: Apache-2.0
#include "config/layout.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "config/layers.hpp"

namespace tunnel::config {
namespace {

constexpr std::string_view kBreakBehind = " ,/:.-_=";

bool in_sequence(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

// The longest beginning of `text` that is no wider than `pen` allows, a character at least; `text` is wider.
std::size_t fitting(std::string_view text, const Pen& pen) {
  std::size_t fits = 0;
  std::size_t broken = 0;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    if (end < text.size() && in_sequence(text[end])) continue;
    if (fits > 0 && pen.text_width(text.substr(0, end)) > pen.widest_text) break;
    fits = end;
    if (kBreakBehind.find(text[end - 1]) != std::string_view::npos) broken = end;
  }
  return broken > fits / 2 ? broken : fits;
}

std::vector<std::string> broken_lines(const std::vector<std::string>& lines, const Pen& pen) {
  std::vector<std::string> broken;
  for (const std::string& line : lines) {
    std::string_view rest = line;
    while (pen.text_width(rest) > pen.widest_text && !rest.empty()) {
      const std::size_t taken = fitting(rest, pen);
      broken.emplace_back(rest.substr(0, taken));
      rest.remove_prefix(taken);
    }
    if (!rest.empty() || line.empty()) broken.emplace_back(rest);
  }
  return broken;
}

std::string cut_label(std::string label, const Pen& pen) {
  if (pen.text_width(label) <= pen.widest_text) return label;
  while (!label.empty() && pen.text_width(label + "...") > pen.widest_text) {
    while (!label.empty() && in_sequence(label.back())) label.pop_back();
    if (!label.empty()) label.pop_back();
  }
  return label + "...";
}

struct Ends {
  std::size_t from;
  std::size_t to;
};

// The layer of every node: as far as the longest way from where nothing leads to. An edge that closes a circle is
// turned round.
std::vector<std::size_t> layers_of(std::size_t nodes, std::vector<Ends>& edges) {
  std::vector<std::size_t> layer(nodes, 0);
  std::vector<std::size_t> waits_for(nodes, 0);
  std::vector<std::vector<std::size_t>> out(nodes);
  std::vector<bool> done(nodes, false);
  std::vector<std::size_t> ready;
  for (std::size_t edge = 0; edge < edges.size(); ++edge) {
    ++waits_for[edges[edge].to];
    out[edges[edge].from].push_back(edge);
  }
  for (std::size_t node = 0; node < nodes; ++node) {
    if (waits_for[node] == 0) ready.push_back(node);
  }
  for (std::size_t left = nodes; left > 0; --left) {
    if (ready.empty()) {
      const auto node = static_cast<std::size_t>(std::find(done.begin(), done.end(), false) - done.begin());
      for (std::size_t edge = 0; edge < edges.size(); ++edge) {
        if (edges[edge].to != node || done[edges[edge].from]) continue;
        ++waits_for[edges[edge].from];
        out[node].push_back(edge);
        std::swap(edges[edge].from, edges[edge].to);
      }
      ready.push_back(node);
    }
    const std::size_t node = ready.back();
    ready.pop_back();
    done[node] = true;
    for (const std::size_t edge : out[node]) {
      if (edges[edge].from != node) continue;  // turned round since
      const std::size_t to = edges[edge].to;
      layer[to] = std::max(layer[to], layer[node] + 1);
      if (--waits_for[to] == 0) ready.push_back(to);
    }
  }
  return layer;
}

// A part of a graph that hangs together; `nodes` and `edges` of the graph.
class Part {
 public:
  Part(const Pen& pen, std::vector<std::size_t> nodes, std::vector<std::size_t> edges)
      : pen_(pen), nodes_(std::move(nodes)), edges_(std::move(edges)) {}

  // `picture` has the texts.
  void lay_out(const Graph& graph, const Picture& picture) {
    add_boxes(graph, picture);
    for (std::size_t i = 0; i < edges_.size(); ++i) add_chain(i, picture.lines[edges_[i]].label);
    order_layers(layers_);
    for (Item& item : layers_.items) arrange_ports(item);
    place_items(layers_, {pen_.box_gap, pen_.line_gap});
    tracks_ = assign_tracks(layers_);
    measure();
  }

  int along() const { return layer_begin_.back() + layer_along_.back(); }
  int across() const { return end_ - begin_; }

  // With its first layer at `along` and its uppermost point at `across`.
  void draw(Picture& picture, int along, int across) {
    origin_ = {along, across - begin_};
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Item& item = layers_.items[i];
      picture.boxes[nodes_[i]].at = rect(layer_begin_[item.layer], item.begin, item.along, item.across);
    }
    for (std::size_t i = 0; i < edges_.size(); ++i) draw_line(i, picture.lines[edges_[i]]);
  }

 private:
  // The first items are the nodes.
  void add_boxes(const Graph& graph, const Picture& picture) {
    std::vector<std::size_t> local(graph.nodes.size(), 0);
    for (std::size_t i = 0; i < nodes_.size(); ++i) local[nodes_[i]] = i;
    for (const std::size_t edge : edges_) ends_.push_back({local[graph.edges[edge].from], local[graph.edges[edge].to]});
    const std::vector<Ends> straight = ends_;
    const std::vector<std::size_t> layer = layers_of(nodes_.size(), ends_);
    for (std::size_t i = 0; i < ends_.size(); ++i) turned_.push_back(ends_[i].from != straight[i].from);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto [width, height] = size_of(picture.boxes[nodes_[i]].lines);
      Item item;
      item.layer = layer[i];
      item.along = pen_.downwards ? height : width;
      item.across = pen_.downwards ? width : height;
      add_item(std::move(item));
    }
  }

  std::size_t add_item(Item item) {
    if (layers_.order.size() <= item.layer) layers_.order.resize(item.layer + 1);
    layers_.order[item.layer].push_back(layers_.items.size());
    layers_.items.push_back(std::move(item));
    return layers_.items.size() - 1;
  }

  std::pair<int, int> size_of(const std::vector<std::string>& lines) const {
    int widest = 0;
    for (const std::string& line : lines) widest = std::max(widest, pen_.text_width(line));
    return {widest + 2 * pen_.box_margin_x, static_cast<int>(lines.size()) * pen_.text_height + 2 * pen_.box_margin_y};
  }

  // A link for every layer the edge goes on by, the last one to a port for its label.
  void add_chain(std::size_t edge, const std::string& label) {
    std::vector<std::size_t> chain;
    std::size_t at = ends_[edge].from;
    const std::size_t last = layers_.items[ends_[edge].to].layer;
    while (layers_.items[at].layer + 1 < last) {
      Item passage;
      passage.across = 1;
      passage.layer = layers_.items[at].layer + 1;
      passage.in.emplace_back();
      const std::size_t next = add_item(std::move(passage));
      chain.push_back(add_link(at, next, 0));
      at = next;
    }
    chain.push_back(add_link(at, ends_[edge].to, port_for(edge, label)));
    chains_.push_back(std::move(chain));
  }

  std::size_t add_link(std::size_t from, std::size_t to, std::size_t port) {
    const std::size_t link = layers_.links.size();
    layers_.links.push_back({from, to, port});
    layers_.items[from].out.push_back(link);
    layers_.items[to].in[port].links.push_back(link);
    return link;
  }

  std::size_t port_for(std::size_t edge, const std::string& label) {
    Item& item = layers_.items[ends_[edge].to];
    const auto [known, fresh] = ports_.try_emplace({ends_[edge].to, label}, item.in.size());
    if (!fresh) return known->second;
    Port port;
    if (!label.empty()) {
      const int width = pen_.text_width(label);
      if (pen_.downwards) {
        port.after = width + 1;
        port.label_along = pen_.text_height;
      } else {
        port.before = pen_.label_height;
        port.label_along = width + (pen_.label_height == 0 ? 2 : 0);
      }
    }
    item.in.push_back(std::move(port));
    return known->second;
  }

  // The ports of a box in the order of where their lines come from, around its middle.
  void arrange_ports(Item& item) {
    if (!item.is_box() || item.in.empty()) return;
    std::vector<std::size_t> position(layers_.items.size());
    if (item.in.size() > 1) {
      const std::vector<std::size_t>& before = layers_.order[item.layer - 1];
      for (std::size_t i = 0; i < before.size(); ++i) position[before[i]] = i;
    }
    const auto centre = [&](const Port& port) {
      double sum = 0;
      for (const std::size_t link : port.links) sum += static_cast<double>(position[layers_.links[link].from]);
      return sum / static_cast<double>(port.links.size());
    };
    std::sort(item.in.begin(), item.in.end(), [&](const Port& a, const Port& b) {
      return std::pair(centre(a), a.links.front()) < std::pair(centre(b), b.links.front());
    });
    for (std::size_t i = 0; i < item.in.size(); ++i) {
      if (i > 0)
        item.in[i].offset = item.in[i - 1].offset + item.in[i - 1].after + 1 + pen_.line_gap + item.in[i].before;
      for (const std::size_t link : item.in[i].links) layers_.links[link].port = i;
    }
    const int inset = std::max(1, pen_.line_gap);
    item.across = std::max(item.across, item.in.back().offset + 1 + 2 * inset);
    const int first = (item.across - 1 - item.in.back().offset) / 2;
    for (Port& port : item.in) port.offset += first;
  }

  // Boxes of a layer are as long as the longest; between the layers there is room for what turns there and for labels.
  void measure() {
    begin_ = layers_.items.front().begin;
    end_ = begin_;
    layer_along_.assign(layers_.order.size(), 0);
    std::vector<int> labels(layers_.order.size(), 0);
    for (const Item& item : layers_.items) {
      layer_along_[item.layer] = std::max(layer_along_[item.layer], item.along);
      begin_ = std::min(begin_, item.begin);
      end_ = std::max(end_, item.begin + item.across);
      for (const Port& port : item.in) {
        labels[item.layer] = std::max(labels[item.layer], port.label_along);
        begin_ = std::min(begin_, item.begin + port.offset - port.before);
        end_ = std::max(end_, item.begin + port.offset + port.after + 1);
      }
    }
    for (Item& item : layers_.items) {
      if (item.is_box()) item.along = layer_along_[item.layer];
    }
    layer_begin_.assign(layers_.order.size(), 0);
    for (std::size_t number = 1; number < layers_.order.size(); ++number) {
      const int turning = tracks_.count[number - 1] * pen_.track_gap;
      layer_begin_[number] =
          layer_begin_[number - 1] + layer_along_[number - 1] + pen_.stub + turning + labels[number] + pen_.tail;
    }
  }

  void draw_line(std::size_t edge, Picture::Line& line) const {
    const auto add = [&](int along, int across) {
      const Point next = point(along, across);
      std::vector<Point>& points = line.points;
      if (!points.empty() && points.back() == next) return;
      const bool straight =
          points.size() > 1 && ((points.back().x == next.x && points[points.size() - 2].x == next.x) ||
                                (points.back().y == next.y && points[points.size() - 2].y == next.y));
      if (straight) points.pop_back();
      points.push_back(next);
    };
    for (const std::size_t number : chains_[edge]) {
      const Link& link = layers_.links[number];
      const Item& from = layers_.items[link.from];
      const Item& to = layers_.items[link.to];
      const int arrives = to.begin + to.in[link.port].offset;
      const int leaves = layer_begin_[from.layer] + layer_along_[from.layer];
      add(leaves, from.out_at());
      if (arrives != from.out_at()) {
        const int turns = leaves + pen_.stub + tracks_.of_link[number] * pen_.track_gap;
        add(turns, from.out_at());
        add(turns, arrives);
      }
      add(layer_begin_[to.layer], arrives);
    }
    if (turned_[edge]) std::reverse(line.points.begin(), line.points.end());
    const std::size_t last = chains_[edge].back();
    const Item& to = layers_.items[layers_.links[last].to];
    const Port& port = to.in[layers_.links[last].port];
    if (port.links.front() != last) line.label.clear();  // stands on the first of the lines that arrive together
    place_label(line, to, port);
  }

  void place_label(Picture::Line& line, const Item& to, const Port& port) const {
    if (line.label.empty()) return;
    const int along = layer_begin_[to.layer] - pen_.tail - port.label_along;
    const int line_at = to.begin + port.offset;
    if (pen_.downwards) {
      line.label_at = rect(along, line_at + 2, port.label_along, port.after - 1);
    } else if (pen_.label_height == 0) {
      line.label_at = rect(along, line_at, port.label_along, pen_.text_height);
    } else {
      line.label_at = rect(along, line_at - port.before, port.label_along, port.before);
    }
  }

  Point point(int along, int across) const {
    const Point moved{origin_.x + along, origin_.y + across};
    return pen_.downwards ? Point{moved.y, moved.x} : moved;
  }
  Rect rect(int along, int across, int length, int breadth) const {
    const Point corner = point(along, across);
    return pen_.downwards ? Rect{corner.x, corner.y, breadth, length} : Rect{corner.x, corner.y, length, breadth};
  }

  const Pen& pen_;
  std::vector<std::size_t> nodes_;
  std::vector<std::size_t> edges_;
  std::vector<Ends> ends_;                        // of edges_, among nodes_
  std::vector<bool> turned_;                      // of edges_: drawn from its end to its beginning
  std::vector<std::vector<std::size_t>> chains_;  // of edges_: links
  std::map<std::pair<std::size_t, std::string>, std::size_t> ports_;
  Layers layers_;
  Tracks tracks_;
  std::vector<int> layer_begin_;
  std::vector<int> layer_along_;
  int begin_ = 0;  // across, labels included
  int end_ = 0;
  Point origin_;  // x along, y across
};

std::vector<Part> parts_of(const Graph& graph, const Pen& pen) {
  std::vector<std::size_t> group(graph.nodes.size());
  std::iota(group.begin(), group.end(), 0U);
  const auto root = [&](std::size_t node) {
    while (group[node] != node) node = group[node] = group[group[node]];
    return node;
  };
  for (const Edge& edge : graph.edges) {
    const std::size_t a = root(edge.from);
    const std::size_t b = root(edge.to);
    group[std::max(a, b)] = std::min(a, b);  // so that parts stand in the order of their first nodes
  }
  std::map<std::size_t, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> members;
  for (std::size_t node = 0; node < graph.nodes.size(); ++node) members[root(node)].first.push_back(node);
  for (std::size_t edge = 0; edge < graph.edges.size(); ++edge) {
    if (graph.edges[edge].from != graph.edges[edge].to) members[root(graph.edges[edge].from)].second.push_back(edge);
  }
  std::vector<Part> parts;
  parts.reserve(members.size());
  for (auto& [first, member] : members) parts.emplace_back(pen, std::move(member.first), std::move(member.second));
  return parts;
}

}  // namespace

Picture picture_of(const Graph& graph, const Pen& pen) {
  Picture picture;
  for (const Node& node : graph.nodes) picture.boxes.push_back({{}, node.kind, broken_lines(node.lines, pen)});
  for (const Edge& edge : graph.edges) picture.lines.push_back({{}, cut_label(edge.label, pen), {}});
  int along = 0;
  int across = 0;
  for (Part& part : parts_of(graph, pen)) {
    part.lay_out(graph, picture);
    part.draw(picture, pen.downwards ? along : 0, pen.downwards ? 0 : across);
    // Below the one before, whichever way the lines run.
    if (pen.downwards) {
      along += part.along() + pen.box_gap;
      across = std::max(across, part.across());
    } else {
      across += part.across() + pen.box_gap;
      along = std::max(along, part.along());
    }
  }
  picture.width = pen.downwards ? across : along;
  picture.height = (pen.downwards ? along : across) - pen.box_gap;
  return picture;
}

}  // namespace tunnel::config
