// SPDX-License-Identifier: Apache-2.0
// Text in columns for a terminal of 80: headings, and rows of a label, a value and where the value comes from. Long
// values go on below themselves.
#pragma once
#include <string>
#include <string_view>

namespace tunnel::config {

class Sheet {
 public:
  explicit Sheet(bool colour) : colour_(colour) {}

  // `aside` stands at the right edge, if there is room.
  void heading(std::string_view text, std::string_view aside = "");
  void row(std::string_view label, std::string_view value, std::string_view source = "");
  // Over the whole width.
  void paragraph(std::string_view text);
  void blank() { text_ += '\n'; }
  std::string take() { return std::move(text_); }

 private:
  std::string paint(std::string_view text, std::string_view code) const;

  bool colour_;
  std::string text_;
};

}  // namespace tunnel::config
