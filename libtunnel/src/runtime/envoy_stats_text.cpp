// SPDX-License-Identifier: Apache-2.0
#include "runtime/envoy_stats_text.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

namespace tunnel::runtime {
namespace {

std::string escaped(std::string_view label) {
  std::string text;
  for (const char c : label) {
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

void add_sample(std::string& text, const EnvoyStat& stat) {
  text += stat.family + "{";
  for (const auto& [name, value] : stat.labels) {
    if (text.back() != '{') text += ',';
    fmt::format_to(std::back_inserter(text), "{}=\"{}\"", name, escaped(value));
  }
  fmt::format_to(std::back_inserter(text), "}} {}\n", stat.value);
}

}  // namespace

std::string stats_as_text(const std::vector<EnvoyStat>& stats) {
  std::string text;
  for (const EnvoyStat& stat : stats) fmt::format_to(std::back_inserter(text), "{}: {}\n", stat.name, stat.value);
  return text;
}

std::string stats_as_json(const std::vector<EnvoyStat>& stats) {
  boost::json::array all;
  all.reserve(stats.size());
  for (const EnvoyStat& stat : stats) {
    boost::json::object one;
    one["name"] = stat.name;
    one["value"] = stat.value;
    all.emplace_back(std::move(one));
  }
  boost::json::object object;
  object["stats"] = std::move(all);
  return boost::json::serialize(object);
}

std::string stats_as_prometheus(const std::vector<EnvoyStat>& stats) {
  std::map<std::pair<EnvoyStat::Kind, std::string_view>, std::string> families;
  for (const EnvoyStat& stat : stats) add_sample(families[{stat.kind, stat.family}], stat);
  std::string text;
  for (const auto& [family, samples] : families) {
    const std::string_view type = family.first == EnvoyStat::Kind::counter ? "counter" : "gauge";
    fmt::format_to(std::back_inserter(text), "# TYPE {} {}\n{}", family.second, type, samples);
  }
  return text;
}

}  // namespace tunnel::runtime
