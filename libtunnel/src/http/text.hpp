// SPDX-License-Identifier: Apache-2.0
// Characters and lists of HTTP fields (RFC 9110 section 5.6). ASCII only, no locale.
#pragma once
#include <algorithm>
#include <string_view>

#include "base/letter_case.hpp"

namespace tunnel::http {

using tunnel::equal_ignoring_case;
using tunnel::lower;
using tunnel::to_lower;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
constexpr bool is_hex_digit(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_token_char(char c) {
  return is_digit(c) || is_alpha(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

inline bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Calls `each` for every non-empty element of a comma-separated list without quoted strings.
template <class Each>
void for_each_token(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view word = trim(list.substr(0, comma));
    if (!word.empty()) each(word);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

}  // namespace tunnel::http
