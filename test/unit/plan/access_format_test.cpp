// SPDX-License-Identifier: Apache-2.0
#include "plan/access_format.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tunnel::plan {
namespace {

using Op = AccessOperator;

TEST(AccessFormat, IsTextAndOperators) {
  const AccessParts parts = parse_access_text("a 100%% %REQ(X-A?:Path):7% %DURATION%\n");
  ASSERT_EQ(parts.size(), 5U);
  EXPECT_EQ(parts[0], (AccessPart{"a 100% "}));
  EXPECT_EQ(parts[1], (AccessPart{"", Op::request, "x-a", ":path", 7}));
  EXPECT_EQ(parts[2], (AccessPart{" "}));
  EXPECT_EQ(parts[3], (AccessPart{"", Op::duration}));
  EXPECT_EQ(parts[4], (AccessPart{"\n"}));
}

TEST(AccessFormat, MetadataHasASpaceAndAKey) {
  EXPECT_EQ(parse_access_text("%DYNAMIC_METADATA(a.b:c):9%"), (AccessParts{{"", Op::metadata, "a.b", "c", 9}}));
}

TEST(AccessFormat, TakesEnvoysDefault) {
  EXPECT_EQ(access_text_fault("[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
                              "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
                              "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
                              "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n"),
            "");
}

TEST(AccessFormat, FaultsAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"%DURATON%", "'%DURATON%' is not supported by this version, did you mean DURATION?"},
      {"%ROUTE_NAME%", "'%ROUTE_NAME%' is not supported by this version"},
      {"%TRAILER%", "'%TRAILER%': the name of a field is missing"},
      {"%TRAILER(:status)%", "'%TRAILER(:status)%': ':status' is no trailer"},
      {"%DYNAMIC_METADATA(a.b)%", "'%DYNAMIC_METADATA(a.b)%' names no value; write %DYNAMIC_METADATA(SPACE:KEY)%"},
      {"%UPSTREAM_LOCAL_PORT:2%", "'%UPSTREAM_LOCAL_PORT:2%': UPSTREAM_LOCAL_PORT takes no arguments and no length"},
      {"%PROTOCOL:3%", "'%PROTOCOL:3%': PROTOCOL takes no arguments and no length"},
      {"%DURATION(x)%", "'%DURATION(x)%': DURATION takes no arguments and no length"},
      {"%REQ%", "'%REQ%': the name of a field is missing"},
      {"%REQ(:scheme)%",
       "'%REQ(:scheme)%': ':scheme' is not supported by this version; there is :method, :path and :authority"},
      {"%RESP(:path)%", "'%RESP(:path)%': ':path' is not supported by this version; there is :status"},
      {"%START_TIME(%q)%",
       "'%START_TIME(%q)%': '%q' is no part of a time here; there are %aAbBdDeFhHIjmMpSsTyYzZ%, %f to nine digits, "
       "%3f and %E3S"},
      {"%START_TIME:3%", "'%START_TIME:3%': a time takes no length"},
      {"50%", "a % begins an operator that has no end; write %% for a percent sign"},
  };
  for (const auto& [text, fault] : cases) {
    EXPECT_EQ(access_text_fault(text).substr(0, fault.size()), fault) << text;
    EXPECT_THROW(parse_access_text(text), std::invalid_argument) << text;
  }
  EXPECT_NE(access_text_fault("%REQ(a b)%"), "");
  EXPECT_NE(access_text_fault("%REQ(a?)%"), "");
}

TEST(AccessFormat, OfObjectsEveryFieldIsJudged) {
  EXPECT_EQ(access_format_faults({"", {{"a", "%DURATION%"}, {"b", "", {{"c", "x"}}}}}), std::vector<std::string>{});
  EXPECT_EQ(access_format_faults({"x", {{"a", "b"}}}), std::vector<std::string>{"lines are text or JSON, not both"});
  EXPECT_EQ(access_format_faults({"", {{"a", "b"}, {"a", "c"}, {"d", "e", {{"f", "%"}}}}}),
            (std::vector<std::string>{"the field 'a' is there twice", "the field 'd' is a text or an object, not both",
                                      "f: a % begins an operator that has no end; write %% for a percent sign"}));
  EXPECT_EQ(
      access_format_faults({"", {}, true}),
      std::vector<std::string>{"empty values are left out of lines of a form of their own only, and there is none"});
  EXPECT_EQ(access_format_faults({"x", {}, true}), std::vector<std::string>{});
  AccessFormat deep{"", {{"a", "x"}}};
  for (int i = 0; i < 16; ++i) deep.fields = {{"a", "", deep.fields}};
  EXPECT_EQ(access_format_faults(deep), std::vector<std::string>{"there are at most 16 objects in each other"});
}

TEST(AccessFormat, TimesAreInUtc) {
  const auto at = [](std::string_view format) { return format_time(format, 1'700'000'000, 42'123'456); };
  EXPECT_EQ(at("%Y-%m-%dT%H:%M:%E3SZ"), "2023-11-14T22:13:20.042Z");
  EXPECT_EQ(at("%F %T.%6f %z %Z"), "2023-11-14 22:13:20.042123 +0000 UTC");
  EXPECT_EQ(at("%s.%3f %f %1f"), "1700000000.042 042123456 0");
  EXPECT_EQ(at("%E9S%%%d/%b"), "20.042123456%14/Nov");
}

TEST(AccessFormat, KnowsWhichFieldsItTakes) {
  const LoggedNames names = logged_names(
      {"", {{"a", "%REQ(X-A?X-B)% %REQ(:PATH)%"}, {"b", "", {{"c", "%RESP(Server)%%REQ(x-a)%%TRAILER(X-T)%"}}}}});
  EXPECT_EQ(names.request, (std::vector<std::string>{"x-a", "x-b"}));
  EXPECT_EQ(names.response, std::vector<std::string>{"server"});
  EXPECT_EQ(names.trailers, std::vector<std::string>{"x-t"});
  EXPECT_TRUE(logged_names({}).empty());
}

TEST(AccessFormat, OurEndUpstreamIsAskedForOnlyIfALogHasIt) {
  Plan plan;
  plan.listeners.resize(2);
  plan.listeners[1].access_format = {"", {{"a", "", {{"b", "x%UPSTREAM_LOCAL_PORT%"}}}}};
  EXPECT_FALSE(logs_upstream_local(plan));
  plan.listeners[1].access_log = "-";
  EXPECT_TRUE(logs_upstream_local(plan));
  plan.listeners[1].access_format = {"%UPSTREAM_REMOTE_PORT%", {}};
  EXPECT_FALSE(logs_upstream_local(plan));
}

}  // namespace
}  // namespace tunnel::plan
