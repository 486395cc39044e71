// SPDX-License-Identifier: Apache-2.0
// What an export loses, and what it fails for, as export_table.hpp says.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "envoy/export_table.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

class Report {
 public:
  // `lossy`: losses are wanted.
  explicit Report(bool lossy) : lossy_(lossy) {}

  // `what` at `place` meets `row`, which is none that exports. Told once.
  void note(const ExportRow& row, const plan::Place& place, std::string_view what);
  // Whether `text` can be written; noted if not.
  bool writable(std::string_view text, const plan::Place& place, std::string_view what);

  std::vector<plan::Problem> problems;  // refuse the whole
  std::vector<std::string> losses;      // a line each, printable

 private:
  bool lossy_;
};

bool is_utf8(std::string_view text);

}  // namespace tunnel::envoy
