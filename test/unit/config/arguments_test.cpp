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
  };
  for (const Case& each : cases) {
    EXPECT_EQ(shown(parse_arguments(each.program, Setting::alone, command_line_words(each.typed))), each.shown)
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
          {chain, {"--lb", "least"}, "there is no option '--lb'"},
          {chain, {"-z"}, "there is no option '-z'"},
          {chain, {"-vz"}, "there is no option '-vz'"},
          {chain, {"--explain"}, "there is no option '--explain'"},
          {Program::tun_encap, {"--post"}, "there is no option '--post'"},
          {Program::tun_encap, {"--header", "a: b"}, "there is no option '--header'"},
          {Program::tun_decap, {"--tls", "cert=a"}, "there is no option '--tls'"},
          {Program::tun_decap, {"--auth-file", "f"}, "there is no option '--auth-file'"},
          {Program::tun_run, {"--graph=svg"}, "there is no option '--graph'"},
          {Program::tun_run, {"--envoy", "f"}, "there is no option '--envoy'"},
          {chain, {"--\n"}, "there is no option '--\\x0a'"},
          {chain, {"--http"}, "--http is an option of tun-encap, not of tcp-chain; leave it out"},
          {chain, {"-xh1:a:1"}, "-x is an option of tun-encap, not of tcp-chain; leave it out"},
          {Program::tun_encap,
           {"-t", "a:1"},
           "-t is an option of tun-decap, tcp-chain, not of tun-encap; leave it out"},
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
          {chain, {"--check=yes"}, "--check takes no value; write it by itself"},
          {Program::tun_encap, {"--http=1"}, "--http takes no value; write it by itself"},
          {chain,
           {"-t", "a:1", "-t", "b:1"},
           "-t is given twice; several destinations are not supported by this version"},
          {Program::tun_encap,
           {"-x", "h1:a:1", "-x", "h1:b:1"},
           "-x is given twice; several proxies in a row are not supported by this version"},
          {chain, {"--name", "a", "--name", "a"}, "--name is given twice; give it once"},
          {chain, {"--check", "--check"}, "--check is given twice; give it once"},
      },
      64);
}

TEST(Arguments, ProcessOptionsOfALineBelongToTunRun) {
  for (const Option& row : option_table()) {
    if (row.scope != Scope::process) continue;
    std::string line = "tcp-chain -l 1 -t a:1 --" + std::string(row.name) + (row.argument.empty() ? "" : " 1");
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
