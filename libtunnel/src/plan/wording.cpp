// SPDX-License-Identifier: Apache-2.0
#include "plan/wording.hpp"

#include <algorithm>
#include <cstddef>

namespace tunnel::plan {
namespace {

constexpr std::size_t kShownBytes = 80;
constexpr std::size_t kComparedBytes = 64;
constexpr std::size_t kBegunBytes = 3;  // so much of a word is an abbreviation of it

// Optimal string alignment distance: three rows are enough, since a swap looks back two.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      shown += c;
    } else {
      shown += "\\x";
      shown += kHex[byte >> 4U];
      shown += kHex[byte & 15U];
    }
  }
  return shown;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  return "'" + printable(text.substr(0, kShownBytes)) + (text.size() > kShownBytes ? "...'" : "'");
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kComparedBytes) return "";
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string found;
  for (const std::string& candidate : known) {
    if (candidate.size() > kComparedBytes || candidate == word) continue;
    const bool begun = word.size() >= kBegunBytes && candidate.starts_with(word);
    const std::size_t edits = begun ? 1 : distance(word, candidate);
    // Two words that share nothing are not near, however short they are.
    if (edits < best && edits < std::max(word.size(), candidate.size())) {
      best = edits;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string name = nearest(word, known);
  return name.empty() ? "" : ", did you mean " + name + "?";
}

std::string duration_text(Milliseconds duration) {
  const auto count = duration.count();
  if (count != 0 && count % 3'600'000 == 0) return std::to_string(count / 3'600'000) + "h";
  if (count > 60'000 && count % 60'000 == 0) return std::to_string(count / 60'000) + "m";
  if (count % 1000 == 0) return std::to_string(count / 1000) + "s";
  return std::to_string(count) + "ms";
}

std::string to_string(const Place& place) {
  if (place.line == 0) return "";
  return printable(place.file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

}  // namespace tunnel::plan
