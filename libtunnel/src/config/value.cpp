// SPDX-License-Identifier: Apache-2.0
#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

#include "config/describe.hpp"
#include "config/file.hpp"
#include "plan/host_port.hpp"
#include "plan/limit_table.hpp"
#include "plan/time.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A number and one of `units`; nothing for anything else, or if the product does not fit.
template <std::size_t N>
std::optional<std::uint64_t> scaled(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = number(text.substr(0, digits));
  const auto* const unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& row) { return row.suffix == text.substr(digits); });
  if (!value || unit == units.end() || *value > UINT64_MAX / unit->factor) return std::nullopt;
  return *value * unit->factor;
}

}  // namespace

std::uint64_t parse_number(const Given& given, std::uint64_t min, std::uint64_t max) {
  const auto value = number(given.value);
  if (!value || *value < min || *value > max) {
    throw given.refusal("give a number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return *value;
}

unsigned parse_count(const Given& given, unsigned max) { return static_cast<unsigned>(parse_number(given, 1, max)); }

plan::Milliseconds parse_duration(const Given& given, plan::Milliseconds min) {
  constexpr std::array<Unit, 5> kUnits = {{{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  const auto value = scaled(given.value, kUnits);
  if (!value) throw given.refusal("give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds");
  if (*value > static_cast<std::uint64_t>(plan::kLongestTime.count()) ||
      *value < static_cast<std::uint64_t>(min.count())) {
    throw given.refusal("give a time from " + duration_text(min) + " to " + duration_text(plan::kLongestTime));
  }
  return plan::Milliseconds(static_cast<plan::Milliseconds::rep>(*value));
}

std::size_t parse_size(const Given& given, std::size_t min, std::size_t max) {
  constexpr std::array<Unit, 4> kUnits = {{{"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}}};
  const auto value = scaled(given.value, kUnits);
  if (!value) throw given.refusal("give a size in bytes, or such as 64K, 1M or 2G");
  if (*value < min || *value > max) throw given.refusal("give a size from " + size_text(min) + " to " + size_text(max));
  return *value;
}

unsigned parse_mode(const Given& given) {
  const std::string& text = given.value;
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (text.size() < 3 || text.size() > 4 || error != std::errc() || end != text.data() + text.size() || mode > 0777) {
    throw given.refusal("give permissions in octal, such as 600, 660 or 666");
  }
  return mode;
}

plan::Limit parse_limit(const Given& given) {
  const std::size_t equals = given.value.find('=');
  const std::string key = given.value.substr(0, equals);
  if (plan::find_limit(key) == nullptr) throw given.refusal(plan::limit_fault(key, 0));
  const auto value =
      equals == std::string::npos ? std::nullopt : number(std::string_view(given.value).substr(equals + 1));
  if (!value) {
    const std::string_view unit = plan::find_limit(key)->unit;
    throw given.refusal("write " + key + "=N, N a number" + (unit.empty() ? "" : " of " + std::string(unit)));
  }
  if (const std::string fault = plan::limit_fault(key, *value); !fault.empty()) throw given.refusal(fault);
  return {key, *value};
}

plan::LogFormat parse_log_format(const Given& given) {
  if (given.value == "text") return plan::LogFormat::text;
  if (given.value == "logfmt") return plan::LogFormat::logfmt;
  if (given.value == "json") return plan::LogFormat::json;
  throw given.refusal("give text, logfmt or json" + plan::did_you_mean(given.value, {"text", "logfmt", "json"}));
}

plan::Lb parse_lb(const Given& given) {
  if (given.value == "round-robin") return plan::Lb::round_robin;
  if (given.value == "least") return plan::Lb::least;
  if (given.value == "first") return plan::Lb::first;
  throw given.refusal("give round-robin, least or first" +
                      plan::did_you_mean(given.value, {"round-robin", "least", "first"}));
}

std::string parse_file(const Given& given, const std::string& path) {
  FileText file = read_file(path);
  if (!file.fault.empty()) throw Refusal(given.place, label(*given.option) + ": " + file.fault, kNoInput);
  if (file.bytes.ends_with('\n')) file.bytes.pop_back();
  if (file.bytes.ends_with('\r')) file.bytes.pop_back();
  return std::move(file.bytes);
}

std::string parse_name(const Given& given) {
  if (const std::string fault = plan::name_fault(given.value); !fault.empty()) throw given.refusal(fault);
  return given.value;
}

}  // namespace tunnel::config
