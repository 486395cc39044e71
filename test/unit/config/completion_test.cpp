// SPDX-License-Identifier: Apache-2.0
#include "config/completion.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/address.hpp"
#include "config/arguments.hpp"
#include "plan/limit_table.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

constexpr Program kPrograms[] = {Program::tun_encap, Program::tun_decap, Program::tcp_chain, Program::tun_run};

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(Completion, EveryShellOffersEveryOptionOfItsProgramAndNoOther) {
  for (const Program program : kPrograms) {
    const std::string bash = completion(program, Shell::bash);
    const std::string zsh = completion(program, Shell::zsh);
    const std::string fish = completion(program, Shell::fish);
    for (const Option& option : option_table()) {
      const std::string name(option.name);
      const bool wanted = option.belongs_to(program);
      const std::string words = bash.substr(bash.find("candidates='--") + 11);
      EXPECT_EQ((" " + words.substr(1, words.find('\'', 1) - 1) + " ").find(" --" + name + " ") != std::string::npos,
                wanted)
          << name_of(program) << " --" << name;
      EXPECT_EQ(zsh.find("--" + name + (option.argument.empty() ? (option.letter != 0 ? "}" : "'") : "=")) !=
                    std::string::npos,
                wanted)
          << name_of(program) << " --" << name;
      EXPECT_EQ(fish.find(" -l " + name + " ") != std::string::npos, wanted) << name_of(program) << " --" << name;
    }
  }
}

// What the table may call a value that is free text: a new name here is a decision that nothing can be offered for it.
TEST(Completion, EveryKindOfValueIsKnown) {
  const std::set<std::string_view> free_text = {"TARGET", "FIELD", "KEY=VALUE", "RULE",    "NAME",  "TIME",
                                                "N",      "SIZE",  "COMMAND",   "ADDRESS", "FORMAT"};
  for (const Option& option : option_table()) {
    if (option.argument.empty()) continue;
    const Values values = values_of(option);
    EXPECT_TRUE(values.files || !values.words.empty() || free_text.contains(option.argument))
        << "--" << option.name << " " << option.argument
        << ": write its words as a|b in the table, or teach completion.cpp what it is";
  }
}

// A good command of each program, to which one option is added.
std::vector<std::string> good_command(Program program) {
  if (program == Program::tun_encap) return {"-l", "10000", "-x", "h1:a:1", "--target", "b:1"};
  if (program == Program::tun_run) return {"-e", "tcp-chain -l 10000 -t a:1"};
  return {"-l", "10000", "--to", "a:1"};
}

TEST(Completion, WordsOfTheTableAreTakenAndNoOthers) {
  std::size_t seen = 0;
  for (const Option& option : option_table()) {
    if (option.argument.find('|') == std::string_view::npos) continue;
    for (const Program program : kPrograms) {
      if (!option.belongs_to(program)) continue;
      std::vector<std::string> words = values_of(option).words;
      words.emplace_back("nonsense");
      for (const std::string& word : words) {
        std::vector<std::string> command = good_command(program);
        if (option.id == Opt::lb) command.insert(command.end(), {"--to", "c:1"});
        command.push_back("--" + std::string(option.name) + "=" + word);
        EXPECT_EQ(type(program, command).status == 0, word != "nonsense") << name_of(program) << " " << command.back();
        ++seen;
      }
    }
  }
  EXPECT_GE(seen, 16U);
}

TEST(Completion, LimitsAreOfferedByTheirKeys) {
  const Values values = values_of(option(Opt::limit));
  EXPECT_EQ(values.words.size(), plan::limit_table().size());
  EXPECT_TRUE(contains(values.words, "conns="));
}

TEST(Completion, AddressesAreOfferedByTheirSchemes) {
  const std::vector<std::string> listen = values_of(option(Opt::listen)).words;
  const std::vector<std::string> dial = values_of(option(Opt::to)).words;
  const std::vector<std::string> proxy = values_of(option(Opt::proxy)).words;
  for (const char* word : {"tcp:", "unix:", "internal:"})
    EXPECT_TRUE(contains(listen, word) && contains(dial, word)) << word;
  for (const char* word : {"respond:", "echo:", "discard:"}) {
    EXPECT_TRUE(contains(dial, word)) << word;
    EXPECT_FALSE(contains(listen, word)) << word;
  }
  for (const char* word : {"h1:", "h2c:", "h1+unix:", "h2c+unix:", "h1+internal:", "h2c+internal:"})
    EXPECT_TRUE(contains(proxy, word)) << word;
  EXPECT_FALSE(contains(proxy, "h1+"));
  EXPECT_FALSE(contains(proxy, "h1+echo:"));
}

// An address that begins as offered is one the parser takes.
TEST(Completion, EverySchemeOfferedIsTaken) {
  const std::map<std::string_view, std::string> bodies = {
      {"tcp:", "127.0.0.1:80"}, {"internal:", "x"}, {"unix:", "/run/x"}, {"fd:", "3"},   {"systemd:", "x"}, {"-", ""},
      {"respond:", "200:x"},    {"echo:", ""},      {"discard:", ""},    {"h1:", "a:1"}, {"h2c:", "a:1"}};
  for (const Opt id : {Opt::listen, Opt::to, Opt::proxy}) {
    for (const std::string& word : values_of(option(id)).words) {
      const auto plus = word.find('+');
      const auto body =
          bodies.find(plus == std::string::npos ? std::string_view(word) : std::string_view(word).substr(plus + 1));
      ASSERT_NE(body, bodies.end()) << word << ": say here what may follow it";
      Given given;
      given.option = &option(id);
      given.value = word + body->second;
      EXPECT_NO_THROW(id == Opt::listen ? (void)parse_listen(given)
                      : id == Opt::to   ? (void)parse_dial(given)
                                        : (void)parse_proxy(given))
          << given.value;
    }
  }
}

}  // namespace
}  // namespace tunnel::config
