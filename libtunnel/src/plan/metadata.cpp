// SPDX-License-Identifier: Apache-2.0
#include "plan/metadata.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "plan/host_port.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::size_t kMostNameBytes = 256;
constexpr std::size_t kMostValueBytes = 4096;  // it becomes a part of heads, which are limited, too

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string text_fault(std::string_view what, std::string_view text, std::size_t most) {
  if (text.size() > most)
    return std::string(what).append(" has at most ").append(std::to_string(most)).append(" bytes");
  if (std::any_of(text.begin(), text.end(), &is_control))
    return std::string(what).append(" has a control character in it");
  return "";
}

}  // namespace

Passed passed_metadata(const Cluster& cluster, const Endpoint& endpoint) {
  Passed passed;
  for (const Passthrough& source : cluster.passthrough) {
    const std::vector<Metadata>& from = source.from == Passthrough::From::host ? endpoint.metadata : cluster.metadata;
    const auto is_in_space = [&](const Metadata& value) { return value.space == source.space; };
    if (std::none_of(from.begin(), from.end(), is_in_space)) {
      ++passed.missing;
      continue;
    }
    std::erase_if(passed.values, [&](const Metadata* value) { return is_in_space(*value); });
    for (const Metadata& value : from)
      if (is_in_space(value)) passed.values.push_back(&value);
  }
  return passed;
}

const Metadata* passed_value(const Cluster& cluster, const Endpoint& endpoint, std::string_view space,
                             std::string_view key) {
  const Passed passed = passed_metadata(cluster, endpoint);
  const auto found = std::find_if(passed.values.begin(), passed.values.end(),
                                  [&](const Metadata* value) { return value->space == space && value->key == key; });
  return found == passed.values.end() ? nullptr : *found;
}

std::string metadata_fault(const Metadata& value) {
  if (value.space.empty() || value.key.empty()) return "metadata has a space and a key, and neither is empty";
  std::string fault = text_fault("a space of metadata", value.space, kMostNameBytes);
  if (fault.empty()) fault = text_fault("a key of metadata", value.key, kMostNameBytes);
  if (fault.empty()) fault = text_fault("a value of metadata", value.value, kMostValueBytes);
  return fault;
}

std::string original_fault(const Metadata& value) {
  Tcp tcp;
  const bool reads = value.kind == Metadata::Kind::text && parse_host_port(value.value, tcp).empty();
  if (reads && (is_ipv4(tcp.host) || (is_ipv6(tcp.host) && tcp.host.find('%') == std::string::npos))) return "";
  return in_quotes(value.value) + " is no IP:PORT to go to";
}

// Envoy prints the whole space where there is no key, and goes on into values that have keys; ours have none.
std::string read_metadata_place(const FormatPart& part, std::string& space, std::string& key) {
  const std::size_t colon = part.arguments.find(':');
  space = part.arguments.substr(0, colon);
  if (colon != std::string::npos) key = part.arguments.substr(colon + 1);
  if (space.empty() || key.empty())
    return in_quotes(to_string(part)) + " names no value; write %DYNAMIC_METADATA(SPACE:KEY)%";
  if (key.find(':') == std::string::npos) return "";
  return in_quotes(to_string(part)) + " goes into a value, and no value here has keys; write SPACE:KEY";
}

std::string printed(const Metadata& value) {
  double number = 0;
  const char* const end = value.value.data() + value.value.size();
  if (value.kind != Metadata::Kind::number) return value.value;
  const std::from_chars_result read = std::from_chars(value.value.data(), end, number);
  if (read.ptr != end || read.ec != std::errc()) return value.value;
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), written.ptr};
}

std::string to_string(const Metadata& value) { return value.space + "." + value.key + "=" + value.value; }

}  // namespace tunnel::plan
