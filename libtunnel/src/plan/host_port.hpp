// SPDX-License-Identifier: Apache-2.0
// The strict reading of HOST:PORT and of names in a Plan. Strict because a target becomes a header on the wire (RFC
// 9110 section 7.2, RFC 3986 section 3.2): what is not plainly a host and a port is refused here, never escaped later.
// Nothing is resolved. Pure functions, safe from any thread; a fault is a clause that fits after "X: ", and "" means
// none.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// 1..65535 in decimal without sign or leading zero.
std::optional<std::uint16_t> parse_port(std::string_view text);

bool is_ipv4(std::string_view host);
bool is_ipv6(std::string_view host);      // without brackets; a zone (%eth0) may follow
bool is_loopback(std::string_view host);  // an address of 127.0.0.0/8, ::1, or "" (a listener's default)

// A host name (letters, digits, '-', '_', '.'), an IPv4 address in four decimal numbers, or an IPv6 address without
// brackets.
std::string host_fault(std::string_view host);

// A name of a listener or a cluster: letters, digits, '-', '_', '.', at most 100 bytes.
std::string name_fault(std::string_view name);

// The id of an endpoint: visible ASCII, at most 256 bytes.
std::string endpoint_id_fault(std::string_view id);

// Reads "HOST:PORT", IPv6 in brackets, into `out`; the fault if it is anything else.
std::string parse_host_port(std::string_view text, Tcp& out);

// The target of a CONNECT: HOST:PORT, and no IPv6 zone, which means nothing on another machine.
std::string target_fault(std::string_view target);

}  // namespace tunnel::plan
