// SPDX-License-Identifier: Apache-2.0
#include "envoy/route_match.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/letter_case.hpp"
#include "plan/header_field.hpp"
#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

// The value a header must have; empty if none can be told.
std::optional<std::string> read_exact(Fields& fields) {
  fields.refuse({"safe_regex_match", "range_match", "present_match", "prefix_match", "suffix_match", "contains_match",
                 "invert_match", "treat_missing_header_as_empty"});
  const auto older = fields.find("exact_match");
  const auto matcher = fields.find("string_match");
  if (older.has_value() == matcher.has_value()) {
    fields.value().refuse("give string_match: {exact: VALUE}");
    return std::nullopt;
  }
  if (older) return older->text();
  std::optional<std::string> exact;
  read_message(*matcher, [&](Fields& inner) {
    inner.refuse({"prefix", "suffix", "safe_regex", "contains", "ignore_case", "custom"});
    if (const auto value = inner.need("exact")) exact = value->text();
  });
  return exact;
}

// Why a field cannot be matched; it goes for what a proxy may not set, too, in other words.
std::string unmatched(const std::string& name) {
  const std::string shown = plan::in_quotes(name);
  if (name == ":authority" || name == "host")
    return shown + " is not matched by this version; write the host into domains of the virtual host";
  if (name == ":path") return shown + " is not matched by this version; write prefix or path";
  const std::string fault = plan::field_name_fault(name);
  const bool is_name = fault.ends_with("cannot be set");
  return is_name ? shown + " is not matched by this version" : fault;
}

void read_header(Fields& fields, plan::Match& match) {
  const auto name = fields.need("name");
  const std::optional<std::string> value = read_exact(fields);
  const auto text = name ? name->text() : std::nullopt;
  if (!text || !value) return;
  std::string field = to_lower(*text);
  if (field != ":method") {
    if (const std::string fault = unmatched(field); !fault.empty()) return name->refuse(fault);
    match.fields.push_back({std::move(field), *value});
    return;
  }
  const bool token =
      !value->empty() && std::all_of(value->begin(), value->end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!token || *value == "CONNECT")
    return name->refuse(plan::in_quotes(*value) + " is no method that could be matched");
  if (!match.method.empty()) return name->refuse("a request has one method");
  match.method = *value;
}

}  // namespace

plan::Match read_match(const Value& value) {
  plan::Match match;
  read_message(value, [&](Fields& fields) {
    fields.refuse({"safe_regex", "path_separated_prefix", "path_match_policy", "case_sensitive", "runtime_fraction",
                   "query_parameters", "grpc", "tls_context", "dynamic_metadata", "filter_state", "cookies"});
    const auto prefix = fields.find("prefix");
    const auto path = fields.find("path");
    const auto connect = fields.find("connect_matcher");
    if (prefix) match.prefix = prefix->text().value_or("/");
    if (path) match.prefix = path->text().value_or("/");
    match.whole = path.has_value();
    if (connect) read_empty(*connect);
    match.connect = connect.has_value();
    if (prefix.has_value() + path.has_value() + connect.has_value() != 1)
      value.refuse("give one of prefix, path and connect_matcher");
    if ((prefix || path) && !match.prefix.starts_with('/')) {
      (prefix ? *prefix : *path).refuse("a path begins with '/'");
      match.prefix = "/";
    }
    const auto headers = fields.find("headers");
    if (headers) read_messages(*headers, [&](Fields& header) { read_header(header, match); });
    if (headers && match.connect && !match.method.empty()) headers->refuse("connect_matcher is for one method already");
  });
  return match;
}

}  // namespace tunnel::envoy
