// SPDX-License-Identifier: Apache-2.0
// How a record ended, in Envoy's words: the flag of its access log, and the details of an answer. One table; pure.
#pragma once
#include <string>
#include <string_view>

#include "base/access_record.hpp"

namespace tunnel::runtime {

struct ResponseFlag {
  std::string_view flag;       // "UF"
  std::string_view long_flag;  // "UpstreamConnectionFailure"
  std::string_view details;    // of an answer, where the flag says it; else ""
};

// Empty texts: it ended in order, or by what Envoy has no flag for.
ResponseFlag response_flag(const AccessRecord& record);

// A relay that could not connect has used up its attempts, which Envoy says by one flag more.
bool used_up_attempts(const AccessRecord& record);

// RESPONSE_CODE_DETAILS; "": none.
std::string response_details(const AccessRecord& record);

}  // namespace tunnel::runtime
