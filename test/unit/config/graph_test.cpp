// SPDX-License-Identifier: Apache-2.0
// --graph in its three forms: what is in the picture, and that it is escaped, closed and the same from every notation.
#include "config/graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "config/draw.hpp"
#include "support/random_plan.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using Texts = std::vector<std::string>;

// "name -label-> name", in order.
Texts edges_of(const Graph& graph) {
  Texts edges;
  for (const Edge& edge : graph.edges)
    edges.push_back(graph.nodes[edge.from].lines.front() + " -" + edge.label + "-> " +
                    graph.nodes[edge.to].lines.front());
  return edges;
}

Texts edges_of_line(Program program, const Texts& arguments) { return edges_of(graph_of(plan_of(program, arguments))); }

TEST(Graph, EveryHopIsANodeOrAnEdge) {
  EXPECT_EQ(edges_of_line(Program::tcp_chain, {"-l", "1", "-t", "a:2"}),
            (Texts{"tcp-chain-1 --> tcp-chain-1.to", "tcp-chain-1.to -TCP-> a:2", "clients --> tcp-chain-1"}));
  EXPECT_EQ(
      edges_of_line(Program::tun_encap, {"-l", "1", "-x", "h2c:a:2", "--target", "host.com:443", "--http"}),
      (Texts{"tun-encap-1 -h1 requests-> tun-encap-1.http", "tun-encap-1.http -internal-> internal:tun-encap-1.http",
             "internal:tun-encap-1.http -h2 CONNECT host.com:443-> tun-encap-1.proxy", "tun-encap-1.proxy -TCP-> a:2",
             "clients --> tun-encap-1"}));
  EXPECT_EQ(edges_of_line(Program::tun_decap, {"-l", "1", "--allow", "a:2", "--deny", "b:3"}),
            (Texts{"tun-decap-1 -inside of CONNECT-> tun-decap-1.allow",
                   "tun-decap-1.allow -TCP-> what the CONNECT names", "clients --> tun-decap-1"}));
  EXPECT_EQ(edges_of_line(Program::tcp_chain, {"-l", "1", "-t", "echo:"}), (Texts{"clients --> tcp-chain-1"}));
}

TEST(Graph, AnAddressOfAListenerOfThePlanLeadsToIt) {
  const Texts edges =
      edges_of_line(Program::tun_run, {"-e", "tcp-chain -l 1 -t localhost:2", "-e", "tcp-chain -l 2 -t [::1]:3", "-e",
                                       "tcp-chain -l 127.0.0.1:3 -t a:4"});
  EXPECT_EQ(edges, (Texts{"tcp-chain-1 --> tcp-chain-1.to", "tcp-chain-1.to -TCP localhost:2-> tcp-chain-2",
                          "tcp-chain-2 --> tcp-chain-2.to", "tcp-chain-2.to -TCP-> [::1]:3",
                          "tcp-chain-3 --> tcp-chain-3.to", "tcp-chain-3.to -TCP-> a:4", "clients --> tcp-chain-1",
                          "clients --> tcp-chain-2", "clients --> tcp-chain-3"}));
}

TEST(Graph, BoxesSayWhatThereIs) {
  plan::Plan plan = plan_of(Program::tun_decap, {"-l", "1", "-l", "[::1]:2", "--to", "respond:404:no"});
  plan.clusters.front().endpoints.push_back({plan::Unix{"/run/\x01x", 0600}});
  plan.clusters.front().lb = plan::Lb::least;
  plan.clusters.front().pool.connections = 2;
  const Graph graph = graph_of(plan);
  EXPECT_EQ(graph.nodes.at(0).lines,
            (Texts{"tun-decap-1", "localhost:1", "[::1]:2", "http_proxy, HTTP/1.1 or HTTP/2"}));
  EXPECT_EQ(graph.nodes.at(1).lines,
            (Texts{"internal:tun-decap-1.to", "http_proxy, HTTP/1.1 or HTTP/2", "answers 404, 3 bytes"}));
  EXPECT_EQ(graph.nodes.at(2).lines, (Texts{"tun-decap-1.to", "cluster, lb: least", "2 connections a worker"}));
  EXPECT_EQ(graph.nodes.at(3).lines, (Texts{"unix:/run/\\x01x"}));
}

TEST(Graph, ManyRulesAreCutShort) {
  Texts arguments = {"-l", "1"};
  for (int port = 1; port <= 9; ++port) {
    arguments.emplace_back("--allow");
    arguments.push_back("a:" + std::to_string(port));
  }
  const Graph graph = graph_of(plan_of(Program::tun_decap, arguments));
  EXPECT_EQ(graph.nodes.at(2).lines, (Texts{"what the CONNECT names", "allow a:1", "allow a:2", "allow a:3",
                                            "allow a:4", "allow a:5", "and 4 more"}));
}

// One pipeline three ways: a file, -e, and, for one line, the program itself.
TEST(Graph, AFileACommandAndALineGiveTheSamePicture) {
  const Texts words = {"-l", "10000", "-x", "h2c:127.0.0.1:10001", "--target", "host.com:443", "--http"};
  const std::string line = "tun-encap -l 10000 -x h2c:127.0.0.1:10001 --target host.com:443 --http";
  const TemporaryFile file(
      "a.tun", "# a comment\ntun-encap -l 10000 \\\n  -x 'h2c:127.0.0.1:10001' --target host.com:443 --http\n");
  for (const std::string form : {"--graph=ascii", "--graph=mermaid", "--graph=svg"}) {
    Texts alone = words;
    alone.push_back(form);
    const Typed typed = type(Program::tun_encap, alone);
    EXPECT_EQ(typed.status, 0) << typed.err;
    EXPECT_FALSE(typed.ran);
    EXPECT_NE(typed.out.find("tun-encap-10000.proxy"), std::string::npos);
    EXPECT_EQ(type(Program::tun_run, {"-e", line, form}).out, typed.out);
    EXPECT_EQ(type(Program::tun_run, {form, file.path()}).out, typed.out);
  }
}

