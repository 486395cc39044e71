// SPDX-License-Identifier: Apache-2.0
#include "plan/access_format.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/letter_case.hpp"
#include "plan/formatter.hpp"
#include "plan/header_field.hpp"
#include "plan/metadata.hpp"
#include "plan/state.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

enum class Takes : std::uint8_t { nothing, fields, time, metadata, object };

struct Row {
  std::string_view name;
  AccessOperator op;
  Takes takes = Takes::nothing;
  bool number = false;
};

using Op = AccessOperator;

constexpr std::array<Row, 40> kRows{{
    {"START_TIME", Op::start_time, Takes::time},
    {"REQ", Op::request, Takes::fields},
    {"RESP", Op::response, Takes::fields},
    {"TRAILER", Op::trailer, Takes::fields},
    {"DYNAMIC_METADATA", Op::metadata, Takes::metadata},
    {"PROTOCOL", Op::protocol},
    {"RESPONSE_CODE", Op::response_code, Takes::nothing, true},
    {"RESPONSE_CODE_DETAILS", Op::response_code_details},
    {"RESPONSE_FLAGS", Op::response_flags},
    {"RESPONSE_FLAGS_LONG", Op::response_flags_long},
    {"BYTES_RECEIVED", Op::bytes_received, Takes::nothing, true},
    {"BYTES_SENT", Op::bytes_sent, Takes::nothing, true},
    {"DURATION", Op::duration, Takes::nothing, true},
    {"UPSTREAM_HOST", Op::upstream_address},
    {"UPSTREAM_REMOTE_ADDRESS", Op::upstream_address},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Op::upstream_host},
    {"UPSTREAM_REMOTE_PORT", Op::upstream_port, Takes::nothing, true},
    {"UPSTREAM_LOCAL_ADDRESS", Op::upstream_local_address},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Op::upstream_local_host},
    {"UPSTREAM_LOCAL_PORT", Op::upstream_local_port, Takes::nothing, true},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", Op::upstream_attempts, Takes::nothing, true},
    {"UPSTREAM_CLUSTER", Op::upstream_cluster},
    {"UPSTREAM_CLUSTER_RAW", Op::upstream_cluster},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", Op::upstream_failure},
    {"DOWNSTREAM_REMOTE_ADDRESS", Op::remote_address},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Op::remote_host},
    {"DOWNSTREAM_REMOTE_PORT", Op::remote_port, Takes::nothing, true},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Op::remote_address},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Op::remote_host},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", Op::remote_port, Takes::nothing, true},
    {"DOWNSTREAM_LOCAL_ADDRESS", Op::local_address},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Op::local_host},
    {"DOWNSTREAM_LOCAL_PORT", Op::local_port, Takes::nothing, true},
    {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", Op::endpoint_id},
    {"CONNECTION_TERMINATION_DETAILS", Op::termination_details},
    {"FILTER_STATE", Op::state, Takes::object},
    {"UPSTREAM_FILTER_STATE", Op::far_state, Takes::object},
    {"REQUESTED_SERVER_NAME", Op::server_name},
    {"ACCESS_LOG_TYPE", Op::log_type},
    {"HOSTNAME", Op::host_name},
}};

constexpr std::string_view kUsualTime = "%Y-%m-%dT%H:%M:%E3SZ";  // Envoy's
constexpr std::string_view kTimeLetters = "aAbBdDeFhHIjmMpSsTyYzZ%";

const Row* row_of(std::string_view name) {
  const auto* const found = std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == name; });
  return found == kRows.end() ? nullptr : found;
}

// How much of `text`, which stands behind a '%', is one of what a time is made of; 0: none.
std::size_t time_part(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == 'f' || kTimeLetters.find(text[0]) != std::string_view::npos) return 1;
  const auto digit = [&](std::size_t at) { return text.size() > at && text[at] >= '1' && text[at] <= '9'; };
  if (digit(0) && text.size() > 1 && text[1] == 'f') return 2;
  return text[0] == 'E' && digit(1) && text.size() > 2 && text[2] == 'S' ? 3 : 0;
}

