// SPDX-License-Identifier: Apache-2.0
#include "plan/source.hpp"

#include <array>
#include <utility>
#include <variant>
#include <vector>

#include "plan/connection_format.hpp"
#include "plan/formatter.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::array<std::pair<std::string_view, Source>, 3> kWords{
    {{"@authority", Source::authority}, {"@endpoint", Source::endpoint}, {"@orig-dst", Source::original}}};

}  // namespace

Source source_of(std::string_view text) {
  for (const auto& [word, source] : kWords)
    if (word == text) return source;
  return Source::written;
}

std::string source_fault(std::string_view text) {
  if (!text.starts_with('@') || source_of(text) != Source::written) return "";
  if (text == "@sni") return "the host a TLS client asks for is %REQUESTED_SERVER_NAME%; write it with a port";
  std::vector<std::string> known;
  known.reserve(std::size(kWords));
  for (const auto& [word, source] : kWords) known.emplace_back(word);
  return "what is taken from the connection is called @authority, @endpoint or @orig-dst" + did_you_mean(text, known);
}

Source target_source_of(std::string_view target) {
  return holds_operators(target) ? Source::format : source_of(target);
}

std::string target_source_fault(std::string_view target) {
  if (!holds_operators(target)) {
    // The zone of an IPv6 address has a percent sign, too, and a name in small letters behind it.
    const std::size_t percent = target.find('%');
    const bool begins = percent != std::string_view::npos && percent + 1 < target.size();
    const char next = begins ? target[percent + 1] : ' ';
    return next >= 'A' && next <= 'Z' ? format_fault(target) : source_fault(target);
  }
  if (std::string fault = connection_format_fault(target); !fault.empty()) return fault;
  const ConnectionFormat format = parse_connection_format(target);
  const auto names_us = [&](Operator op) { return has_operator(format, op); };
  if (names_us(Operator::local_address) || names_us(Operator::local_host) || names_us(Operator::direct_address) ||
      names_us(Operator::direct_host))
    return "the address a connection was accepted on would lead a tunnel back here; of a redirected one @orig-dst is "
           "where it wanted to go";
  return "";
}

Source source_of(const Cluster& cluster) {
  for (const Endpoint& endpoint : cluster.endpoints) {
    const auto* internal = std::get_if<Internal>(&endpoint.address);
    if (internal == nullptr) continue;
    if (const Source source = source_of(internal->endpoint_id); source != Source::written) return source;
  }
  return Source::written;
}

}  // namespace tunnel::plan
