// SPDX-License-Identifier: Apache-2.0
#include "config/help.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "plan/limit_table.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

constexpr Program kPrograms[] = {Program::tun_encap, Program::tun_decap, Program::tcp_chain, Program::tun_run};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The names at the beginning of option rows: "  -l, --listen LISTEN  ..." and "      --http  ...".
std::vector<std::string> options_shown(const std::string& help) {
  std::vector<std::string> names;
  for (const std::string& line : lines_of(help)) {
    const bool lettered = line.size() > 8 && line.starts_with("  -") && line.substr(4, 4) == ", --";
    if (!lettered && !line.starts_with("      --")) continue;
    names.push_back(line.substr(8, line.find_first_of(" [", 8) - 8));
  }
  return names;
}

TEST(Help, ShowsExactlyTheOptionsOfTheProgram) {
  for (const Program program : kPrograms) {
    std::vector<std::string> expected;
    for (const Option& row : option_table()) {
      if (row.belongs_to(program)) expected.emplace_back(row.name);
    }
    EXPECT_EQ(options_shown(help_text(program)), expected) << name_of(program);
  }
}

TEST(Help, ShowsDefaultsAndEveryLimit) {
  for (const Program program : kPrograms) {
    const std::string help = help_text(program);
    const Limits defaults;
    for (const plan::LimitKey& row : plan::limit_table()) {
      bool shown = false;
      for (const std::string& line : lines_of(help)) {
        shown = shown || (line.starts_with("  " + std::string(row.key) + " ") &&
                          line.find("[" + std::to_string(row.get(defaults))) != std::string::npos);
      }
      EXPECT_TRUE(shown) << name_of(program) << " " << row.key;
    }
    EXPECT_NE(help.find("[30s]"), std::string::npos);
  }
  for (const char* value : {"[10s]", "[1h]", "[60s]", "[64K]"}) {
    EXPECT_NE(help_text(Program::tcp_chain).find(value), std::string::npos) << value;
  }
}

TEST(Help, ComesFirstOnStandardOutputWithExamples) {
  for (const Program program : kPrograms) {
    const Typed typed = type(program, {"--help"});
    EXPECT_EQ(typed.status, 0);
    EXPECT_EQ(typed.err, "");
    EXPECT_EQ(typed.out, help_text(program));
    const std::vector<std::string> lines = lines_of(typed.out);
    ASSERT_GT(lines.size(), 4U);
    EXPECT_EQ(lines[2], "Examples");
    EXPECT_EQ(lines[3], "  " + help_examples(program).at(0));
    for (const std::string& line : lines) EXPECT_LE(line.size(), 100U) << line;
  }
}

TEST(Help, ExamplesAreGood) {
  for (const Program program : {Program::tun_encap, Program::tun_decap, Program::tcp_chain}) {
    for (std::string example : help_examples(program)) {
      // Process options stand on a line only when it is run alone.
      const std::size_t process = example.find(" --log-format json");
      if (process != std::string::npos) example.erase(process, std::string(" --log-format json").size());
      const Typed typed = type(Program::tun_run, {"-e", example, "--check"});
      EXPECT_EQ(typed.status, 0) << example << "\n" << typed.err;
    }
  }
}

TEST(Help, VersionNamesTheProgram) {
  const Typed typed = type(Program::tun_run, {"--version"});
  EXPECT_EQ(typed.status, 0);
  EXPECT_EQ(typed.out, "tun-run 1.2.3 (test)\n");
}

TEST(Help, AnOutputThatFailsIsAFailure) {
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  const Surroundings around{out, err, {}, {}, [] { return std::string(); }};
  EXPECT_EQ(run_program(Program::tcp_chain, {"--help"}, around), 1);
}

TEST(Main, TheStatusOfTheRunIsTheProgramsAndAnExceptionIsASentence) {
  std::string name = "tcp-chain";
  std::vector<std::string> words = {name, "-l", "1", "-t", "a:1"};
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  const auto version = [] { return std::string("1"); };
  const auto seven = [](const plan::Plan&) { return 7; };
  EXPECT_EQ(main_of(Program::tcp_chain, 5, argv.data(), seven, version), 7);
  testing::internal::CaptureStderr();
  const auto broken = [](const plan::Plan&) -> int { throw std::runtime_error("out of luck"); };
  EXPECT_EQ(main_of(Program::tcp_chain, 5, argv.data(), broken, version), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "tcp-chain: out of luck\n");
}

}  // namespace
}  // namespace tunnel::config
