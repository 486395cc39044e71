// SPDX-License-Identifier: Apache-2.0
#include "plan/formatter.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

// What ends an operator behind its name or its parentheses: '%', or ":LENGTH%". How much of `text` that is; 0 if it is
// neither.
std::size_t end_of_operator(std::string_view text, std::optional<std::size_t>& most_bytes) {
  if (text.starts_with('%')) return 1;
  if (!text.starts_with(':')) return 0;
  std::size_t number = 0;
  const auto [end, fault] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (fault != std::errc() || end == text.data() + text.size() || *end != '%') return 0;
  most_bytes = number;
  return static_cast<std::size_t>(end - text.data()) + 1;
}

// Takes the operator `text` begins with, behind its '%'. Arguments may hold any character, '%' and ')' too: they end
// with the first ')' that ends an operator, as in Envoy. False if it is none.
bool take_operator(std::string_view& text, FormatPart& part) {
  const std::size_t name = std::min(text.find_first_not_of(kNameCharacters), text.size());
  if (name == 0) return false;
  part.name = text.substr(0, name);
  std::string_view rest = text.substr(name);
  std::size_t end = 0;
  if (rest.starts_with('(')) {
    std::size_t close = rest.find(')');
    while (close != std::string_view::npos && (end = end_of_operator(rest.substr(close + 1), part.most_bytes)) == 0)
      close = rest.find(')', close + 1);
    if (end == 0) return false;
    part.arguments = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
  } else if (end = end_of_operator(rest, part.most_bytes); end == 0) {
    return false;
  }
  text = rest.substr(end);
  return true;
}

// Why `text`, which stands behind a '%', begins no operator.
std::string no_operator(std::string_view text) {
  const std::size_t end = text.find('%');
  if (end == std::string_view::npos) return "a % begins an operator that has no end; write %% for a percent sign";
  return in_quotes("%" + std::string(text.substr(0, end + 1))) +
         " is no operator, which is %NAME%, %NAME(ARGUMENTS)% or %NAME(ARGUMENTS):LENGTH% with a name in capitals; "
         "write %% for a percent sign";
}

// The fault, if `parts` is not all that there is.
std::string parse(std::string_view text, std::vector<FormatPart>& parts) {
  const auto add_text = [&](std::string_view more) {
    if (parts.empty() || parts.back().is_operator()) parts.push_back({""});
    parts.back().text += more;
  };
  while (!text.empty()) {
    const std::size_t percent = text.find('%');
    if (percent > 0) add_text(text.substr(0, percent));
    if (percent == std::string_view::npos) break;
    text.remove_prefix(percent + 1);
    if (text.starts_with('%')) {
      add_text("%");
      text.remove_prefix(1);
      continue;
    }
    FormatPart part{""};
    if (!take_operator(text, part)) return no_operator(text);
    parts.push_back(std::move(part));
  }
  return "";
}

}  // namespace

std::string format_fault(std::string_view text) {
  std::vector<FormatPart> parts;
  return parse(text, parts);
}

std::vector<FormatPart> parse_format(std::string_view text) {
  std::vector<FormatPart> parts;
  if (const std::string fault = parse(text, parts); !fault.empty()) throw std::invalid_argument(fault);
  return parts;
}

std::string unknown_operator(const FormatPart& part, const std::vector<std::string>& known) {
  return in_quotes(to_string(part)) + " is not supported by this version" + did_you_mean(part.name, known);
}

std::string bare_operator_fault(const FormatPart& part) {
  if (part.arguments.empty() && !part.most_bytes) return "";
  return in_quotes(to_string(part)) + ": " + part.name + " takes no arguments and no length";
}

std::string to_string(const FormatPart& part) {
  if (!part.is_operator()) return part.text;
  std::string text = "%" + part.name;
  if (!part.arguments.empty()) text.append("(").append(part.arguments).append(")");
  if (part.most_bytes) text.append(":").append(std::to_string(*part.most_bytes));
  return text + "%";
}

}  // namespace tunnel::plan
