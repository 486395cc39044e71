// SPDX-License-Identifier: Apache-2.0
#include "runtime/name_filter.hpp"

#include <re2/re2.h>

#include <cstdint>
#include <utility>

namespace tunnel::runtime {
namespace {

// Of the compiled expression and of what matching it may take; a name of a statistic is found with a few KiB.
constexpr std::int64_t kMostBytes = 1 << 20;

}  // namespace

NameFilter::NameFilter() = default;
NameFilter::NameFilter(NameFilter&&) noexcept = default;
NameFilter& NameFilter::operator=(NameFilter&&) noexcept = default;
NameFilter::~NameFilter() = default;

Result<NameFilter> NameFilter::of(std::string_view expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMostBytes);
  NameFilter filter;
  filter.expression_ = std::make_unique<re2::RE2>(re2::StringPiece(expression.data(), expression.size()), options);
  if (!filter.expression_->ok())
    return Error(Error::Kind::protocol, "Invalid re2 regex: " + filter.expression_->error());
  return filter;
}

bool NameFilter::passes(std::string_view name) const {
  return !expression_ || re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *expression_);
}

}  // namespace tunnel::runtime
