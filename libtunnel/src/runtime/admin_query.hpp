// SPDX-License-Identifier: Apache-2.0
// The query of a request to the admin server: "filter=^http&usedonly".
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tunnel::runtime {

class AdminQuery {
 public:
  // %XX and '+' are decoded as in a form; what is no escape stands for itself.
  explicit AdminQuery(std::string_view text);

  // The first of that name; "" if it has no value.
  std::optional<std::string> value(std::string_view name) const;
  bool has(std::string_view name) const { return value(name).has_value(); }
  // Each of them, decoded.
  const std::vector<std::pair<std::string, std::string>>& all() const { return parameters_; }

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace tunnel::runtime
