// SPDX-License-Identifier: Apache-2.0
#include "config/words.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "config/refusal.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

using Texts = std::vector<std::vector<std::string>>;

std::optional<std::string> variable(const std::string& name) {
  if (name == "HOST") return "a b";
  if (name == "EMPTY") return "";
  if (name == "X_1") return "$HOST'\"";
  return std::nullopt;
}

Texts texts(const std::string& script, Faults& faults) {
  Texts lines;
  for (const Words& line : script_lines(script, "t.tun", variable, faults)) {
    lines.emplace_back();
    for (const Word& word : line) lines.back().push_back(word.text);
  }
  return lines;
}

TEST(Words, SplitsAsAShellWould) {
  struct Case {
    std::string script;
    Texts lines;
  };
  const std::vector<Case> cases = {
      {"", {}},
      {"\n \t\n", {}},
      {"a b", {{"a", "b"}}},
      {"  a\tb  \n\nc\n", {{"a", "b"}, {"c"}}},
      {"# all\na # rest\n#", {{"a"}}},
      {"a#b 'c'#d \\#e", {{"a#b", "c#d", "#e"}}},
      {"# no continuation \\\na", {{"a"}}},
      {"a \\\n b", {{"a", "b"}}},
      {"a\\\nb", {{"ab"}}},
      {"a \\\n\nb", {{"a"}, {"b"}}},
      {"'a b' \"c d\" e\\ f", {{"a b", "c d", "e f"}}},
      {"a'b'\"c\"d", {{"abcd"}}},
      {"'' \"\"", {{"", ""}}},
      {"'a\\b$X`\"'", {{"a\\b$X`\""}}},
      {"\"a\\\"b\\\\c\\$d\\`e\\f\"", {{"a\"b\\c$d`e\\f"}}},
      {"\"a\\\nb\"", {{"ab"}}},
      {"'a\nb' c\nd", {{"a\nb", "c"}, {"d"}}},
      {"\\a\\'\\\"\\\\", {{"a'\"\\"}}},
      {"\\$HOST", {{"$HOST"}}},
      {"${HOST}", {{"a b"}}},
      {"x${HOST}y \"${HOST}\" '${HOST}'", {{"xa by", "a b", "${HOST}"}}},
      {"${EMPTY}", {{""}}},
      {"${X_1}", {{"$HOST'\""}}},
      {"a\r\nb \\\r\nc\r\n", {{"a"}, {"b", "c"}}},
      {"\r\na", {{"a"}}},
      {"\xef\xbb\xbf"
       "a",
       {{"a"}}},
      {"-l *:80 ~ {a,b} !x [::1]:1 a=b", {{"-l", "*:80", "~", "{a,b}", "!x", "[::1]:1", "a=b"}}},
      {"'|' \";\" \\&", {{"|", ";", "&"}}},
  };
  for (const Case& each : cases) {
    Faults faults(kBadConfig);
    EXPECT_EQ(texts(each.script, faults), each.lines) << each.script;
    EXPECT_TRUE(faults.empty()) << each.script;
  }
}

TEST(Words, RefusesWhatItIsNot) {
  struct Case {
    std::string script;
    std::string place;
    std::string text;
  };
  const std::vector<Case> cases = {
      {"a 'b", "t.tun:1:3", "the quote opened here is never closed; add the closing one"},
      {"a\nb \"c\nd", "t.tun:2:3", "the quote opened here is never closed; add the closing one"},
      {"\"a\\", "t.tun:1:1", "the quote opened here is never closed; add the closing one"},
      {"a b\\", "t.tun:1:4", "the \\ at the end continues nothing; remove it"},
      {"a $HOST", "t.tun:1:3", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"a\n  x$(id)", "t.tun:2:4", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"\"$HOST\"", "t.tun:1:2", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"${HOST:-x}", "t.tun:1:1", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"${}", "t.tun:1:1", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"${1}", "t.tun:1:1", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"${HOST", "t.tun:1:1", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"$", "t.tun:1:1", "only ${NAME} is replaced here; write \\$ for a dollar sign itself"},
      {"a \\\n ${GONE}", "t.tun:2:2", "the variable GONE is not set; set it or write its value here"},
      {"a | b", "t.tun:1:3", "'|' means something to a shell, and this is not one; quote it or put one command a line"},
      {"a; b", "t.tun:1:2", "';' means something to a shell, and this is not one; quote it or put one command a line"},
      {"\"`id`\"", "t.tun:1:2",
       "'`' means something to a shell, and this is not one; quote it or put one command a line"},
      {"a >b", "t.tun:1:3", "'>' means something to a shell, and this is not one; quote it or put one command a line"},
      {"a \x1b[0m", "t.tun:1:3", "a control character stands here; quote or remove it"},
      {std::string("a 'b\0'", 6), "t.tun:1:5", "a NUL byte cannot be part of a command; remove it"},
      {"\xc3\xa9\xc3\xa9 |", "t.tun:1:4",
       "'|' means something to a shell, and this is not one; quote it or put one command a line"},
  };
  for (const Case& each : cases) {
    Faults faults(kBadConfig);
    texts(each.script, faults);
    std::vector<plan::Problem> problems;
    int status = 0;
    faults.tell(problems, status);
    ASSERT_EQ(problems.size(), 1U) << each.script;
    EXPECT_EQ(plan::to_string(problems[0].place), each.place) << each.script;
    EXPECT_EQ(problems[0].text, each.text) << each.script;
    EXPECT_EQ(status, kBadConfig);
  }
}

TEST(Words, OtherLinesAreReadOn) {
  Faults faults(kBadConfig);
  EXPECT_EQ(texts("a\nb | c \\\n  d\n e ${GONE}'f'\ng\n'h", faults), (Texts{{"a"}, {"g"}}));
  std::vector<plan::Problem> problems;
  int status = 0;
  faults.tell(problems, status);
  std::vector<std::string> places;
  for (const plan::Problem& problem : problems) places.push_back(plan::to_string(problem.place));
  EXPECT_EQ(places, (std::vector<std::string>{"t.tun:2:3", "t.tun:4:4", "t.tun:6:1"}));
}

TEST(Words, EveryWordKnowsItsPlace) {
  Faults faults(kBadConfig);
  const std::vector<Words> lines = script_lines("a  'b c' d\n# x\n\te \\\n  f", "t.tun", variable, faults);
  ASSERT_EQ(lines.size(), 2U);
  std::vector<std::string> places;
  for (const Words& line : lines) {
    for (const Word& word : line) places.push_back(word.text + "@" + plan::to_string(word.place));
  }
  const std::vector<std::string> expected = {"a@t.tun:1:1", "b c@t.tun:1:4", "d@t.tun:1:10", "e@t.tun:3:2",
                                             "f@t.tun:4:3"};
  EXPECT_EQ(places, expected);
}

}  // namespace
}  // namespace tunnel::config
