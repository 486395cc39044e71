// SPDX-License-Identifier: Apache-2.0
// The form of access lines, as Envoy writes it: text with %OPERATOR%s in it, or a JSON object of such texts. What an
// operator's value is in a record is for runtime/access_line.hpp. Pure functions, safe from any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

enum class AccessOperator : std::uint8_t {
  none,
  start_time,  // START_TIME(FORMAT)
  request,     // REQ(NAME?OTHER):LENGTH: a field of the request, else the other; :method, :path and :authority, too
  response,    // RESP(NAME?OTHER):LENGTH: of the answer; :status, too
  trailer,     // TRAILER(NAME?OTHER):LENGTH: behind the answer's body
  metadata,    // DYNAMIC_METADATA(SPACE:KEY):LENGTH: what a connection to an internal listener brought along
  protocol,
  response_code,
  response_code_details,
  response_flags,
  response_flags_long,
  bytes_received,
  bytes_sent,
  duration,  // in milliseconds
  upstream_address,
  upstream_host,
  upstream_port,
  upstream_local_address,
  upstream_local_host,
  upstream_local_port,
  upstream_attempts,
  upstream_cluster,
  upstream_failure,  // UPSTREAM_TRANSPORT_FAILURE_REASON, in our words
  remote_address,
  remote_host,
  remote_port,
  local_address,
  local_host,
  local_port,
  endpoint_id,
  termination_details,
  state,        // FILTER_STATE(KEY:PLAIN) or (KEY:TYPED), see plan/state.hpp: of the connection
  far_state,    // UPSTREAM_FILTER_STATE, the same of the internal listener connected to
  server_name,  // REQUESTED_SERVER_NAME
  log_type,
  host_name,
};

struct AccessPart {
  std::string text;  // if `op` is none
  AccessOperator op = AccessOperator::none;
  std::string first{};   // a field's name, in lower case; the format of a time; the space of metadata; an object's key
  std::string second{};  // of the field that is taken if there is none of the first; the key of metadata
  std::optional<std::size_t> most_bytes{};
  bool plain = false;  // of an object
  bool operator==(const AccessPart&) const = default;
};
using AccessParts = std::vector<AccessPart>;

// How many objects of a format may be in each other: who reads the lines has to follow.
constexpr int kDeepestObject = 16;

// A clause for what is no such text, or "".
std::string access_text_fault(std::string_view text);

// Throws std::invalid_argument where there is a fault.
AccessParts parse_access_text(std::string_view text);

// Everything that is wrong with a format, each a clause.
std::vector<std::string> access_format_faults(const AccessFormat& format);

// Whether the value is a number, which JSON has without quotes.
bool is_number(AccessOperator op);

// A value as it was at `seconds` and `nanoseconds` of Unix time, in UTC. `format`: what parse_access_text() let
// through.
std::string format_time(std::string_view format, std::int64_t seconds, std::uint32_t nanoseconds);

// Whether a listener's log has our end of connections to upstreams.
bool logs_upstream_local(const Plan& plan);

// The names of the fields, in lower case, that a format takes; no :name.
struct LoggedNames {
  std::vector<std::string> request;
  std::vector<std::string> response;
  std::vector<std::string> trailers;
  bool empty() const { return request.empty() && response.empty() && trailers.empty(); }
};
LoggedNames logged_names(const AccessFormat& format);

}  // namespace tunnel::plan
