// SPDX-License-Identifier: Apache-2.0
#include "plan/match.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "plan/check_routes.hpp"

namespace tunnel::plan {
namespace {

std::vector<Route> with_domains(const std::vector<std::vector<std::string>>& each) {
  std::vector<Route> routes;
  for (const std::vector<std::string>& domains : each) {
    Route route;
    route.match.domains = domains;
    routes.push_back(std::move(route));
  }
  return routes;
}

TEST(Match, TheBestDomainDecides) {
  const std::vector<Route> routes = with_domains(
      {{"*.b.example", "a.*"}, {"a.b.example"}, {"*.example", "a.b.*"}, {}, {"a.b.example:443"}, {"*-x.example"}});
  EXPECT_EQ(domain_of(routes, "A.B.example"), "a.b.example");
  EXPECT_EQ(domain_of(routes, "a.b.example:443"), "a.b.example:443");
  EXPECT_EQ(domain_of(routes, "c.b.example"), "*.b.example");
  EXPECT_EQ(domain_of(routes, "c.example"), "*.example");
  EXPECT_EQ(domain_of(routes, "c-x.example"), "*-x.example");
  EXPECT_EQ(domain_of(routes, ".b.example"), "*.example");  // a '*' stands for something
  EXPECT_EQ(domain_of(routes, "a.b.other"), "a.b.*");
  EXPECT_EQ(domain_of(routes, "a.c"), "a.*");
  EXPECT_EQ(domain_of(routes, "other"), "*");
  EXPECT_EQ(domain_of(routes, ""), "*");
  EXPECT_EQ(domain_of(with_domains({{"a.example"}}), "b.example"), "");
}

TEST(Match, ARouteWithoutDomainsIsForTheRest) {
  EXPECT_TRUE(is_of_domain(Match{}, "*"));
  EXPECT_FALSE(is_of_domain(Match{}, "a.example"));
  const std::vector<Route> routes = with_domains({{"a.example", "b.example"}});
  EXPECT_TRUE(is_of_domain(routes[0].match, "b.example"));
  EXPECT_FALSE(is_of_domain(routes[0].match, "*"));
  EXPECT_FALSE(is_of_domain(routes[0].match, ""));
}

TEST(Match, APathIsABeginningOrTheWhole) {
  EXPECT_TRUE(fits_path({false, "/a"}, "/ab?c"));
  EXPECT_FALSE(fits_path({false, "/a"}, "/b/a"));
  EXPECT_TRUE(fits_path({false, "/a", true}, "/a"));
  EXPECT_TRUE(fits_path({false, "/a", true}, "/a?b=c"));
  EXPECT_FALSE(fits_path({false, "/a", true}, "/ab"));
  EXPECT_FALSE(fits_path({false, "/a", true}, "/a/"));
}

TEST(Match, InWords) {
  EXPECT_EQ(to_string(Match{}), "any request");
  EXPECT_EQ(to_string(Match{true}), "CONNECT");
  EXPECT_EQ(to_string(Match{false, "/x"}), "/x");
  EXPECT_EQ(to_string(Match{false, "/", false, "POST"}), "POST");
  EXPECT_EQ(to_string(Match{false, "/x", true, "POST", {{"foo", "bar"}}, {"a.b", "*.c"}}),
            "POST /x and no more, with foo: bar, for a.b or *.c");
}

TEST(Match, WhatIsNoDomain) {
  for (const char* domain : {"*", "a", "*.a", "a.*", "a:443", "[::1]:80", "*-a.b"})
    EXPECT_EQ(domain_fault(domain), "") << domain;
  for (const char* domain : {"", "A", "a b", "a/b", "a.*.b", "**", "*a*", "a@b", "\x7f"})
    EXPECT_NE(domain_fault(domain), "") << domain;
  EXPECT_NE(domain_fault(std::string(300, 'a')), "");
}

TEST(Match, WhatARouteCannotBe) {
  const auto faults = [](Match match, decltype(Route::action) action) {
    const std::vector<std::string> all = route_faults({std::move(match), std::move(action), {}});
    return all.size() == 1 ? all.front() : std::to_string(all.size()) + " faults";
  };
  EXPECT_EQ(faults({true, "/x"}, Terminate{"c"}), "a CONNECT has neither a path nor another method");
  EXPECT_EQ(faults({true, "/", false, "POST"}, Terminate{"c"}), "a CONNECT has neither a path nor another method");
  EXPECT_EQ(faults({false, "/", false, "CONNECT"}, Forward{"c"}), "a CONNECT has a match of its own");
  EXPECT_EQ(faults({false, "/", false, "POST"}, Terminate{"c"}),
            "only a CONNECT can be terminated, or a POST where the route is for that method");
  EXPECT_EQ(faults({false, "/", false, "POST"}, Terminate{"c", true}), "0 faults");
  EXPECT_EQ(faults({false, "/", false, "", {{"Foo", "a"}}}, Forward{"c"}), "'F' cannot be part of a field's name");
}

TEST(Match, WhatNoRequestCouldFit) {
  const auto faults = [](Match match) {
    const std::vector<std::string> all = route_faults({std::move(match), Forward{"c"}, {}});
    return all.size() == 1 ? all.front() : std::to_string(all.size()) + " faults";
  };
  for (const char* value : {"", "a b", "a,b", "caf\xc3\xa9"})
    EXPECT_EQ(faults({false, "/", false, "", {{"foo", value}}}), "0 faults") << value;
  for (const std::string& value : {std::string("a\rb"), std::string("a\n"), std::string("a\0b", 3)})
    EXPECT_EQ(faults({false, "/", false, "", {{"foo", value}}}), "foo: the value has a control character in it");
  for (const char* value : {" a", "a ", "\ta"})
    EXPECT_EQ(faults({true, "/", false, "", {{"foo", value}}}), "foo: the value has a blank at an end") << value;
  for (const bool whole : {false, true}) {
    EXPECT_EQ(faults({false, "/a%20b;c=d:@", whole}), "0 faults");
    EXPECT_EQ(faults({false, "a", whole}), "a path prefix begins with '/'");
    EXPECT_EQ(faults({false, "/a?b", whole}), "'/a?b': a path is compared without its query");
    EXPECT_EQ(faults({false, "/a\n", whole}), "'/a\\x0a' can be no path of a request");
    for (const char* path : {"/a b", "/a#b", "/\x7f", "/caf\xc3\xa9"})
      EXPECT_TRUE(faults({false, path, whole}).ends_with(" can be no path of a request")) << path;
  }
}

}  // namespace
}  // namespace tunnel::plan
