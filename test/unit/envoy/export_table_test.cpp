// SPDX-License-Identifier: Apache-2.0
// plan.hpp, the table of what an export makes of it, and tun-run(5) say the same.
#include "envoy/export_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tunnel::envoy {
namespace {

namespace fs = std::filesystem;

// The checkout this program was built from or is run in; TUNNEL_SOURCE_DIR where neither is inside it.
fs::path source_folder() {
  const char* const named = std::getenv("TUNNEL_SOURCE_DIR");
  if (named != nullptr) return named;
  for (fs::path start : {fs::current_path(), fs::read_symlink("/proc/self/exe")}) {
    for (; start.has_relative_path(); start = start.parent_path()) {
      if (fs::exists(start / "man" / "tun-run.5")) return start;
    }
  }
  return {};
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream stream(source_folder() / file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  EXPECT_FALSE(lines.empty()) << file;
  return lines;
}

std::string snake_case(const std::string& name) {
  std::string snake;
  for (const char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !snake.empty()) snake += '_';
    snake += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return snake;
}

// "listener.name" and so on, as the header declares them.
std::vector<std::string> fields_of_plan() {
  const std::regex begin(R"(^struct (\w+) \{$)");
  const std::regex member(R"(^  [\w:<>, ]+ (\w+)(?: = [^;]+|\{[^;]*\})?;.*$)");
  std::vector<std::string> fields;
  std::string inside;
  for (const std::string& line : lines_of("libtunnel/include/tunnel/plan.hpp")) {
    std::smatch match;
    if (std::regex_match(line, match, begin)) inside = snake_case(match[1]);
    if (line == "};") inside.clear();
    if (inside.empty() || line.find("using ") != std::string::npos) continue;
    if (std::regex_match(line, match, member)) fields.push_back(inside + "." + match[1].str());
  }
  return fields;
}

TEST(ExportTable, NamesEveryFieldOfAPlan) {
  // Where something was written is not part of what runs; limits and rules are fields of process and cluster.
  const std::set<std::string> no_field = {"place", "limit", "rule", "plan", "problem"};
  std::set<std::string> in_table;
  for (const ExportRow& one : kExportTable) in_table.emplace(one.field);
  std::set<std::string> in_plan;
  for (const std::string& field : fields_of_plan()) {
    const std::string owner = field.substr(0, field.find('.'));
    if (no_field.contains(owner) || field.ends_with(".place")) continue;
    in_plan.insert(field);
    in_plan.insert(owner);
    EXPECT_TRUE(in_table.contains(field) || in_table.contains(owner)) << field << " has no row";
  }
  EXPECT_GT(in_plan.size(), 60U);
  for (const std::string handler : {"stdio", "echo", "discard", "custom", "any text"}) in_plan.insert(handler);
  for (const std::string& field : in_table) EXPECT_TRUE(in_plan.contains(field)) << field << " is no field";
}

TEST(ExportTable, HasEachCaseOnce) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const ExportRow& one : kExportTable) {
    EXPECT_TRUE(seen.emplace(one.field, one.when).second) << one.field << " " << one.when;
    EXPECT_FALSE(one.how.empty()) << one.field;
  }
}

struct Shown {
  std::string field;
  std::string when;
  Fate fate = Fate::exports;
  std::string how;
  bool operator==(const Shown&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Shown& shown) {
  constexpr std::array<const char*, 3> kFates = {"exports", "lossy", "fails"};
  return out << shown.field << " (" << shown.when << ") " << kFates.at(static_cast<std::size_t>(shown.fate)) << ": "
             << shown.how;
}

// Without the escapes of mdoc.
std::string plain(std::string text) {
  const std::vector<std::pair<std::string, std::string>> escapes = {
      {"\\(aq", "'"}, {"\\-", "-"}, {"\\&", ""}, {"\\(dq", "\""}};
  for (const auto& [escape, meant] : escapes) {
    for (std::size_t at = text.find(escape); at != std::string::npos; at = text.find(escape, at))
      text.replace(at, escape.size(), meant);
  }
  return text;
}

// The three lists below EXPORT TO ENVOY.
std::vector<Shown> shown_on_page() {
  const std::regex item(R"(^\.It Va ([^ ]+|"[^"]+")(?: Pq (.+))?$)");
  const std::vector<std::pair<std::string, Fate>> titles = {
      {".Ss Exports", Fate::exports}, {".Ss Exports, with a loss", Fate::lossy}, {".Ss Fails", Fate::fails}};
  std::vector<Shown> shown;
  bool inside = false;
  Fate fate = Fate::exports;
  for (const std::string& line : lines_of("man/tun-run.5")) {
    if (line.starts_with(".Sh ")) inside = line == ".Sh EXPORT TO ENVOY";
    if (!inside) continue;
    for (const auto& [title, of] : titles)
      if (line == title) fate = of;
    std::smatch match;
    if (std::regex_match(line, match, item)) {
      std::string field = match[1];
      std::erase(field, '"');
      shown.push_back({field, plain(match[2]), fate, ""});
    } else if (!line.starts_with('.') && !shown.empty() && shown.back().how.empty()) {
      shown.back().how = plain(line);
    }
  }
  return shown;
}

TEST(ExportTable, IsTheOneOfTheManual) {
  std::vector<Shown> expected;
  for (const Fate fate : {Fate::exports, Fate::lossy, Fate::fails}) {
    for (const ExportRow& one : kExportTable) {
      if (one.fate != fate) continue;
      expected.push_back({std::string(one.field), std::string(one.when), fate, std::string(one.how) + "."});
    }
  }
  const std::vector<Shown> shown = shown_on_page();
  EXPECT_EQ(shown.size(), expected.size());
  for (std::size_t i = 0; i < std::min(shown.size(), expected.size()); ++i) EXPECT_EQ(shown[i], expected[i]);
}

}  // namespace
}  // namespace tunnel::envoy
