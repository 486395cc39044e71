// SPDX-License-Identifier: Apache-2.0
#include "config/sheet.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tunnel::config {
namespace {

constexpr std::size_t kColumns = 79;  // some terminals wrap behind the 80th
constexpr std::size_t kIndent = 3;
constexpr std::size_t kValueAt = 25;
constexpr std::size_t kSourceAt = 72;
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kDim = "\033[2m";
constexpr std::string_view kPlain = "\033[0m";

std::size_t width_of(std::string_view text) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

// Of the first `width` characters.
std::size_t bytes_of(std::string_view text, std::size_t width) {
  std::size_t bytes = 0;
  while (bytes < text.size() && width_of(text.substr(0, bytes + 1)) <= width) ++bytes;
  return bytes;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.append(width - std::min(width, width_of(text)), ' ');
  return out;
}

// Words, as many a line as fit; one that fits into none is broken.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    if (!lines.back().empty() && width_of(lines.back()) + 1 + width_of(word) > width) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    for (; width_of(word) > width; lines.emplace_back()) {
      const std::size_t fits = bytes_of(word, width);
      lines.back() += word.substr(0, fits);
      word.remove_prefix(fits);
    }
    lines.back() += word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string Sheet::paint(std::string_view text, std::string_view code) const {
  return colour_ && !text.empty() ? std::string(code) + std::string(text) + std::string(kPlain) : std::string(text);
}

void Sheet::heading(std::string_view text, std::string_view aside) {
  text_ += paint(text, kBold);
  const std::size_t used = width_of(text) + width_of(aside);
  if (!aside.empty()) text_ += std::string(used + 2 <= kColumns ? kColumns - used : 2, ' ') + paint(aside, kDim);
  text_ += '\n';
}

void Sheet::row(std::string_view label, std::string_view value, std::string_view source) {
  std::string lead = std::string(kIndent, ' ') + padded(label, kValueAt - kIndent - 1) + " ";
  for (const std::string& line : wrapped(value, kSourceAt - kValueAt - 1)) {
    text_ += lead;
    // The source stands beside the first line.
    text_ += source.empty() ? line : padded(line, kSourceAt - kValueAt - 1) + " " + paint(source, kDim);
    text_ += '\n';
    lead.assign(kValueAt, ' ');
    source = "";
  }
}

void Sheet::paragraph(std::string_view text) {
  for (const std::string& line : wrapped(text, kColumns - kIndent)) text_ += std::string(kIndent, ' ') + line + "\n";
}

}  // namespace tunnel::config
