// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "config/draw.hpp"

namespace tunnel::config {
namespace {

constexpr int kMargin = 16;  // around the picture
constexpr int kFontSize = 12;
constexpr int kCorner = 6;  // radius where a line turns
constexpr int kArrowLength = 8;
constexpr int kArrowHalf = 4;
constexpr int kBaseline = 12;  // of a line of text, from its upper edge

// Thousandths of the font size, from ' ' to '~': the widest of the usual sans-serif fonts, bold ones and a monospaced
// one among them, so that text stays in its box whatever the reader's font is.
constexpr std::array<int, 95> kWidths = {
    602, 602,  602, 838, 696, 1002, 872, 602, 602, 602, 602, 838, 602, 602,  602, 602, 696, 696,  696,
    696, 696,  696, 696, 696, 696,  696, 602, 602, 838, 838, 838, 611, 1000, 774, 762, 734, 830,  683,
    683, 821,  837, 602, 602, 775,  637, 995, 837, 850, 733, 850, 770, 720,  682, 812, 774, 1103, 771,
    724, 725,  602, 602, 602, 838,  602, 602, 675, 716, 602, 716, 678, 602,  716, 712, 602, 602,  665,
    602, 1042, 712, 687, 716, 716,  602, 602, 602, 712, 652, 924, 645, 652,  602, 712, 602, 712,  838};
constexpr int kWidestCharacter = 1103;
constexpr int kMarginPercent = 4;

int text_width(std::string_view text) {
  int thousandths = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      thousandths += kWidths.at(byte - 0x20U);
    } else if ((byte & 0xc0U) != 0x80U) {
      thousandths += kWidestCharacter;
    }
  }
  return (thousandths * kFontSize * (100 + kMarginPercent) + 99'999) / 100'000;
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

constexpr std::string_view kStyle = R"(<style>
.tunnel-graph text { font: 12px sans-serif; fill: #1f2328; white-space: pre; }
.tunnel-graph .name { font-weight: 600; }
.tunnel-graph .label { fill: #59636e; }
.tunnel-graph .paper { fill: #ffffff; }
.tunnel-graph .line { fill: none; stroke: #6e7781; stroke-width: 1.5; }
.tunnel-graph .arrow { fill: #6e7781; }
.tunnel-graph .box { stroke-width: 1.5; }
.tunnel-graph .clients, .tunnel-graph .endpoint { fill: #f3f4f6; stroke: #8c959f; }
.tunnel-graph .listener { fill: #ddf0ff; stroke: #2f7fc8; }
.tunnel-graph .internal { fill: #eef7ff; stroke: #2f7fc8; stroke-dasharray: 5 3; }
.tunnel-graph .cluster { fill: #f3ecff; stroke: #8a5fd0; }
@media (prefers-color-scheme: dark) {
.tunnel-graph text { fill: #e6edf3; }
.tunnel-graph .label { fill: #a5aeb8; }
.tunnel-graph .paper { fill: #0d1117; }
.tunnel-graph .line { stroke: #8b949e; }
.tunnel-graph .arrow { fill: #8b949e; }
.tunnel-graph .clients, .tunnel-graph .endpoint { fill: #21262d; stroke: #6e7681; }
.tunnel-graph .listener { fill: #10304d; stroke: #58a6ff; }
.tunnel-graph .internal { fill: #0f2438; stroke: #58a6ff; }
.tunnel-graph .cluster { fill: #2a1f45; stroke: #a98bea; }
}
</style>
)";

std::string_view class_of(Node::Kind kind) {
  constexpr std::array<std::string_view, 5> kNames = {"clients", "listener", "internal", "cluster", "endpoint"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string number(const std::string& name, int value) { return " " + name + "=\"" + std::to_string(value) + "\""; }
std::string pair(int x, int y) { return std::to_string(x) + " " + std::to_string(y); }

// A point of the way from `from` to `to`, `distance` before its end.
Point before(const Point& from, const Point& to, int distance) {
  const int x = (to.x > from.x) - (to.x < from.x);
  const int y = (to.y > from.y) - (to.y < from.y);
  return {to.x - x * distance, to.y - y * distance};
}

int length(const Point& a, const Point& b) { return std::abs(a.x - b.x) + std::abs(a.y - b.y); }

std::string path_of(const std::vector<Point>& points) {
  std::string path = "M" + pair(points.front().x, points.front().y);
  for (std::size_t i = 1; i + 1 < points.size(); ++i) {
    const int radius = std::min({kCorner, length(points[i - 1], points[i]) / 2, length(points[i], points[i + 1]) / 2});
    const Point begin = before(points[i - 1], points[i], radius);
    const Point end = before(points[i + 1], points[i], radius);
    path += "L" + pair(begin.x, begin.y) + "Q" + pair(points[i].x, points[i].y) + " " + pair(end.x, end.y);
  }
  const Point end = before(points[points.size() - 2], points.back(), kArrowLength);
  return path + "L" + pair(end.x, end.y);
}

std::string arrow_at(const Point& from, const Point& tip) {
  const Point base = before(from, tip, kArrowLength);
  const int across_x = tip.x == base.x ? kArrowHalf : 0;
  const int across_y = tip.y == base.y ? kArrowHalf : 0;
  return "M" + pair(tip.x, tip.y) + "L" + pair(base.x - across_x, base.y - across_y) + "L" +
         pair(base.x + across_x, base.y + across_y) + "Z";
}

std::string box_of(const Picture::Box& box, const Pen& pen) {
  const bool outside = box.kind == Node::Kind::clients || box.kind == Node::Kind::endpoint;
  const Rect& at = box.at;
  std::string out = "<rect class=\"box " + std::string(class_of(box.kind)) + "\"" + number("x", at.x) +
                    number("y", at.y) + number("width", at.width) + number("height", at.height) +
                    number("rx", outside ? 12 : 4) + "/>\n";
  int y = at.y + (at.height - static_cast<int>(box.lines.size()) * pen.text_height) / 2 + kBaseline;
  for (const std::string& line : box.lines) {
    const bool name = &line == &box.lines.front();
    out += "<text" + std::string(name ? " class=\"name\"" : "") + number("x", at.x + pen.box_margin_x) +
           number("y", y) + ">" + escaped(line) + "</text>\n";
    y += pen.text_height;
  }
  return out;
}

}  // namespace

Pen svg_pen() {
  Pen pen;
  pen.text_width = text_width;
  pen.widest_text = 300;
  pen.text_height = 16;
  pen.box_margin_x = 12;
  pen.box_margin_y = 8;
  pen.label_height = 18;
  pen.box_gap = 20;
  pen.line_gap = 13;
  pen.track_gap = 10;
  pen.stub = 16;
  pen.tail = 22;
  return pen;
}

std::string draw_svg(const Graph& graph) {
  const Pen pen = svg_pen();
  const Picture picture = picture_of(graph, pen);
  const int width = picture.width + 2 * kMargin;
  const int height = picture.height + 2 * kMargin;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tunnel-graph\" role=\"img\"" +
                    number("width", width) + number("height", height) + " viewBox=\"" + pair(-kMargin, -kMargin) + " " +
                    pair(width, height) + "\">\n<title>Listeners, clusters and what they lead to</title>\n";
  out += kStyle;
  out += "<rect class=\"paper\"" + number("x", -kMargin) + number("y", -kMargin) + number("width", width) +
         number("height", height) + "/>\n";
  // One path for all: where lines run together they are no darker.
  std::string lines;
  std::string arrows;
  for (const Picture::Line& line : picture.lines) {
    if (line.points.size() < 2) continue;
    lines += path_of(line.points);
    arrows += arrow_at(line.points[line.points.size() - 2], line.points.back());
  }
  out += "<path class=\"line\" d=\"" + lines + "\"/>\n<path class=\"arrow\" d=\"" + arrows + "\"/>\n";
  for (const Picture::Box& box : picture.boxes) out += box_of(box, pen);
  for (const Picture::Line& line : picture.lines) {
    if (line.label.empty()) continue;
    out += "<text class=\"label\"" + number("x", line.label_at.x) + number("y", line.label_at.y + kBaseline) + ">" +
           escaped(line.label) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace tunnel::config
