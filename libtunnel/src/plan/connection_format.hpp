// SPDX-License-Identifier: Apache-2.0
// Formats whose operators are taken from a connection on its way to a tunnel: those of a header's value. Pure
// functions, safe from any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

enum class Operator : std::uint8_t {
  none,
  local_address,   // DOWNSTREAM_LOCAL_ADDRESS: where the connection was accepted, envoy://NAME/ID inside; or where it
                   // was going, if its listener looks for that
  local_host,      // DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT
  local_port,      // DOWNSTREAM_LOCAL_PORT; nothing inside
  endpoint_id,     // DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID; nothing outside
  direct_address,  // DOWNSTREAM_DIRECT_LOCAL_ADDRESS: the same four, where it was accepted in any case
  direct_host,     // DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT
  direct_port,     // DOWNSTREAM_DIRECT_LOCAL_PORT
  direct_id,       // DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID
  remote_address,  // DOWNSTREAM_REMOTE_ADDRESS: of who entered this process, also behind internal hops
  remote_host,     // DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT
  remote_port,     // DOWNSTREAM_REMOTE_PORT
  state,           // FILTER_STATE(KEY:PLAIN) or (KEY:TYPED): an object, see plan/state.hpp
  server_name,     // REQUESTED_SERVER_NAME: that the client's TLS asks for, where TcpProxy::tls_inspector is
  metadata,        // DYNAMIC_METADATA(SPACE:KEY): what the connection to an internal listener brought along
};

struct ConnectionPart {
  std::string text{};  // if `op` is none
  Operator op = Operator::none;
  std::string space{};  // of `metadata`
  std::string key{};    // of `metadata` and `state`, as is the length
  std::optional<std::size_t> most_bytes{};
  bool plain = false;  // of `state`
  bool operator==(const ConnectionPart&) const = default;
};
using ConnectionFormat = std::vector<ConnectionPart>;

// A clause for what is no such format, or "".
std::string connection_format_fault(std::string_view text);

// Throws std::invalid_argument where there is a fault.
ConnectionFormat parse_connection_format(std::string_view text);

// Whether `text` is meant as such a format: what looks like an operator is in it, if only a misspelt one. Text where
// nobody thought of formats may have a percent sign, too.
bool holds_operators(std::string_view text);

// Whether an operator of `format`, which has no fault, is `op`.
bool has_operator(const ConnectionFormat& format, Operator op);

// Whether an operator in the target or in a header of `tunnel` is `op`. What has a fault has none.
bool has_operator(const Tunnel& tunnel, Operator op);

}  // namespace tunnel::plan
