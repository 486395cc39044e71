// SPDX-License-Identifier: Apache-2.0
#include "config/arguments.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using Texts = std::vector<std::string>;

std::vector<std::string> shown(const Arguments& arguments) {
  std::vector<std::string> list;
  for (const Given& given : arguments.in_order()) {
    list.push_back((given.option == nullptr ? "file" : std::string(given.option->name)) + "=" + given.value + "@" +
                   std::to_string(given.place.column));
  }
  return list;
}

TEST(Arguments, KeepOrderValuesAndPlaces) {
  struct Case {
    Program program;
    Texts typed;
    Texts shown;
  };
  const std::vector<Case> cases = {
      {Program::tcp_chain, {"-l", "1", "--to", "a:1"}, {"listen=1@2", "to=a:1@4"}},
      {Program::tcp_chain, {"-l1", "--to=a:1", "-vv"}, {"listen=1@1", "to=a:1@2", "verbose=@3", "verbose=@3"}},
      {Program::tcp_chain, {"--listen", "1", "-l", "2", "-ta:1"}, {"listen=1@2", "listen=2@4", "to=a:1@5"}},
      {Program::tcp_chain, {"-l", "-", "-t", ""}, {"listen=-@2", "to=@4"}},
      {Program::tcp_chain, {"-l", "-5"}, {"listen=-5@2"}},
      {Program::tcp_chain, {"--name=a=b"}, {"name=a=b@1"}},
      {Program::tun_run,
       {"a", "-e", "x y", "b", "--execute=z"},
       {"file=a@1", "execute=x y@3", "file=b@4", "execute=z@5"}},
      {Program::tun_run, {"-q", "--", "-e", "--check"}, {"quiet=@1", "file=-e@3", "file=--check@4"}},
      {Program::tun_run, {"-", ""}, {"file=-@1", "file=@2"}},
      // A value that may be left out is never a word of its own.
      {Program::tun_run, {"--explain", "a", "b"}, {"explain=@1", "file=a@2", "file=b@3"}},
      {Program::tun_run, {"a", "--explain=10000", "b"}, {"file=a@1", "explain=10000@2", "file=b@3"}},
      {Program::tun_run, {"--explain", "-e", "x"}, {"explain=@1", "execute=x@3"}},
      {Program::tun_run, {"--explain", "--", "-x"}, {"explain=@1", "file=-x@3"}},
  };
  for (const Case& each : cases) {
    Faults faults(kUsage);
    EXPECT_EQ(shown(parse_arguments(each.program, Setting::alone, command_line_words(each.typed), faults)), each.shown)
        << testing::PrintToString(each.typed);
  }
}

struct Refused {
  Program program;
  Texts typed;
  std::string text;
};

// `text` is all that stands on standard error, but for the program before it and the hint behind it.
void expect_refusals(const std::vector<Refused>& cases, int status) {
  for (const Refused& each : cases) {
    const Typed typed = type(each.program, each.typed);
    EXPECT_EQ(typed.status, status) << testing::PrintToString(each.typed);
    EXPECT_EQ(typed.err, usage_error(each.program, each.text));
    EXPECT_EQ(typed.out, "");
    EXPECT_FALSE(typed.ran);
  }
}

TEST(Arguments, WhatIsNoOptionIsRefused) {
  const Program chain = Program::tcp_chain;
  expect_refusals(
      {
          {chain, {"--lisen", "1"}, "there is no option '--lisen', did you mean --listen?"},
          {chain, {"-l", "1", "--tto=a:1"}, "there is no option '--tto', did you mean --to?"},
          {chain, {"--conn", "1"}, "there is no option '--conn', did you mean --connect-timeout?"},
          {chain, {"-z"}, "there is no option '-z'"},
          {chain, {"-vz"}, "there is no option '-vz'"},
          {Program::tcp_chain,
           {"--header", "a: b"},
           "--header is an option of tun-encap, not of tcp-chain; leave it out"},
          {Program::tun_decap, {"--tls", "cert=a"}, "there is no option '--tls'"},
          {Program::tun_decap, {"--auth-file", "f"}, "there is no option '--auth-file'"},
          {Program::tun_run, {"--envoi", "f"}, "there is no option '--envoi', did you mean --envoy?"},
          {chain, {"--\n"}, "there is no option '--\\x0a'"},
          {chain, {"--http"}, "--http is an option of tun-encap, not of tcp-chain; leave it out"},
          {chain, {"-xh1:a:1"}, "-x is an option of tun-encap, not of tcp-chain; leave it out"},
          {Program::tun_encap,
           {"-t", "a:1"},
           "-t is an option of tun-decap, tcp-chain, not of tun-encap; where tunnels lead is --target here"},
          {Program::tun_decap,
           {"--target", "a:1"},
           "--target is an option of tun-encap, not of tun-decap; where connections lead is -t here"},
          {Program::tun_encap, {"-"}, "'-' belongs to no option; standard input and output are -l -"},
          {Program::tun_run,
           {"-l", "1"},
           "-l is an option of tun-encap, tun-decap, tcp-chain, not of tun-run; put it on a line"},
          {chain, {"-l", "1", "a:1"}, "'a:1' belongs to no option"},
      },
      64);
}

TEST(Arguments, WhatIsWrittenWrongIsRefused) {
  const Program chain = Program::tcp_chain;
  expect_refusals(
      {
          {chain, {"-l"}, "-l needs a value; write -l LISTEN"},
          {chain, {"-l", "--to", "a:1"}, "-l needs a value; write -l LISTEN"},
          {chain, {"--name="}, "--name needs a value; write --name NAME"},
          {chain, {"--explain="}, "--explain= needs a value; write --explain=LISTEN or --explain"},
          {chain, {"-l", "1", "-t", "a:1", "--explain", "1"}, "'1' belongs to no option"},
          {chain, {"--check=yes"}, "--check takes no value; write it by itself"},
          {Program::tun_encap, {"--http=1"}, "--http takes no value; write it by itself"},
          {chain, {"--name", "a", "--name", "a"}, "--name is given twice; give it once"},
          {chain, {"--check", "--check"}, "--check is given twice; give it once"},
      },
      64);
}

TEST(Arguments, ProcessOptionsOfALineBelongToTunRun) {
  for (const Option& row : option_table()) {
    if (row.scope != Scope::process) continue;
    const bool bare = row.argument.empty() || row.value_optional();
    std::string line = "tcp-chain -l 1 -t a:1 --" + std::string(row.name) + (bare ? "" : " 1");
    const Typed typed = type(Program::tun_run, {"-e", line});
    EXPECT_EQ(typed.status, 64) << row.name;
    EXPECT_EQ(typed.err.find("tun-run: -e#1:1:"), 0U) << typed.err;
    EXPECT_NE(typed.err.find(label(row) + " is an option of the whole process; give it to tun-run\n"),
              std::string::npos)
        << typed.err;
  }
}

TEST(Arguments, TheTableIsSound) {
  for (const Option& row : option_table()) {
    EXPECT_EQ(&option(row.id), &row);
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_NE(row.programs, 0U) << row.name;
    for (const Option& other : option_table()) {
      if (&row == &other) continue;
      EXPECT_NE(row.name, other.name);
      EXPECT_TRUE(row.letter == 0 || row.letter != other.letter) << row.name;
    }
  }
}

}  // namespace
}  // namespace tunnel::config
