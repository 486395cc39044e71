// SPDX-License-Identifier: Apache-2.0
#include "plan/check.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/plan_pieces.hpp"

namespace tunnel::plan {
namespace {

// A relay from port 9999 over internal:mid to port 10000.
Plan chain() {
  Plan plan;
  plan.listeners = {listener("in", Tcp{"", 9999}, TcpProxy{"in.to", {}}, 1), inside("mid", TcpProxy{"mid.to", {}}, 2)};
  plan.clusters = {cluster("in.to", Internal{"mid", ""}, 1), cluster("mid.to", Tcp{"127.0.0.1", 10000}, 2)};
  return plan;
}

TEST(Check, AGoodPlanHasNoProblem) { EXPECT_EQ(all(check(chain())), ""); }

struct Case {
  const char* what;
  std::function<void(Plan&)> change;
  std::string problem;  // with its place
};

TEST(Check, SaysWhatIsWrongAndWhere) {
  const std::vector<Case> cases = {
      {"empty", [](Plan& p) { p = {}; }, ": nothing listens; give a line with -l"},
      {"two listeners of one name", [](Plan& p) { p.listeners.push_back(listener("in", Tcp{"", 1}, Echo{}, 3)); },
       "t.tun:3:1: a second listener is called in (the first is at t.tun:1:1); give one of the lines another --name"},
      {"two clusters of one name", [](Plan& p) { p.clusters.push_back(cluster("in.to", Tcp{"a", 1}, 3)); },
       "t.tun:3:1: a second cluster is called in.to (the first is at t.tun:1:1); give one of the lines another --name"},
      {"unknown cluster", [](Plan& p) { p.listeners[0].handler = TcpProxy{"in.too", {}}; },
       "t.tun:1:1: listener in: there is no cluster called 'in.too', did you mean in.to?"},
      {"unknown cluster of a route",
       [](Plan& p) { p.listeners[0].handler = with_route({{}, Forward{"nowhere"}, at(7)}); },
       "t.tun:7:1: a route of listener in: there is no cluster called 'nowhere'"},
      {"internal name nobody serves", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"middle", ""}}}; },
       "t.tun:1:1: nothing in this process listens on internal:middle; run both lines under tun-run (this one, and one "
       "with -l internal:middle), or link them by unix:PATH"},
      {"internal name with a near one", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"mdi", ""}}}; },
       "t.tun:1:1: nothing in this process listens on internal:mdi; did you mean internal:mid? otherwise run both "
       "lines under tun-run (this one, and one with -l internal:mdi), or link them by unix:PATH"},
      {"internal name of a TCP listener", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"in", ""}}}; },
       "t.tun:1:1: internal:in: the listener of that name listens on a socket; give its line -l internal:in"},
      {"cycle of two",
       [](Plan& p) {
         p.clusters[1].endpoints = {{Internal{"a", ""}}};
         p.listeners.push_back(inside("a", TcpProxy{"in.to", {}}, 3));
       },
       "the lines go round in a circle: a -> mid -> a; send one of them elsewhere"},
      {"cycle of one", [](Plan& p) { p.clusters[1].endpoints = {{Internal{"mid", "id"}}}; },
       "the lines go round in a circle: mid -> mid; send one of them elsewhere"},
      {"cycle through routes",
       [](Plan& p) {
         p.clusters[1].endpoints = {{Internal{"h", ""}}};
         p.listeners.push_back(inside("h", with_route({{true, "/"}, Terminate{"in.to"}, at(3)}), 3));
       },
       "the lines go round in a circle: h -> mid -> h; send one of them elsewhere"},
      {"cycle over TCP", [](Plan& p) { p.clusters[1].endpoints = {{Tcp{"localhost", 9999}}}; },
       "the lines go round in a circle: in -> mid -> in; send one of them elsewhere"},
      {"no address", [](Plan& p) { p.listeners[0].addresses.clear(); },
       "t.tun:1:1: listener in: it has no address; add -l [HOST:]PORT or -l internal:NAME"},
      {"mixed addresses", [](Plan& p) { p.listeners[0].addresses.emplace_back(Internal{"in", ""}); },
       "t.tun:1:1: listener in: an internal address stands alone in its listener"},
      {"internal address of another name", [](Plan& p) { p.listeners[1].addresses = {Internal{"other", ""}}; },
       "t.tun:2:1: listener mid: it listens on internal:other and so must be called that"},
      {"listener with an endpoint id", [](Plan& p) { p.listeners[1].addresses = {Internal{"mid", "x"}}; },
       "t.tun:2:1: listener mid: a listener has no endpoint id"},
      {"listening on a name", [](Plan& p) { p.listeners[0].addresses = {Tcp{"a.example", 1}}; },
       "t.tun:1:1: listener in: 'a.example' is not an address of this machine; listen on a number or *"},
      {"bad listener name", [](Plan& p) { p.listeners[0].name = "a b"; },
       "t.tun:1:1: listener 'a b': ' ' cannot be part of a name; use letters, digits, '-', '_' and '.'"},
      {"one port twice", [](Plan& p) { p.listeners.push_back(listener("x", Tcp{"", 9999}, Echo{}, 3)); },
       "t.tun:3:1: port 9999 is listened on twice, by in (the first is at t.tun:1:1) and by x; choose another port"},
      {"one port twice in a line", [](Plan& p) { p.listeners[0].addresses.emplace_back(Tcp{"::1", 9999}); },
       "t.tun:1:1: port 9999 is listened on twice, by one line; choose another port"},
      {"a port everywhere", [](Plan& p) { p.listeners.push_back(listener("x", Tcp{"*", 9999}, Echo{}, 3)); },
       "t.tun:3:1: port 9999 is listened on twice"},
      {"a port on 0.0.0.0", [](Plan& p) { p.listeners.push_back(listener("x", Tcp{"0.0.0.0", 9999}, Echo{}, 3)); },
       "t.tun:3:1: port 9999 is listened on twice"},
      {"listening on a path that is too long",
       [](Plan& p) { p.listeners[0].addresses = {Unix{std::string(108, 'x')}}; },
       "t.tun:1:1: listener in: the path has 108 bytes, and a unix socket's at most 107"},
      {"permissions no file has", [](Plan& p) { p.listeners[0].addresses = {Unix{"/run/a", 01777}}; },
       "t.tun:1:1: listener in: the permissions of a socket file go up to 777"},
      {"systemd socket without a name", [](Plan& p) { p.listeners[0].addresses = {Inherited{-1, ""}}; },
       "t.tun:1:1: listener in: the name is missing"},
      {"one path twice",
       [](Plan& p) {
         p.listeners[0].addresses = {Unix{"/run/./a/../b.sock"}};
         p.listeners.push_back(listener("x", Unix{"/run/b.sock"}, Echo{}, 3));
       },
       "t.tun:3:1: unix:/run/b.sock is listened on twice, by in (the first is at t.tun:1:1) and by x; choose another "
       "socket"},
      {"one descriptor twice in a line",
       [](Plan& p) { p.listeners[0].addresses = {Inherited{3, ""}, Inherited{3, ""}}; },
       "t.tun:1:1: fd:3 is listened on twice, by one line; choose another socket"},
      {"one systemd name twice",
       [](Plan& p) {
         p.listeners[0].addresses = {Inherited{-1, "web"}};
         p.listeners.push_back(listener("x", Inherited{-1, "web"}, Echo{}, 3));
       },
       "t.tun:3:1: systemd:web is listened on twice"},
      {"cycle over a unix socket",
       [](Plan& p) {
         p.listeners[0].addresses = {Unix{"/run/a.sock"}};
         p.clusters[1].endpoints = {{Unix{"/run//a.sock"}}};
       },
       "the lines go round in a circle: in -> mid -> in; send one of them elsewhere"},
      {"connecting to an inherited socket", [](Plan& p) { p.clusters[1].endpoints = {{Inherited{3, ""}}}; },
       "t.tun:2:1: cluster mid.to: an inherited socket or stdio can only be listened on"},
      {"connecting to no path", [](Plan& p) { p.clusters[1].endpoints = {{Unix{""}}}; },
       "t.tun:2:1: cluster mid.to: unix:: the path is missing"},
      {"endpoint port 0", [](Plan& p) { p.clusters[1].endpoints = {{Tcp{"a", 0}}}; },
       "t.tun:2:1: cluster mid.to: nothing can be reached at port 0"},
      {"endpoint without host", [](Plan& p) { p.clusters[1].endpoints = {{Tcp{"", 1}}}; },
       "t.tun:2:1: cluster mid.to: the host is missing"},
      {"bad endpoint host", [](Plan& p) { p.clusters[1].endpoints = {{Tcp{"a b", 1}}}; },
       "t.tun:2:1: cluster mid.to: ' ' cannot be part of it"},
      {"no endpoint", [](Plan& p) { p.clusters[1].endpoints.clear(); },
       "t.tun:2:1: cluster mid.to: it needs an endpoint"},
      {"rules of a fixed cluster", [](Plan& p) { p.clusters[1].rules.push_back({true, "*", 1, 2}); },
       "t.tun:2:1: cluster mid.to: rules are for targets that the request names"},
      {"protocol nobody can guess", [](Plan& p) { p.clusters[1].protocol = Http::automatic; },
       "t.tun:2:1: cluster mid.to: a client speaks h1 or h2, it cannot guess"},
      {"connect timeout 0", [](Plan& p) { p.clusters[1].connect_timeout = Milliseconds(0); },
       "t.tun:2:1: cluster mid.to: the connect timeout must be above 0"},
      {"request cluster without rules",
       [](Plan& p) {
         p.clusters[1] = {};
         p.clusters[1].name = "mid.to";
         p.clusters[1].find = Cluster::Find::request;
       },
       "cluster mid.to: nothing is allowed; add a rule with --allow HOST:PORT"},
      {"request cluster for a relay",
       [](Plan& p) {
         p.clusters[1].find = Cluster::Find::request;
         p.clusters[1].endpoints.clear();
         p.clusters[1].rules = {{}};
       },
       "t.tun:2:1: listener mid: cluster mid.to goes where a CONNECT asks, and only a terminated CONNECT asks"},
      {"rule that runs backwards",
       [](Plan& p) {
         p.clusters[1].find = Cluster::Find::request;
         p.clusters[1].endpoints.clear();
         p.clusters[1].rules = {{true, "*", 5, 4}};
       },
       "t.tun:2:1: cluster mid.to: the ports of a rule run backwards; write the lower one first"},
      {"bad target", [](Plan& p) { p.listeners[0].handler = TcpProxy{"in.to", Tunnel{"a:1\r\nX: y"}}; },
       "t.tun:1:1: listener in: target 'a:1\\x0d\\x0aX: y': there is one ':' too many; write HOST:PORT"},
      {"no route", [](Plan& p) { p.listeners[0].handler = HttpProxy{}; },
       "t.tun:1:1: listener in: it has no route, so it could answer nothing"},
      {"status of an interim answer",
       [](Plan& p) { p.listeners[0].handler = with_route({{}, Respond{100, ""}, at(7)}); },
       "t.tun:7:1: a route of listener in: a final answer has a status from 200 to 599, not 100"},
      {"body of a 204", [](Plan& p) { p.listeners[0].handler = with_route({{}, Respond{204, "x"}, {}}); },
       "t.tun:1:1: a route of listener in: an answer 204 has no body"},
      {"terminating a GET", [](Plan& p) { p.listeners[0].handler = with_route({{}, Terminate{"in.to"}, {}}); },
       "t.tun:1:1: a route of listener in: only a CONNECT can be terminated, or a POST where the route is for that "
       "method"},
      {"prefix without slash", [](Plan& p) { p.listeners[0].handler = with_route({{false, "x"}, Respond{}, {}}); },
       "t.tun:1:1: a route of listener in: a path prefix begins with '/'"},
      {"an endpoint twice", [](Plan& p) { p.clusters[1].endpoints = {{Tcp{"a", 1}}, {Tcp{"b", 1}}, {Tcp{"a", 1}}}; },
       "t.tun:2:1: cluster mid.to: an endpoint is there twice; each stands for itself once"},
      {"a name that is no name", [](Plan& p) { p.clusters[1].name = "a\x1b]0;b"; },
       "t.tun:2:1: cluster 'a\\x1b]0;b': "},
      {"a connect timeout the clock cannot count",
       [](Plan& p) { p.clusters[1].connect_timeout = std::chrono::seconds(9'300'000'000); },
       "t.tun:2:1: cluster mid.to: the connect timeout is at most 8760h, a year"},
      {"an idle timeout of 300 years",
       [](Plan& p) { p.listeners[0].idle_timeout = std::chrono::seconds(9'223'372'036); },
       "t.tun:1:1: listener in: the idle timeout is at most 8760h, a year"},
      {"a lifetime of 300 years", [](Plan& p) { p.listeners[0].max_lifetime = std::chrono::seconds(9'300'000'000); },
       "t.tun:1:1: listener in: the lifetime is at most 8760h, a year"},
      {"admin for every user of the machine", [](Plan& p) { p.process.admin = Unix{"@x"}; },
       ": the admin server: an abstract socket is open to every user of this machine; write a path"},
      {"an access log of an unknown form", [](Plan& p) { p.listeners[0].access_format.text = "%NOTHING%"; },
       "t.tun:1:1: listener in: the access log: '%NOTHING%' is not supported by this version"},
      {"no attempt", [](Plan& p) { p.listeners[0].handler = TcpProxy{"mid.to", {}, 0}; },
       "t.tun:1:1: listener in: there are 1 to 100 attempts to connect, not 0"},
      {"too many attempts", [](Plan& p) { p.listeners[0].handler = TcpProxy{"mid.to", {}, 101}; },
       "t.tun:1:1: listener in: there are 1 to 100 attempts to connect, not 101"},
      {"negative idle timeout", [](Plan& p) { p.listeners[0].idle_timeout = Milliseconds(-1); },
       "t.tun:1:1: listener in: the idle timeout cannot be below 0"},
      {"negative idle timeout of streams",
       [](Plan& p) { p.listeners[0].handler = HttpProxy{Http::h1, {{{}, Respond{}, {}}}, 0, Milliseconds(-1)}; },
       "t.tun:1:1: listener in: the idle timeout of streams cannot be below 0"},
      {"negative timeout of a route",
       [](Plan& p) { p.listeners[0].handler = HttpProxy{Http::h1, {{{}, Forward{"mid.to", Milliseconds(-1)}, {}}}}; },
       "t.tun:1:1: a route of listener in: the timeout cannot be below 0"},
      {"negative idle timeout of a route",
       [](Plan& p) {
         p.listeners[0].handler = HttpProxy{Http::h1, {{{}, Forward{"mid.to", Milliseconds(0), Milliseconds(-1)}, {}}}};
       },
       "t.tun:1:1: a route of listener in: the idle timeout cannot be below 0"},
      {"half-close timeout 0", [](Plan& p) { p.listeners[0].half_close_timeout = Milliseconds(0); },
       "t.tun:1:1: listener in: the half-close timeout must be above 0"},
      {"too many streams",
       [](Plan& p) { p.listeners[0].handler = HttpProxy{Http::automatic, {{{}, Respond{}, {}}}, 1'000'001}; },
       "t.tun:1:1: listener in: a connection has at most 1000000 streams, not 1000001"},
      {"streams of HTTP/1.1", [](Plan& p) { p.listeners[0].handler = HttpProxy{Http::h1, {{{}, Respond{}, {}}}, 5}; },
       "t.tun:1:1: listener in: HTTP/1.1 has no streams; leave their number out"},
      {"negative lifetime", [](Plan& p) { p.listeners[0].max_lifetime = Milliseconds(-1); },
       "t.tun:1:1: listener in: the lifetime cannot be below 0"},
      {"tiny buffer", [](Plan& p) { p.listeners[0].buffer_bytes = 1023; },
       "t.tun:1:1: listener in: the buffer goes from 1 KiB to 8 MiB, not 1023 bytes"},
      {"huge buffer", [](Plan& p) { p.listeners[0].buffer_bytes = 8388609; },
       "t.tun:1:1: listener in: the buffer goes from 1 KiB to 8 MiB, not 8388609 bytes"},
      {"too many workers", [](Plan& p) { p.process.workers = 1025; }, ": there are at most 1024 workers, not 1025"},
      {"tiny memory limit", [](Plan& p) { p.process.memory_bytes = 1023; },
       ": the memory limit goes from 1 MiB, not 1023 bytes"},
      {"negative drain", [](Plan& p) { p.process.drain = Milliseconds(-1); }, ": the drain time cannot be below 0"},
      {"unknown limit", [](Plan& p) { p.process.limits = {{"heda", 1}}; },
       ": there is no limit called 'heda', did you mean head?"},
      {"limit out of range", [](Plan& p) { p.process.limits = {{"hops", 0}}; },
       ": the limit hops goes from 1 to 1000, not 0"},
      {"admin on a listener's port", [](Plan& p) { p.process.admin = Tcp{"127.0.0.1", 9999}; },
       "t.tun:1:1: port 9999 is listened on twice, by in and by the admin server; choose another port"},
      {"admin on every interface", [](Plan& p) { p.process.admin = Tcp{"*", 9999}; },
       "t.tun:1:1: port 9999 is listened on twice, by in and by the admin server"},
      {"admin on a name", [](Plan& p) { p.process.admin = Tcp{"example.com", 1}; },
       ": the admin server: 'example.com' is not an address of this machine; listen on a number or *"},
      {"admin inside", [](Plan& p) { p.process.admin = Internal{"mid", ""}; },
       ": the admin server listens on TCP or on a unix socket"},
      {"limit twice", [](Plan& p) { p.process.limits = {{"hops", 2}, {"hops", 3}}; },
       ": the limit 'hops' is given twice"},
  };
  for (const Case& each : cases) {
    Plan plan = chain();
    each.change(plan);
    const std::string text = all(check(plan));
    EXPECT_NE(text.find(each.problem), std::string::npos) << each.what << ":\n" << text;
  }
}

TEST(Check, ThePoolOfACluster) {
  const auto said = [](Http protocol, const Pool& pool) {
    Plan plan = chain();
    plan.clusters[1].protocol = protocol;
    plan.clusters[1].pool = pool;
    return all(check(plan));
  };
  EXPECT_EQ(said(Http::h2, {4, 10, 2, Milliseconds(0), Milliseconds(1), 65536}), "");
  EXPECT_EQ(said(Http::h1, {.connections = 2, .prewarm = 2}), "");
  const std::string who = "t.tun:2:1: the pool of cluster mid.to: ";
  EXPECT_EQ(said(Http::h1, {.streams = 3}), who + "HTTP/1.1 has neither streams nor windows; leave them out\n");
  EXPECT_EQ(said(Http::h2, {.connections = 1, .prewarm = 2}),
            who + "more connections are to be kept ready than it may have; lower prewarm\n");
  EXPECT_EQ(said(Http::h2, {.window_bytes = 100}), who + "a window goes from 64 KiB to 1 GiB, not 100 bytes\n");
  EXPECT_EQ(said(Http::h2, {.ping = Milliseconds(-1)}), who + "ping cannot be below 0\n");
}

TEST(Check, TellsEverythingAtOnce) {
  Plan plan = chain();
  plan.listeners[0].idle_timeout = Milliseconds(-1);
  plan.listeners[1].handler = TcpProxy{"gone", {}};
  plan.clusters[0].endpoints = {{Internal{"nobody", ""}}};
  plan.process.workers = 5000;
  EXPECT_EQ(check(plan).size(), 4U) << all(check(plan));
}

TEST(Check, OfAPartItSaysNothingAboutWhatIsMissing) {
  Plan plan = chain();
  plan.listeners.pop_back();
  EXPECT_NE(all(check(plan, Part::whole)).find("nothing in this process listens on internal:mid"), std::string::npos);
  EXPECT_EQ(all(check(plan, Part::all_names)), all(check(plan)));
  EXPECT_EQ(all(check(plan, Part::some_names)), "");
  plan.listeners.front().half_close_timeout = Milliseconds::zero();
  EXPECT_NE(all(check(plan, Part::some_names)).find("the half-close timeout must be above 0"), std::string::npos);
  EXPECT_NE(all(check({}, Part::whole)), "");
  EXPECT_EQ(all(check({}, Part::all_names)), "");
}

TEST(Check, DifferentAddressesMayShareAPort) {
  Plan plan = chain();
  plan.listeners.push_back(listener("x", Tcp{"127.0.0.2", 9999}, Echo{}, 3));
  plan.listeners.push_back(listener("y", Tcp{"10.0.0.1", 9999}, Echo{}, 4));
  plan.listeners.push_back(listener("z", Tcp{"", 9998}, Echo{}, 5));
  EXPECT_EQ(all(check(plan)), "");
}

TEST(Check, DifferentSocketsAreNoConflict) {
  Plan plan = chain();
  plan.listeners[0].addresses = {Unix{"/run/a.sock"}, Unix{"@/run/a.sock"}, Unix{"a.sock"}, Inherited{3, ""},
                                 Inherited{-1, "3"}};
  plan.clusters[1].endpoints = {{Unix{"/run/b.sock"}}};
  EXPECT_EQ(all(check(plan)), "");
}

TEST(Check, EachCycleIsNamedOnceAndSharedTailsAreNone) {
  Plan plan;
  plan.listeners = {inside("a", TcpProxy{"to.b", {}}),
                    inside("b", TcpProxy{"to.a", {}}),
                    inside("c", TcpProxy{"to.d", {}}),
                    inside("d", TcpProxy{"to.c", {}}),
                    inside("e", TcpProxy{"to.f", {}}),
                    inside("g", TcpProxy{"to.f", {}}),
                    inside("f", Echo{})};
  for (const char* name : {"a", "b", "c", "d", "f"}) {
    plan.clusters.push_back(cluster("to." + std::string(name), Internal{name, ""}));
  }
  const std::string text = all(check(plan));
  EXPECT_EQ(check(plan).size(), 2U) << text;
  EXPECT_NE(text.find("a -> b -> a"), std::string::npos) << text;
  EXPECT_NE(text.find("c -> d -> c"), std::string::npos) << text;
}

TEST(Check, AVeryLongChainIsNoProblemForIt) {
  Plan plan;
  constexpr int kLength = 20000;
  for (int i = 0; i < kLength; ++i) {
    const std::string name = "n" + std::to_string(i);
    const std::string next = "n" + std::to_string((i + 1) % kLength);
    plan.listeners.push_back(inside(name, TcpProxy{name + ".to", {}}));
    plan.clusters.push_back(cluster(name + ".to", Internal{next, ""}));
  }
  const std::vector<Problem> problems = check(plan);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].text.substr(0, 40), "the lines go round in a circle: n0 -> n1");
}

}  // namespace
}  // namespace tunnel::plan