TEST(Graph, ItsFormIsOneOfThree) {
  const Typed typed = type(Program::tun_run, {"-e", "tcp-chain -l 1 -t a:1", "--graph", "sgv"});
  EXPECT_EQ(typed.status, 64);
  EXPECT_EQ(typed.err, "tun-run: --graph 'sgv': give ascii, mermaid or svg, did you mean svg? (try tun-run --help)\n");
}

const std::vector<std::string> kChain = {"-e", "tcp-chain -l 9999 -t internal:mid", "-e",
                                         "tcp-chain -l internal:mid -t 127.0.0.1:10000"};

TEST(GraphAsText, LeftToRight) {
  const Graph graph = graph_of(plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:2", "--name", "n"}));
  EXPECT_EQ(draw_text(graph, {true, 100}),
            "                ┌─────────────┐\n"
            "╭─────────╮     │ n           │     ┌─────────┐          ╭─────╮\n"
            "│ clients ├────▶│ localhost:1 ├────▶│ n.to    ├── TCP ──▶│ a:2 │\n"
            "╰─────────╯     │ tcp_proxy   │     │ cluster │          ╰─────╯\n"
            "                └─────────────┘     └─────────┘\n");
  EXPECT_EQ(draw_text(graph, {false, 100}),
            "                +-------------+\n"
            ".---------.     | n           |     +---------+          .-----.\n"
            "| clients |---->| localhost:1 |---->| n.to    |-- TCP -->| a:2 |\n"
            "'---------'     | tcp_proxy   |     | cluster |          '-----'\n"
            "                +-------------+     +---------+\n");
}

TEST(GraphAsText, DownwardsWhereThereIsNoRoom) {
  const Graph graph = graph_of(plan_of(Program::tun_run, kChain));
  const std::string text = draw_text(graph, {true, 80});
  std::istringstream lines(text);
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    EXPECT_LE(
        static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; })),
        80U);
    EXPECT_FALSE(line.ends_with(' '));
  }
  EXPECT_GT(rows, 20U);
  EXPECT_LT(text.find("clients"), text.find("tcp-chain-9999"));
  EXPECT_LT(text.find("tcp-chain-9999"), text.find("internal:mid"));
  EXPECT_LT(text.find("internal:mid"), text.find("127.0.0.1:10000"));
}

TEST(GraphAsText, WhatIsNotAsciiKeepsItsPlace) {
  Graph graph;
  graph.nodes.push_back({Node::Kind::endpoint, {"unix:/\xc3\xa9/\xe4\xb8\xad"}});  // one cell, and two
  EXPECT_EQ(draw_text(graph, {true, 80}), "╭────────────╮\n│ unix:/\xc3\xa9/\xe4\xb8\xad │\n╰────────────╯\n");
  EXPECT_EQ(draw_text(graph, {false, 80}), ".------------.\n| unix:/?/?? |\n'------------'\n");
}

TEST(GraphAsText, PlainIsAscii) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::string text = draw_text(graph_of(test::random_plan(seed)), {false, 100});
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }))
        << seed;
  }
}

TEST(GraphAsMermaid, IdsAreSafeAndTextIsQuoted) {
  Graph graph;
  graph.nodes.push_back({Node::Kind::clients, {"end", "a \"b\" <c> & #d; `e` \\f"}});
  graph.nodes.push_back({Node::Kind::internal, {"internal:x"}});
  graph.edges.push_back({0, 1, "POST /a?b=\"c\""});
  graph.edges.push_back({1, 0, ""});
  EXPECT_EQ(draw_mermaid(graph),
            "flowchart LR\n"
            "  n1([\"end<br/>a #34;b#34; #60;c#62; #38; #35;d#59; #96;e#96; #92;f\"])\n"
            "  n2[\"internal:x\"]\n"
            "  n1 -->|\"POST /a?b=#34;c#34;\"| n2\n"
            "  n2 --> n1\n"
            "  classDef internal stroke-dasharray: 4 3\n"
            "  class n2 internal\n");
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

TEST(GraphAsSvg, IsADocumentOfItsOwn) {
  const std::string svg = draw_svg(graph_of(plan_of(Program::tun_run, kChain)));
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  for (const std::string part : {"<script", "href", "url(", "@import", "http", " id=", "on="}) {
    EXPECT_EQ(count_of(svg, part), part == "http" ? 1U : 0U) << part;  // the name space
  }
  EXPECT_EQ(count_of(svg, "prefers-color-scheme: dark"), 1U);
  EXPECT_EQ(count_of(svg, "sans-serif"), 1U);
  EXPECT_EQ(count_of(svg, "<rect class=\"box "), 6U);
}

TEST(GraphAsSvg, EveryTextIsEscapedAndEveryTagClosed) {
  Graph graph;
  graph.nodes.push_back({Node::Kind::cluster, {"<a>&\"b\""}});
  const std::string svg = draw_svg(graph);
  EXPECT_NE(svg.find(">&lt;a&gt;&amp;&quot;b&quot;</text>"), std::string::npos) << svg;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::string random = draw_svg(graph_of(test::random_plan(seed)));
    const std::size_t opened = count_of(random, "<") - count_of(random, "</") - count_of(random, "/>");
    EXPECT_EQ(opened, count_of(random, "</")) << seed;
    EXPECT_EQ(count_of(random, "&"), count_of(random, "&amp;") + count_of(random, "&lt;") + count_of(random, "&gt;") +
                                         count_of(random, "&quot;"));
  }
}

}  // namespace
}  // namespace tunnel::config
