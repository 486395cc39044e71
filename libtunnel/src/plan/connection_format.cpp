// SPDX-License-Identifier: Apache-2.0
#include "plan/connection_format.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "plan/formatter.hpp"
#include "plan/metadata.hpp"
#include "plan/state.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::array<std::pair<std::string_view, Operator>, 17> kOperators{{
    {"DOWNSTREAM_LOCAL_ADDRESS", Operator::local_address},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Operator::local_host},
    {"DOWNSTREAM_LOCAL_PORT", Operator::local_port},
    {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", Operator::endpoint_id},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", Operator::direct_address},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", Operator::direct_host},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", Operator::direct_port},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", Operator::direct_id},
    {"DOWNSTREAM_REMOTE_ADDRESS", Operator::remote_address},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Operator::remote_host},
    {"DOWNSTREAM_REMOTE_PORT", Operator::remote_port},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Operator::remote_address},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Operator::remote_host},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", Operator::remote_port},
    {"REQUESTED_SERVER_NAME", Operator::server_name},
    {"DYNAMIC_METADATA", Operator::metadata},
    {"FILTER_STATE", Operator::state},
}};

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  names.reserve(kOperators.size());
  for (const auto& [name, op] : kOperators) names.emplace_back(name);
  return names;
}

std::string read_state(const FormatPart& part, ConnectionPart& into) {
  StateName name;
  std::string fault = read_state_name(part, name);
  into.key = std::move(name.key);
  into.plain = name.plain;
  into.most_bytes = part.most_bytes;
  return fault;
}

// The fault, or "" and the part.
std::string convert(FormatPart part, ConnectionPart& into) {
  if (!part.is_operator()) {
    into.text = std::move(part.text);
    return "";
  }
  const auto* const found =
      std::find_if(kOperators.begin(), kOperators.end(), [&](const auto& row) { return row.first == part.name; });
  if (found == kOperators.end()) return unknown_operator(part, known_names());
  into.op = found->second;
  if (into.op == Operator::state) return read_state(part, into);
  if (into.op != Operator::metadata) return bare_operator_fault(part);
  into.most_bytes = part.most_bytes;
  return read_metadata_place(part, into.space, into.key);
}

std::string parse(std::string_view text, ConnectionFormat& format) {
  if (std::string fault = format_fault(text); !fault.empty()) return fault;
  for (FormatPart& part : parse_format(text)) {
    format.emplace_back();
    if (std::string fault = convert(std::move(part), format.back()); !fault.empty()) return fault;
  }
  return "";
}

}  // namespace

std::string connection_format_fault(std::string_view text) {
  ConnectionFormat format;
  return parse(text, format);
}

bool holds_operators(std::string_view text) {
  constexpr std::size_t kShortestWord = 3;  // two letters between percent signs are escapes of a URL
  if (!format_fault(text).empty()) return false;
  const std::vector<FormatPart> parts = parse_format(text);
  return std::any_of(parts.begin(), parts.end(), [](const FormatPart& part) {
    return part.name.size() >= kShortestWord && part.name.front() >= 'A' && part.name.front() <= 'Z';
  });
}

bool has_operator(const ConnectionFormat& format, Operator op) {
  return std::any_of(format.begin(), format.end(), [&](const ConnectionPart& part) { return part.op == op; });
}

bool has_operator(const Tunnel& tunnel, Operator op) {
  const auto in = [op](const std::string& text) {
    return connection_format_fault(text).empty() && has_operator(parse_connection_format(text), op);
  };
  return (holds_operators(tunnel.target) && in(tunnel.target)) ||
         std::any_of(tunnel.headers.begin(), tunnel.headers.end(),
                     [&](const Header& header) { return header.format && in(header.value); });
}

ConnectionFormat parse_connection_format(std::string_view text) {
  ConnectionFormat format;
  if (const std::string fault = parse(text, format); !fault.empty()) throw std::invalid_argument(fault);
  return format;
}

}  // namespace tunnel::plan
