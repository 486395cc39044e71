// SPDX-License-Identifier: Apache-2.0
#include "config/show.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/cores.hpp"
#include "base/letter_case.hpp"
#include "config/as_shell.hpp"
#include "config/describe.hpp"
#include "config/draw.hpp"
#include "config/explain.hpp"
#include "config/graph.hpp"
#include "envoy/export.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::array<const char*, 3> kForms = {"ascii", "mermaid", "svg"};
constexpr std::array<const char*, 2> kExports = {"envoy", "envoy,lossy"};

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string verdict(const plan::Plan& plan) {
  return "good: " + counted(plan.listeners.size(), "listener") + ", " + counted(plan.clusters.size(), "cluster") + "\n";
}

std::string explained(const Given& given, const plan::Plan& plan, const Paper& paper) {
  const plan::Listener* only = nullptr;
  if (!given.value.empty()) {
    only = listener_called(plan, given.value);
    if (only == nullptr) {
      std::vector<std::string> known;
      for (const plan::Listener& listener : plan.listeners) {
        known.push_back(listener.name);
        for (const plan::Address& address : listener.addresses) known.push_back(address_text(address));
      }
      throw given.refusal("no listener has that name or address" + plan::did_you_mean(given.value, known));
    }
  }
  return explain(plan, only, {paper.colour, paper.unicode, paper.cores});
}

std::string drawn(const Given& given, const plan::Plan& plan, const Paper& paper) {
  const Graph graph = graph_of(plan);
  if (given.value == "svg") return draw_svg(graph);
  if (given.value == "mermaid") return draw_mermaid(graph);
  return draw_text(graph, {paper.unicode, paper.columns});
}

// The first of LC_ALL, LC_CTYPE and LANG that is set decides (POSIX, XBD section 8.2).
bool locale_is_utf8(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = to_lower(environment(name).value_or(""));
    if (value.empty()) continue;
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

void judge_word(const Given& given, std::span<const char* const> known, const std::string& text, Faults& faults) {
  if (std::find(known.begin(), known.end(), given.value) == known.end())
    faults.add(given.refusal(text + plan::did_you_mean(given.value, {known.begin(), known.end()})));
}

}  // namespace

Paper standard_output(const Environment& environment) {
  Paper paper;
  paper.cores = allowed_cores();
  paper.unicode = locale_is_utf8(environment);
  if (::isatty(STDOUT_FILENO) == 0) return paper;
  paper.colour = environment("NO_COLOR").value_or("").empty() && environment("TERM").value_or("dumb") != "dumb";
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) paper.columns = size.ws_col;
  return paper;
}

std::optional<Opt> wish_of(const Arguments& arguments, Faults& faults) {
  std::optional<Opt> wish;
  for (const Given& given : arguments.in_order()) {
    if (given.option == nullptr) continue;
    const Opt id = given.option->id;
    if (id != Opt::check && id != Opt::explain && id != Opt::graph && id != Opt::as_shell && id != Opt::export_to)
      continue;
    if (wish) {
      faults.add({given.place,
                  label(*given.option) + " and " + label(option(*wish)) + " exclude each other; give one of them"});
    }
    wish = id;
    if (id == Opt::graph) judge_word(given, kForms, "give ascii, mermaid or svg", faults);
    if (id == Opt::export_to) judge_word(given, kExports, "give envoy or envoy,lossy", faults);
  }
  return wish;
}

std::string show(Opt wish, const Arguments& arguments, Loaded& loaded, const Paper& paper) {
  const Given& given = *arguments.find(wish);
  if (wish == Opt::explain) return explained(given, loaded.plan, paper);
  if (wish == Opt::graph) return drawn(given, loaded.plan, paper);
  if (wish == Opt::check) return verdict(loaded.plan);
  if (wish == Opt::export_to) {
    envoy::Exported exported = envoy::export_plan(loaded.plan, given.value == kExports[1]);
    loaded.problems = std::move(exported.problems);
    return std::move(exported.text);
  }
  Script script = as_shell(loaded, arguments);
  loaded.problems = std::move(script.problems);
  return std::move(script.text);
}

}  // namespace tunnel::config
