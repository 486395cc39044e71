// SPDX-License-Identifier: Apache-2.0
#include "envoy/export_report.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

// How many bytes follow the first one of a character (RFC 3629 section 3); -1: none begins so.
int bytes_behind(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

// Neither longer than needed, nor a surrogate, nor beyond the last.
bool is_character(std::uint32_t code, int behind) {
  if (behind == 2) return code >= 0x800 && (code < 0xd800 || code > 0xdfff);
  return behind != 3 || (code >= 0x10000 && code <= 0x10ffff);
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at++]);
    const int behind = bytes_behind(first);
    if (behind < 0 || static_cast<std::size_t>(behind) > text.size() - at) return false;
    std::uint32_t code = behind == 0 ? first : first & (0x3fU >> static_cast<unsigned>(behind));
    for (int i = 0; i < behind; ++i) {
      const auto next = static_cast<unsigned char>(text[at++]);
      if ((next & 0xc0U) != 0x80U) return false;
      code = code << 6U | (next & 0x3fU);
    }
    if (!is_character(code, behind)) return false;
  }
  return true;
}

void Report::note(const ExportRow& row, const plan::Place& place, std::string_view what) {
  std::string text = std::string(what) + ": " + std::string(row.how);
  if (row.fate == Fate::lossy && lossy_) {
    const std::string where = plan::to_string(place);
    losses.push_back(where + (where.empty() ? "" : ": ") + text);
    return;
  }
  if (row.fate == Fate::lossy) text += "; --export=envoy,lossy goes on without";
  const bool told = std::any_of(problems.begin(), problems.end(), [&](const plan::Problem& problem) {
    return problem.text == text && plan::to_string(problem.place) == plan::to_string(place);
  });
  if (!told) problems.push_back({place, std::move(text)});
}

bool Report::writable(std::string_view text, const plan::Place& place, std::string_view what) {
  if (is_utf8(text)) return true;
  note(row("any text", "not UTF-8"), place, std::string(what) + " " + plan::in_quotes(text));
  return false;
}

}  // namespace tunnel::envoy
