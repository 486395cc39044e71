// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_query.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace tunnel::runtime {
namespace {

std::string decoded(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned value = 0;
    const std::string digits(text.substr(at + 1, 2));
    const bool escape =
        text[at] == '%' && digits.size() == 2 &&
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr == digits.data() + digits.size();
    if (escape) {
      bytes += static_cast<char>(value);
      at += 2;
    } else {
      bytes += text[at] == '+' ? ' ' : text[at];
    }
  }
  return bytes;
}

}  // namespace

AdminQuery::AdminQuery(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    parameters_.emplace_back(decoded(one.substr(0, equals)),
                             equals == std::string_view::npos ? "" : decoded(one.substr(equals + 1)));
  }
}

std::optional<std::string> AdminQuery::value(std::string_view name) const {
  const auto found =
      std::find_if(parameters_.begin(), parameters_.end(), [&](const auto& one) { return one.first == name; });
  if (found == parameters_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tunnel::runtime
