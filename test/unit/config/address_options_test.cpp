// SPDX-License-Identifier: Apache-2.0
// What may follow an address: options, literal commas, and how a wrong one is refused.
#include "config/address_options.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/refusal.hpp"
#include "config/value.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

using namespace std::chrono_literals;

Given given(const std::string& value) { return {&option(Opt::proxy), value, {"t.tun", 1, 1}}; }

std::string refusal(const std::string& text, const std::function<void(AddressOptions&)>& read) {
  try {
    AddressOptions options(given("h1:" + text), text);
    read(options);
    options.finish();
  } catch (const Refusal& refused) {
    EXPECT_EQ(plan::to_string(refused.problem().place), "t.tun:1:1");
    return refused.what();
  }
  return "accepted";
}

TEST(AddressOptions, StandBehindTheBody) {
  const std::string text = "/run/a.sock,mode=660,insecure,x=a=b";
  AddressOptions options(given(text), text);
  EXPECT_EQ(options.body(), "/run/a.sock");
  ASSERT_NE(options.value("mode"), nullptr);
  EXPECT_EQ(options.value("mode")->value, "660");
  EXPECT_EQ(options.value("x")->value, "a=b");
  EXPECT_EQ(options.value("ping"), nullptr);
  EXPECT_TRUE(options.flag("insecure"));
  EXPECT_FALSE(options.flag("mod"));
  options.finish();
}

TEST(AddressOptions, TwoCommasAreOneOfTheBodyOrTheValue) {
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"", ""},          {"a,,b", "a,b"},         {",,", ","},  {"a,,,,b", "a,,b"},
      {"a,,,k=v", "a,"}, {"a,,k=v,k=v", "a,k=v"}, {",k=v", ""}, {"a:1", "a:1"},
  };
  for (const auto& [text, body] : bodies) EXPECT_EQ(AddressOptions(given(text), text).body(), body) << text;
  AddressOptions options(given("a,k=1,,2,l=,,"), "a,k=1,,2,l=,,");
  EXPECT_EQ(options.value("k")->value, "1,2");
  EXPECT_EQ(options.value("l")->value, ",");
}

TEST(AddressOptions, AreRefusedWithTheNearestNameAskedFor) {
  const auto read = [](AddressOptions& options) {
    (void)options.value("conns");
    (void)options.value("window");
    (void)options.flag("insecure");
  };
  const auto nothing = [](AddressOptions&) {};
  EXPECT_EQ(refusal("a:1,conns=1,insecure", read), "accepted");
  EXPECT_EQ(refusal("a:1,conn=1", read), "-x 'h1:a:1,conn=1': this address has no option 'conn', did you mean conns?");
  EXPECT_EQ(refusal("a:1,zzz", read),
            "-x 'h1:a:1,zzz': this address has no option 'zzz', it takes conns, window, insecure");
  EXPECT_EQ(refusal("a:1,conns=1", nothing),
            "-x 'h1:a:1,conns=1': this address has no option 'conns', it takes none; a comma of the address itself is "
            "',,'");
  EXPECT_EQ(refusal("a:1,Conns=1", read),
            "-x 'h1:a:1,Conns=1': this address has no option 'Conns', did you mean conns?");
}

TEST(AddressOptions, AreRefusedWhenMalformed) {
  const auto read = [](AddressOptions& options) {
    (void)options.value("conns");
    (void)options.flag("insecure");
  };
  const std::string form = "after a ',' comes KEY=VALUE; a comma of the address itself is ',,'";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"a:1,", form},
      {"a:1,=1", form},
      {"a:1,,,", form},
      {"a:1,conns=1,", form},
      {"a:1,conns", "'conns' needs a value; write conns=VALUE"},
      {"a:1,conns=", "'conns' needs a value; write conns=VALUE"},
      {"a:1,insecure=", "'insecure' takes no value; write it by itself"},
      {"a:1,insecure=yes", "'insecure' takes no value; write it by itself"},
      {"a:1,conns=1,conns=2", "'conns' is given twice; give it once"},
  };
  for (const auto& [text, clause] : refused) EXPECT_EQ(refusal(text, read), "-x 'h1:" + text + "': " + clause);
}

TEST(AddressOptions, AValueIsRefusedByItsParserWithItsName) {
  const auto read = [](AddressOptions& options) {
    if (const Given* ping = options.value("ping")) {
      EXPECT_EQ(parse_duration(*ping, 1ms), 15s);
    }
  };
  EXPECT_EQ(refusal("a:1,ping=15s", read), "accepted");
  EXPECT_EQ(refusal("a:1,ping=soon", read),
            "-x 'ping=soon': give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds");
}

}  // namespace
}  // namespace tunnel::config
