// SPDX-License-Identifier: Apache-2.0
// Formats as Envoy writes them: text with %OPERATOR%, %OPERATOR(ARGUMENTS)% and %OPERATOR(ARGUMENTS):LENGTH% in it, and
// %% for a percent sign. Which operators there are, and what their arguments mean, is for the place that has the format
// to say (plan/connection_format.hpp for what is taken from a connection). Pure functions, safe from any thread.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tunnel::plan {

// Text as it stands, or an operator: then it has a name and no text.
struct FormatPart {
  std::string text;
  std::string name{};                       // DOWNSTREAM_LOCAL_PORT
  std::string arguments{};                  // as they stand in the parentheses; empty is none
  std::optional<std::size_t> most_bytes{};  // its value is cut to
  bool is_operator() const { return !name.empty(); }
  bool operator==(const FormatPart&) const = default;
};

// A clause for what is no format, or "". Says nothing about names.
std::string format_fault(std::string_view text);

// Throws std::invalid_argument where there is a format_fault(). Text without operators is one part, and no text follows
// another.
std::vector<FormatPart> parse_format(std::string_view text);

// The clause for an operator that a place, which has those of `known`, does not have.
std::string unknown_operator(const FormatPart& part, const std::vector<std::string>& known);

// The clause for an operator with arguments or a length, where it takes none; or "".
std::string bare_operator_fault(const FormatPart& part);

// `part` as it is written.
std::string to_string(const FormatPart& part);

}  // namespace tunnel::plan
