// SPDX-License-Identifier: Apache-2.0
#include "config/header.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/letter_case.hpp"
#include "config/value.hpp"
#include "plan/connection_format.hpp"
#include "plan/header_field.hpp"

namespace tunnel::config {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

Refusal refusal(const Given& given, const std::string& clause) { return {given.place, "--header " + clause}; }

}  // namespace

plan::Header parse_header(const Given& given) {
  const std::size_t colon = given.value.find(':', given.value.starts_with(':') ? 1 : 0);
  if (colon == std::string::npos) throw given.refusal("the colon is missing; write 'NAME: VALUE'");
  plan::Header header{to_lower(std::string_view(given.value).substr(0, colon)), "", false};
  if (const std::string fault = plan::field_name_fault(header.name); !fault.empty()) throw refusal(given, fault);
  std::string_view value = trimmed(std::string_view(given.value).substr(colon + 1));
  const bool from_file = value.starts_with('@') && !value.starts_with("@@");
  if (from_file) {
    header.value = parse_file(given, std::string(value.substr(1)));
    header.secret = true;
  } else {
    if (plan::is_secret_field(header.name))
      throw refusal(given, header.name +
                               ": its value is a secret and does not belong on a command line; write it to a "
                               "file and give '" +
                               header.name + ": @FILE'");
    if (value.starts_with("@@")) value.remove_prefix(1);
    header.value = value;
    header.format = plan::holds_operators(value);
  }
  std::string fault = plan::field_value_fault(header.value);
  if (fault.empty() && header.format) fault = plan::connection_format_fault(header.value);
  if (!fault.empty()) throw refusal(given, header.name + ": " + fault);
  return header;
}

}  // namespace tunnel::config