std::string time_fault(std::string_view format) {
  for (std::size_t at = format.find('%'); at != std::string_view::npos; at = format.find('%', at)) {
    const std::size_t part = time_part(format.substr(at + 1));
    if (part == 0)
      return in_quotes(format.substr(at, 2)) + " is no part of a time here; there are %" + std::string(kTimeLetters) +
             ", %f to nine digits, %3f and %E3S";
    at += 1 + part;
  }
  return "";
}

std::string logged_name_fault(AccessOperator op, const std::string& name) {
  if (!name.starts_with(':')) return field_name_fault(name);
  if (op == Op::trailer) return in_quotes(name) + " is no trailer";
  const bool is_there =
      op == Op::request ? name == ":method" || name == ":path" || name == ":authority" : name == ":status";
  if (is_there) return "";
  return in_quotes(name) + " is not supported by this version; there is " +
         (op == Op::request ? ":method, :path and :authority" : ":status");
}

// "NAME?OTHER" of REQ, RESP and TRAILER.
std::string read_names(const std::string& arguments, AccessPart& part) {
  const std::size_t mark = arguments.find('?');
  part.first = to_lower(std::string_view(arguments).substr(0, mark));
  if (std::string fault = logged_name_fault(part.op, part.first); !fault.empty()) return fault;
  if (mark == std::string::npos) return "";
  part.second = to_lower(std::string_view(arguments).substr(mark + 1));
  return logged_name_fault(part.op, part.second);
}

std::string read_object(const FormatPart& from, AccessPart& part) {
  StateName name;
  std::string fault = read_state_name(from, name);
  part.first = std::move(name.key);
  part.plain = name.plain;
  part.most_bytes = from.most_bytes;
  return fault;
}

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  names.reserve(kRows.size());
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

std::string convert(FormatPart from, AccessPart& into) {
  if (!from.is_operator()) {
    into.text = std::move(from.text);
    return "";
  }
  const Row* row = row_of(from.name);
  if (row == nullptr) return unknown_operator(from, known_names());
  into.op = row->op;
  if (row->takes == Takes::nothing) return bare_operator_fault(from);
  if (row->takes == Takes::object) return read_object(from, into);
  if (row->takes == Takes::metadata) {
    into.most_bytes = from.most_bytes;
    return read_metadata_place(from, into.first, into.second);
  }
  std::string fault;
  if (row->takes == Takes::fields) {
    into.most_bytes = from.most_bytes;
    fault = from.arguments.empty() ? "the name of a field is missing" : read_names(from.arguments, into);
  } else {
    into.first = from.arguments.empty() ? kUsualTime : std::string_view(from.arguments);
    fault = from.most_bytes ? "a time takes no length" : time_fault(into.first);
  }
  return fault.empty() ? "" : in_quotes(to_string(from)) + ": " + fault;
}

std::string parse(std::string_view text, AccessParts& parts) {
  if (std::string fault = format_fault(text); !fault.empty()) return fault;
  for (FormatPart& part : parse_format(text)) {
    parts.push_back({""});
    if (std::string fault = convert(std::move(part), parts.back()); !fault.empty()) return fault;
  }
  return "";
}

void judge(const std::vector<AccessField>& fields, int depth, std::vector<std::string>& faults) {
  if (depth > kDeepestObject)
    return faults.push_back("there are at most " + std::to_string(kDeepestObject) + " objects in each other");
  std::set<std::string_view> names;
  for (const AccessField& field : fields) {
    if (!names.insert(field.name).second) faults.push_back("the field " + in_quotes(field.name) + " is there twice");
    if (!field.fields.empty() && !field.text.empty())
      faults.push_back("the field " + in_quotes(field.name) + " is a text or an object, not both");
    if (const std::string fault = access_text_fault(field.text); !fault.empty())
      faults.push_back(field.name + ": " + fault);
    judge(field.fields, depth + 1, faults);
  }
}

