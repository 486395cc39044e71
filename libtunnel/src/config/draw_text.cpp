// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/draw.hpp"

namespace tunnel::config {
namespace {

// The UTF-8 character `text` begins with, and the bytes it takes; `text` is printable() and not empty.
struct Character {
  char32_t code;
  std::size_t bytes;
};

Character first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t code = bytes == 1 ? lead : lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < std::min(bytes, text.size()); ++i)
    code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  return {code, std::min(bytes, text.size())};
}

// The cells a terminal takes for it (Unicode Standard Annex 11, in large).
int cells_of(char32_t code) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  constexpr std::array<Range, 9> kWide = {{{0x1100, 0x115f},
                                           {0x2e80, 0xa4cf},
                                           {0xac00, 0xd7a3},
                                           {0xf900, 0xfaff},
                                           {0xfe30, 0xfe6f},
                                           {0xff00, 0xff60},
                                           {0xffe0, 0xffe6},
                                           {0x1f300, 0x1faff},
                                           {0x20000, 0x3fffd}}};
  if (code >= 0x300 && code < 0x370) return 0;  // combining
  const bool wide = std::any_of(kWide.begin(), kWide.end(),
                                [&](const Range& range) { return code >= range.first && code <= range.last; });
  return wide ? 2 : 1;
}

int text_width(std::string_view text) {
  int cells = 0;
  while (!text.empty()) {
    const auto [code, bytes] = first_of(text);
    cells += cells_of(code);
    text.remove_prefix(bytes);
  }
  return cells;
}

// Directions a line leaves a cell in.
constexpr unsigned kUp = 1;
constexpr unsigned kRight = 2;
constexpr unsigned kDown = 4;
constexpr unsigned kLeft = 8;

struct Cell {
  std::string text;      // what stands there; a wide character's second cell has `taken` only
  unsigned lines = 0;    // directions
  bool taken = false;    // by text or the edge of a box
  bool across = false;   // a line passes from left to right
  bool upright = false;  // one passes from top to bottom
  bool turns = false;    // one turns here: then all lines of this cell are joined
};

class Canvas {
 public:
  Canvas(const Picture& picture, bool unicode)
      : width_(picture.width),
        cells_(static_cast<std::size_t>(std::max(0, picture.width)) *
               static_cast<std::size_t>(std::max(0, picture.height))),
        unicode_(unicode) {
    for (const Picture::Box& box : picture.boxes) add_box(box);
    for (const Picture::Line& line : picture.lines) add_line(line);
    for (const Head& head : heads_) add_head(head);
    for (const Picture::Line& line : picture.lines) add_label(line);
  }

