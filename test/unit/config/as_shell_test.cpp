// SPDX-License-Identifier: Apache-2.0
// The text of --as-shell; test/e2e/test_lines.py runs it.
#include "config/as_shell.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using Texts = std::vector<std::string>;

// The commands of a script, without what comes before them.
std::string commands_of(Program program, Texts arguments) {
  arguments.emplace_back("--as-shell");
  const Typed typed = type(program, arguments);
  EXPECT_EQ(typed.status, 0) << typed.err;
  EXPECT_TRUE(typed.out.starts_with("#!/bin/sh\n"));
  EXPECT_FALSE(typed.ran);
  const std::string last = "trap stop TERM INT HUP\n\n";
  const std::size_t at = typed.out.find(last);
  EXPECT_NE(at, std::string::npos) << typed.out;
  return at == std::string::npos ? "" : typed.out.substr(at + last.size());
}

TEST(AsShell, LinesAreLinkedBySocketsWhatIsLedToFirst) {
  EXPECT_EQ(commands_of(Program::tun_run, {"-e", "tcp-chain -l 9999 -t internal:mid", "-e",
                                           "tcp-chain -l internal:mid -t 127.0.0.1:10000", "--workers", "2"}),
            "# -e#2:1:1\n"
            "start tcp-chain -l unix:\"$dir\"/mid -t 127.0.0.1:10000 --name mid --workers 2\n"
            "ready \"$dir\"/mid\n"
            "\n"
            "# -e#1:1:1\n"
            "start tcp-chain -l 9999 -t unix:\"$dir\"/mid --workers 2\n"
            "\n"
            "finish\n");
}

TEST(AsShell, EveryPlaceOfAnInternalAddress) {
  EXPECT_EQ(
      commands_of(Program::tun_run,
                  {"-e",
                   "tun-encap -l 1 -l internal:two -x h2c+internal:px --target 'a:1'\ntun-decap -l internal:px --to "
                   "internal:end\ntcp-chain -l internal:end -t 'respond:200:it'\\''s $here' --name end"}),
      "# -e#1:3:1\n"
      "start tcp-chain -l unix:\"$dir\"/end -t 'respond:200:it'\\''s $here' --name end\n"
      "ready \"$dir\"/end\n"
      "\n"
      "# -e#1:2:1\n"
      "start tun-decap -l unix:\"$dir\"/px -t unix:\"$dir\"/end --name px\n"
      "ready \"$dir\"/px\n"
      "\n"
      "# -e#1:1:1\n"
      "start tun-encap -l 1 -l unix:\"$dir\"/two -x h2c+unix:\"$dir\"/px --target a:1 --name tun-encap-1\n"
      "ready \"$dir\"/two\n"
      "\n"
      "finish\n");
}

TEST(AsShell, ALongNameHasAShortSocket) {
  const std::string name(90, 'n');
  EXPECT_EQ(
      commands_of(Program::tun_run,
                  {"-e", "tcp-chain -l 1 -t internal:" + name, "-e", "tcp-chain -l internal:" + name + " -t a:1"}),
      "# -e#2:1:1\n"
      "start tcp-chain -l unix:\"$dir\"/+line2 -t a:1 --name " +
          name + "\nready \"$dir\"/+line2\n\n# -e#1:1:1\nstart tcp-chain -l 1 -t unix:\"$dir\"/+line2\n\nfinish\n");
}

TEST(AsShell, OneLineIsOneCommand) {
  const Typed typed = type(Program::tun_encap, {"-l", "1", "-x", "h1:a:1", "--target=b:1", "--http", "--limit",
                                                "hops=2", "-vv", "--as-shell"});
  EXPECT_EQ(typed.out, "#!/bin/sh\nexec tun-encap -l 1 -x h1:a:1 --target b:1 --http --limit hops=2 -v -v\n");
  EXPECT_EQ(type(Program::tun_run,
                 {"-e", "tun-encap -l 1 -x h1:a:1 --target b:1 --http", "--limit", "hops=2", "-vv", "--as-shell"})
                .out,
            typed.out);
}

