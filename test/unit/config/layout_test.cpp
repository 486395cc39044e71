// SPDX-License-Identifier: Apache-2.0
// Pictures of random plans: nothing overlaps, every text fits, every line goes round the boxes and is told from others.
#include "config/layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/draw.hpp"
#include "support/random_plan.hpp"

namespace tunnel::config {
namespace {

constexpr std::uint64_t kSeeds = 300;

int right(const Rect& at) { return at.x + at.width; }
int bottom(const Rect& at) { return at.y + at.height; }

bool overlap(const Rect& a, const Rect& b) {
  return a.x < right(b) && b.x < right(a) && a.y < bottom(b) && b.y < bottom(a);
}

// A straight piece of a line as the cells (or pixels) it covers.
Rect covered(const Point& a, const Point& b) {
  return {std::min(a.x, b.x), std::min(a.y, b.y), std::abs(a.x - b.x) + 1, std::abs(a.y - b.y) + 1};
}

struct Piece {
  std::size_t line;
  Rect at;
  bool across;
};

struct Drawn {
  const Graph& graph;
  const Pen& pen;
  const Picture& picture;
  std::vector<Piece> pieces;
};

std::vector<Piece> pieces_of(const Picture& picture) {
  std::vector<Piece> pieces;
  for (std::size_t line = 0; line < picture.lines.size(); ++line) {
    const std::vector<Point>& points = picture.lines[line].points;
    for (std::size_t i = 1; i < points.size(); ++i)
      pieces.push_back({line, covered(points[i - 1], points[i]), points[i - 1].y == points[i].y});
  }
  return pieces;
}

void expect_boxes_apart_and_full_of_text(const Drawn& drawn) {
  const std::vector<Picture::Box>& boxes = drawn.picture.boxes;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const Rect& at = boxes[i].at;
    EXPECT_TRUE(at.x >= 0 && at.y >= 0 && right(at) <= drawn.picture.width && bottom(at) <= drawn.picture.height);
    for (const std::string& line : boxes[i].lines)
      EXPECT_LE(drawn.pen.text_width(line) + 2 * drawn.pen.box_margin_x, at.width) << line;
    EXPECT_LE(static_cast<int>(boxes[i].lines.size()) * drawn.pen.text_height + 2 * drawn.pen.box_margin_y, at.height);
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(overlap(at, boxes[j].at)) << boxes[i].lines.front();
    // Broken lines are whole when joined.
    std::string text;
    std::string whole;
    for (const std::string& line : boxes[i].lines) text += line;
    for (const std::string& line : drawn.graph.nodes[i].lines) whole += line;
    EXPECT_EQ(text, whole);
  }
}

void expect_lines_from_box_to_box_around_others(const Drawn& drawn) {
  for (std::size_t i = 0; i < drawn.picture.lines.size(); ++i) {
    const Edge& edge = drawn.graph.edges[i];
    const std::vector<Point>& points = drawn.picture.lines[i].points;
    ASSERT_GE(points.size(), 2U);
    const Rect& from = drawn.picture.boxes[edge.from].at;
    const Rect& to = drawn.picture.boxes[edge.to].at;
    const bool down = drawn.pen.downwards;
    EXPECT_EQ(down ? points.front().y : points.front().x, down ? bottom(from) : right(from));
    EXPECT_EQ(down ? points.back().y : points.back().x, down ? to.y : to.x);
    EXPECT_TRUE(down ? points.front().x > from.x && points.front().x < right(from) - 1
                     : points.front().y > from.y && points.front().y < bottom(from) - 1);
    EXPECT_TRUE(down ? points.back().x > to.x && points.back().x < right(to) - 1
                     : points.back().y > to.y && points.back().y < bottom(to) - 1);
    for (std::size_t at = 1; at < points.size(); ++at)
      EXPECT_NE(points[at - 1].x == points[at].x, points[at - 1].y == points[at].y) << "neither across nor upright";
  }
  for (const Piece& piece : drawn.pieces) {
    for (std::size_t i = 0; i < drawn.picture.boxes.size(); ++i) {
      Rect box = drawn.picture.boxes[i].at;
      // The end of a line is on the edge of its box.
      if (i == drawn.graph.edges[piece.line].to) box = {box.x + 1, box.y + 1, box.width - 2, box.height - 2};
      EXPECT_FALSE(overlap(piece.at, box)) << drawn.picture.boxes[i].lines.front();
    }
  }
}

void expect_labels_apart(const Drawn& drawn) {
  std::map<std::pair<std::size_t, std::string>, int> labels;  // a box and a label into it
  for (std::size_t i = 0; i < drawn.picture.lines.size(); ++i) {
    const Picture::Line& line = drawn.picture.lines[i];
    labels[{drawn.graph.edges[i].to, drawn.graph.edges[i].label}] += line.label.empty() ? 0 : 1;
    if (line.label.empty()) continue;
    EXPECT_LE(drawn.pen.text_width(line.label), line.label_at.width) << line.label;
    EXPECT_GE(line.label_at.height, drawn.pen.text_height);
    EXPECT_TRUE(line.label_at.x >= 0 && line.label_at.y >= 0 && right(line.label_at) <= drawn.picture.width &&
                bottom(line.label_at) <= drawn.picture.height);
    for (const Picture::Box& box : drawn.picture.boxes) EXPECT_FALSE(overlap(line.label_at, box.at)) << line.label;
    for (std::size_t j = 0; j < i; ++j) {
      const Picture::Line& other = drawn.picture.lines[j];
      EXPECT_FALSE(!other.label.empty() && overlap(line.label_at, other.label_at)) << line.label;
    }
    // Only lines it is for pass by it, if any.
    for (const Piece& piece : drawn.pieces) {
      if (drawn.picture.lines[piece.line].points.back() != line.points.back()) {
        EXPECT_FALSE(overlap(line.label_at, piece.at)) << line.label;
      }
    }
  }
  for (const auto& [where, count] : labels) EXPECT_EQ(count, where.second.empty() ? 0 : 1) << where.second;
}

// Lines that have neither a box they come from nor a point they arrive at in common cross, but never share a way.
void expect_lines_apart(const Drawn& drawn) {
  for (std::size_t i = 0; i < drawn.pieces.size(); ++i) {
    const Piece& one = drawn.pieces[i];
    for (std::size_t j = 0; j < i; ++j) {
      const Piece& two = drawn.pieces[j];
      if (one.across != two.across || !overlap(one.at, two.at)) continue;
      const bool together = drawn.graph.edges[one.line].from == drawn.graph.edges[two.line].from ||
                            drawn.picture.lines[one.line].points.back() == drawn.picture.lines[two.line].points.back();
      EXPECT_TRUE(together) << drawn.graph.nodes[drawn.graph.edges[one.line].from].lines.front() << " and "
                            << drawn.graph.nodes[drawn.graph.edges[two.line].from].lines.front();
    }
  }
}

void expect_good_picture(const Graph& graph, const Pen& pen) {
  const Picture picture = picture_of(graph, pen);
  ASSERT_EQ(picture.boxes.size(), graph.nodes.size());
  ASSERT_EQ(picture.lines.size(), graph.edges.size());
  const Drawn drawn{graph, pen, picture, pieces_of(picture)};
  expect_boxes_apart_and_full_of_text(drawn);
  expect_lines_from_box_to_box_around_others(drawn);
  expect_labels_apart(drawn);
  expect_lines_apart(drawn);
}

void expect_good_pictures(unsigned most_listeners, std::uint64_t seeds) {
  test::PlanTaste taste;
  taste.most_listeners = most_listeners;
  for (std::uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph graph = graph_of(test::random_plan(seed, taste));
    expect_good_picture(graph, svg_pen());
    expect_good_picture(graph, text_pen(false));
    expect_good_picture(graph, text_pen(true));
  }
}

TEST(Layout, NothingOverlapsInSmallPictures) { expect_good_pictures(8, kSeeds); }
TEST(Layout, NothingOverlapsInLargePictures) { expect_good_pictures(40, 40); }

Graph graph_with(std::size_t nodes, std::vector<std::pair<std::size_t, std::size_t>> edges) {
  Graph graph;
  for (std::size_t i = 0; i < nodes; ++i) graph.nodes.push_back({Node::Kind::cluster, {"n" + std::to_string(i)}});
  for (const auto& [from, to] : edges) graph.edges.push_back({from, to, "to " + std::to_string(to)});
  return graph;
}

TEST(Layout, LinesThatCouldCrossDoNot) {
  // Two ways whose boxes come in the wrong order.
  const Graph graph = graph_with(6, {{0, 1}, {0, 2}, {1, 4}, {2, 3}, {4, 5}, {3, 5}});
  const Picture picture = picture_of(graph, svg_pen());
  const std::vector<Piece> pieces = pieces_of(picture);
  for (const Piece& one : pieces) {
    for (const Piece& two : pieces) {
      if (one.line == two.line || one.across == two.across || !overlap(one.at, two.at)) continue;
      const bool together = graph.edges[one.line].from == graph.edges[two.line].from ||
                            graph.edges[one.line].to == graph.edges[two.line].to;
      EXPECT_TRUE(together) << one.line << " and " << two.line;
    }
  }
}

TEST(Layout, WhatHangsTogetherIsApartFromTheRest) {
  const Picture picture = picture_of(graph_with(4, {{0, 2}, {1, 3}}), svg_pen());
  EXPECT_EQ(picture.lines[0].points.size(), 2U);
  EXPECT_EQ(picture.lines[1].points.size(), 2U);
  EXPECT_LT(bottom(picture.boxes[2].at), picture.boxes[1].at.y);
  EXPECT_EQ(picture.boxes[0].at.x, picture.boxes[1].at.x);
}

// check() refuses circles it knows of; what it does not know of must not hang the picture.
TEST(Layout, CirclesAreDrawnAllTheSame) {
  for (const bool downwards : {false, true}) {
    const Picture picture = picture_of(graph_with(4, {{0, 1}, {1, 2}, {2, 1}, {2, 3}, {3, 3}}), text_pen(downwards));
    EXPECT_GT(picture.width, 0);
    EXPECT_GE(picture.lines[2].points.size(), 2U);
    EXPECT_TRUE(picture.lines[4].points.empty());
  }
  EXPECT_NE(draw_text(graph_with(2, {{0, 1}, {1, 0}}), {true, 200}), "");
}

TEST(Layout, OfNothingIsNothing) {
  const Picture picture = picture_of({}, svg_pen());
  EXPECT_EQ(picture.width, 0);
  EXPECT_TRUE(picture.boxes.empty());
  EXPECT_EQ(draw_text({}, {true, 80}), "");
}

TEST(Layout, AVeryLongChainIsDrawnInTime) {
  std::vector<std::pair<std::size_t, std::size_t>> edges;
  for (std::size_t i = 0; i < 5000; ++i) edges.emplace_back(i, i + 1);
  EXPECT_EQ(picture_of(graph_with(5001, edges), text_pen(true)).lines.back().points.size(), 2U);
}

}  // namespace
}  // namespace tunnel::config
