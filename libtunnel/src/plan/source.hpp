// SPDX-License-Identifier: Apache-2.0
// Where the target of a tunnel or the id of an endpoint comes from: written in the plan, or taken from what is
// connected. Pure functions, safe from any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

enum class Source : std::uint8_t {
  written,    // the text itself
  authority,  // "@authority": the host:port a request names
  endpoint,   // "@endpoint": the id with which the listener was dialled
  original,   // "@orig-dst": where a TCP connection was going before a redirect
  format,     // of tunnels only: a text with %OPERATOR%s, see plan/connection_format.hpp
};

// `text` must have no source_fault().
Source source_of(std::string_view text);
// A clause for a word beginning with '@' that is no source; "" for everything else.
std::string source_fault(std::string_view text);

// The same for the target of a tunnel, which may be a format.
Source target_source_of(std::string_view target);
std::string target_source_fault(std::string_view target);

// The one source the ids of a cluster's internal endpoints are taken from.
Source source_of(const Cluster& cluster);

}  // namespace tunnel::plan