TEST(AsShell, WhatASocketCannotCarryIsRefusedAtItsPlace) {
  struct Case {
    Texts typed;
    std::string err;
  };
  const std::vector<Case> cases = {
      {{"-e", "tcp-chain -l 1 -t internal:mid/blue", "-e", "tcp-chain -l internal:mid -t a:1"},
       "tun-run: -e#1:1:19: a socket carries no endpoint id; with --as-shell write internal:mid\n"},
      {{"-e", "tcp-chain -l 1 -t internal:mid,meta.a.b=c", "-e", "tcp-chain -l internal:mid -t a:1"},
       "tun-run: -e#1:1:19: a socket carries no metadata; with --as-shell leave out meta.\n"},
      {{"-e", "tcp-chain -l 1 -t internal:mid --state once:a=b", "-e", "tcp-chain -l internal:mid -t a:1"},
       "tun-run: -e#1:1:40: a socket carries no filter state; with --as-shell it is none:KEY=VALUE\n"},
      {{"-e", "tcp-chain -l 1 -t internal:mid --pass-state", "-e", "tcp-chain -l internal:mid -t a:1"},
       "tun-run: -e#1:1:32: a socket carries no filter state; with --as-shell leave out --pass-state\n"},
      {{"-e", "tcp-chain -l 1 -t internal:e.http", "-e", "tun-encap -l 2 -x h1:a:1 --target b:1 --http --name e"},
       "tun-run: -e#1:1:19: internal:e.http is inside of another line, where no socket leads to; with --as-shell name "
       "a "
       "line with -l internal:\n"},
  };
  const std::string admin =
      "every process would open the --admin address; leave it out, or write it into the script for "
      "one of them";
  EXPECT_EQ(
      type(Program::tun_run, {"-e", "tcp-chain -l 1 -t a:1\ntcp-chain -l 2 -t a:1", "--admin", "9000", "--as-shell"})
          .err,
      "tun-run: " + admin + "\n");
  for (const Case& each : cases) {
    Texts arguments = each.typed;
    arguments.emplace_back("--as-shell");
    const Typed typed = type(Program::tun_run, arguments);
    EXPECT_EQ(typed.status, 78);
    EXPECT_EQ(typed.err, each.err);
    EXPECT_EQ(typed.out, "");
  }
}

TEST(AsShell, WordsAreQuotedForTheShell) {
  EXPECT_EQ(shell_word("a-b_c.d/e:f,g=h@i%j+k1"), "a-b_c.d/e:f,g=h@i%j+k1");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("*:443"), "'*:443'");
  EXPECT_EQ(shell_word("~"), "'~'");
  EXPECT_EQ(shell_word("a'b"), "'a'\\''b'");
  EXPECT_EQ(shell_word("$(id) `id` \\ \" \n"), "'$(id) `id` \\ \" \n'");
}

TEST(Show, OneWishAtATime) {
  const Texts wishes = {"--check", "--explain", "--graph=svg", "--as-shell", "--export=envoy"};
  for (const std::string& one : wishes) {
    for (const std::string& other : wishes) {
      if (one == other) continue;
      const Typed typed = type(Program::tcp_chain, {"-l", "1", "-t", "a:1", one, other});
      EXPECT_EQ(typed.status, 64);
      EXPECT_NE(typed.err.find(" exclude each other; give one of them"), std::string::npos) << typed.err;
      EXPECT_EQ(typed.out, "");
    }
  }
}

// What is wrong is told, whatever was asked for.
TEST(Show, OnlyOfWhatIsGood) {
  for (const std::string wish : {"--check", "--explain", "--graph=svg", "--as-shell", "--export=envoy"}) {
    const Typed typed = type(Program::tun_run, {"-e", "tcp-chain -l 1 -t internal:mid", wish});
    EXPECT_EQ(typed.status, 78);
    EXPECT_NE(typed.err.find("nothing in this process listens on internal:mid"), std::string::npos);
    EXPECT_EQ(typed.out, "");
  }
}

}  // namespace
}  // namespace tunnel::config
