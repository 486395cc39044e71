// SPDX-License-Identifier: Apache-2.0
// What Envoy 1.40 tells a client whose upstream failed, for --envoy-compat: 503, or 504, and which reset was the cause.
#pragma once
#include <optional>

#include "base/access_record.hpp"
#include "http/status_error.hpp"

namespace tunnel::proxy {

// Of the error of a record. Nothing for what is no failure of an upstream, or nothing Envoy has an answer of its own
// to.
std::optional<http::StatusAnswer> envoy_answer(const AccessRecord& record);

}  // namespace tunnel::proxy
