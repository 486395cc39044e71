// SPDX-License-Identifier: Apache-2.0
// filter= of the admin server: a regular expression of RE2's, as Envoy takes it, found anywhere in a name. RE2 takes
// time that grows with the name and never backtracks.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "tunnel/error.hpp"

namespace re2 {
class RE2;
}

namespace tunnel::runtime {

class NameFilter {
 public:
  NameFilter();  // lets every name pass
  NameFilter(NameFilter&&) noexcept;
  NameFilter& operator=(NameFilter&&) noexcept;
  NameFilter(const NameFilter&) = delete;
  NameFilter& operator=(const NameFilter&) = delete;
  ~NameFilter();
  // The error is a sentence for whoever wrote the expression.
  static Result<NameFilter> of(std::string_view expression);

  bool passes(std::string_view name) const;

 private:
  std::unique_ptr<re2::RE2> expression_;
};

}  // namespace tunnel::runtime