  std::string text() const {
    std::string out;
    for (std::size_t row = 0; width_ > 0 && row < cells_.size(); row += static_cast<std::size_t>(width_)) {
      std::string line;
      for (std::size_t at = row; at < row + static_cast<std::size_t>(width_); ++at) line += shown(cells_[at]);
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  struct Head {
    Point at;
    unsigned direction;
  };

  Cell& at(int x, int y) {
    return cells_.at(static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x));
  }

  std::string glyph(const char* unicode, const char* plain) const { return unicode_ ? unicode : plain; }

  void put(int x, int y, std::string text) {
    Cell& cell = at(x, y);
    cell.text = std::move(text);
    cell.taken = true;
  }

  void write(int x, int y, std::string_view text) {
    while (!text.empty()) {
      const auto [code, bytes] = first_of(text);
      const int cells = cells_of(code);
      if (cells == 0) {
        at(x - 1, y).text += text.substr(0, bytes);
      } else {
        put(x, y,
            code < 0x80 || unicode_ ? std::string(text.substr(0, bytes))
                                    : std::string(static_cast<std::size_t>(cells), '?'));
      }
      if (cells == 2) put(x + 1, y, "");
      x += cells;
      text.remove_prefix(bytes);
    }
  }

  void add_box(const Picture::Box& box) {
    const Rect& edge = box.at;
    const bool outside = box.kind == Node::Kind::clients || box.kind == Node::Kind::endpoint;
    const int right = edge.x + edge.width - 1;
    const int bottom = edge.y + edge.height - 1;
    for (int x = edge.x + 1; x < right; ++x) {
      put(x, edge.y, glyph("─", "-"));
      put(x, bottom, glyph("─", "-"));
    }
    for (int y = edge.y + 1; y < bottom; ++y) {
      put(edge.x, y, glyph("│", "|"));
      put(right, y, glyph("│", "|"));
    }
    put(edge.x, edge.y, outside ? glyph("╭", ".") : glyph("┌", "+"));
    put(right, edge.y, outside ? glyph("╮", ".") : glyph("┐", "+"));
    put(edge.x, bottom, outside ? glyph("╰", "'") : glyph("└", "+"));
    put(right, bottom, outside ? glyph("╯", "'") : glyph("┘", "+"));
    int y = edge.y + (edge.height - static_cast<int>(box.lines.size())) / 2;
    for (const std::string& line : box.lines) write(edge.x + 2, y++, line);
  }

  // Cell by cell; what lies in a box is left out, and the last cell before it is the head of the arrow.
  void add_line(const Picture::Line& line) {
    if (line.points.size() < 2) return;
    std::vector<Point> way{line.points.front()};
    for (std::size_t i = 1; i < line.points.size(); ++i) {
      while (way.back() != line.points[i]) {
        Point next = way.back();
        next.x += (line.points[i].x > next.x) - (line.points[i].x < next.x);
        next.y += (line.points[i].y > next.y) - (line.points[i].y < next.y);
        way.push_back(next);
      }
    }
    const auto in_box = [&](const Point& point) { return at(point.x, point.y).taken; };
    if (in_box(way.front())) way.erase(way.begin());
    if (in_box(way.back())) way.pop_back();
    for (std::size_t i = 0; i < way.size(); ++i) {
      unsigned lines = 0;
      if (i > 0) lines |= direction(way[i], way[i - 1]);
      if (i + 1 < way.size()) lines |= direction(way[i], way[i + 1]);
      add_cell(way[i], lines);
    }
    heads_.push_back({way.back(), way.size() > 1 ? direction(way[way.size() - 2], way.back()) : kRight});
    // The edge of the box it comes from.
    const unsigned begin = way.size() > 1 ? direction(way[0], way[1]) : kRight;
    if (begin == kRight && way.front().x > 0) put(way.front().x - 1, way.front().y, glyph("├", "|"));
    if (begin == kDown && way.front().y > 0) put(way.front().x, way.front().y - 1, glyph("┬", "-"));
  }

  void add_head(const Head& head) {
    std::string text = glyph("▶", ">");
    if (head.direction == kDown) text = glyph("▼", "v");
    if (head.direction == kLeft) text = glyph("◀", "<");
    if (head.direction == kUp) text = glyph("▲", "^");
    put(head.at.x, head.at.y, std::move(text));
  }

  static unsigned direction(const Point& from, const Point& to) {
    if (to.y != from.y) return to.y < from.y ? kUp : kDown;
    return to.x < from.x ? kLeft : kRight;
  }

  void add_cell(const Point& point, unsigned lines) {
    Cell& cell = at(point.x, point.y);
    cell.lines |= lines;
    if ((lines & ~(kLeft | kRight)) == 0) {
      cell.across = true;
    } else if ((lines & ~(kUp | kDown)) == 0) {
      cell.upright = true;
    } else {
      cell.turns = true;
    }
  }

  void add_label(const Picture::Line& line) {
    if (line.label.empty()) return;
    // Where it interrupts its line there is a blank on both sides.
    const bool inside = line.label_at.width > text_width(line.label);
    write(line.label_at.x, line.label_at.y, inside ? " " + line.label + " " : line.label);
  }

  std::string shown(const Cell& cell) const {
    if (cell.taken) return cell.text;
    if (cell.lines == 0) return " ";
    constexpr std::array<const char*, 16> kJoined = {" ", "│", "─", "└", "│", "│", "┌", "├",
                                                     "─", "┘", "─", "┴", "┐", "┤", "┬", "┼"};
    const bool crossing = cell.across && cell.upright && !cell.turns;
    const bool upright = (cell.lines & ~(kUp | kDown)) == 0;
    const bool across = (cell.lines & ~(kLeft | kRight)) == 0;
    // Where two lines cross without meeting, the one across goes behind the other.
    if (crossing || upright) return glyph("│", "|");
    return glyph(kJoined.at(cell.lines), across ? "-" : "+");
  }

  int width_;
  std::vector<Cell> cells_;
  bool unicode_;
  std::vector<Head> heads_;
};

}  // namespace

Pen text_pen(bool downwards) {
  Pen pen;
  pen.text_width = text_width;
  pen.widest_text = 36;
  pen.text_height = 1;
  pen.box_margin_x = 2;
  pen.box_margin_y = 1;
  pen.box_gap = downwards ? 2 : 1;
  pen.line_gap = downwards ? 2 : 1;
  pen.track_gap = downwards ? 1 : 2;
  pen.stub = downwards ? 1 : 2;
  pen.tail = downwards ? 1 : 3;
  pen.downwards = downwards;
  return pen;
}

std::string draw_text(const Graph& graph, const TextStyle& style) {
  Picture picture = picture_of(graph, text_pen(false));
  if (picture.width > style.columns) {
    Picture downwards = picture_of(graph, text_pen(true));
    if (downwards.width < picture.width) picture = std::move(downwards);
  }
  return Canvas(picture, style.unicode).text();
}

}  // namespace tunnel::config