void add_names(std::string_view text, LoggedNames& names) {
  for (const AccessPart& part : parse_access_text(text)) {
    std::vector<std::string>* const into = part.op == Op::request    ? &names.request
                                           : part.op == Op::response ? &names.response
                                           : part.op == Op::trailer  ? &names.trailers
                                                                     : nullptr;
    if (into == nullptr) continue;
    for (const std::string& name : {part.first, part.second})
      if (!name.empty() && !name.starts_with(':') && std::find(into->begin(), into->end(), name) == into->end())
        into->push_back(name);
  }
}

void add_names(const std::vector<AccessField>& fields, LoggedNames& names) {
  for (const AccessField& field : fields) {
    add_names(field.text, names);
    add_names(field.fields, names);
  }
}

bool has_upstream_local(std::string_view text) {
  const AccessParts parts = parse_access_text(text);
  return std::any_of(parts.begin(), parts.end(), [](const AccessPart& part) {
    return part.op == Op::upstream_local_address || part.op == Op::upstream_local_host ||
           part.op == Op::upstream_local_port;
  });
}

bool has_upstream_local(const std::vector<AccessField>& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const AccessField& field) {
    return has_upstream_local(field.text) || has_upstream_local(field.fields);
  });
}

std::string digits(std::uint32_t nanoseconds, std::size_t count) {
  std::string text = std::to_string(nanoseconds);
  text.insert(0, 9 - text.size(), '0');
  return text.substr(0, count);
}

std::string calendar(char letter, const std::tm& utc) {
  const std::array<char, 3> format{'%', letter, '\0'};
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), format.data(), &utc);
  return {text.data(), size};
}

// One part of a time: what time_part() found.
std::string time_text(std::string_view part, const std::tm& utc, std::int64_t seconds, std::uint32_t nanoseconds) {
  const auto number = [](char digit) { return static_cast<std::size_t>(digit - '0'); };
  if (part == "s") return std::to_string(seconds);
  if (part == "f") return digits(nanoseconds, 9);
  if (part == "z") return "+0000";
  if (part == "Z") return "UTC";
  if (part.size() == 2) return digits(nanoseconds, number(part[0]));
  if (part.size() == 3) return calendar('S', utc) + "." + digits(nanoseconds, number(part[1]));
  return calendar(part[0], utc);
}

}  // namespace

std::string access_text_fault(std::string_view text) {
  AccessParts parts;
  return parse(text, parts);
}

AccessParts parse_access_text(std::string_view text) {
  AccessParts parts;
  if (const std::string fault = parse(text, parts); !fault.empty()) throw std::invalid_argument(fault);
  return parts;
}

std::vector<std::string> access_format_faults(const AccessFormat& format) {
  std::vector<std::string> faults;
  if (!format.text.empty() && !format.fields.empty()) faults.emplace_back("lines are text or JSON, not both");
  if (format.omit_empty_values && format.text.empty() && format.fields.empty())
    faults.emplace_back("empty values are left out of lines of a form of their own only, and there is none");
  if (std::string fault = access_text_fault(format.text); !fault.empty()) faults.push_back(std::move(fault));
  judge(format.fields, 1, faults);
  return faults;
}

bool is_number(AccessOperator op) {
  return std::any_of(kRows.begin(), kRows.end(), [&](const Row& row) { return row.op == op && row.number; });
}

std::string format_time(std::string_view format, std::int64_t seconds, std::uint32_t nanoseconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  std::string text;
  for (;;) {
    const std::size_t percent = format.find('%');
    text += format.substr(0, percent);
    if (percent == std::string_view::npos) return text;
    format.remove_prefix(percent + 1);
    const std::size_t size = time_part(format);
    text += time_text(format.substr(0, size), utc, seconds, nanoseconds);
    format.remove_prefix(size);
  }
}

bool logs_upstream_local(const Plan& plan) {
  return std::any_of(plan.listeners.begin(), plan.listeners.end(), [](const Listener& listener) {
    const AccessFormat& format = listener.access_format;
    return !listener.access_log.empty() && (has_upstream_local(format.text) || has_upstream_local(format.fields));
  });
}

LoggedNames logged_names(const AccessFormat& format) {
  LoggedNames names;
  add_names(format.text, names);
  add_names(format.fields, names);
  return names;
}

}  // namespace tunnel::plan
