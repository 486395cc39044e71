// SPDX-License-Identifier: Apache-2.0
// The strict reading of HOST:PORT, of paths and of names in a Plan. Strict because a target becomes a header on the
// wire (RFC 9110 section 7.2, RFC 3986 section 3.2): what is not plainly a host and a port is refused here, never
// escaped later. Nothing is resolved. Pure functions, safe from any thread; a fault is a clause that fits after "X: ",
// and "" means none.
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

// What a resolver would read as an IPv4 address although it is not written as one: 127.1, 0x7f000001, 2130706433,
// 0177.0.0.1. It is no name either (RFC 1123 section 2.1): nobody who reads a rule or a log takes it for an address.
bool is_odd_ipv4(std::string_view host);

// A host name (letters, digits, '-', '_', '.'), an IPv4 address in four decimal numbers, or an IPv6 address without
// brackets.
std::string host_fault(std::string_view host);

// A name of a listener or a cluster: letters, digits, '-', '_', '.', at most 100 bytes.
std::string name_fault(std::string_view name);

// The id of an endpoint: visible ASCII, at most 256 bytes.
std::string endpoint_id_fault(std::string_view id);

// The path of a unix socket: 1 to 107 bytes (what the kernel takes), no zero byte; '@' and a name for an abstract one.
std::string unix_path_fault(std::string_view path);

// A name in LISTEN_FDNAMES (FileDescriptorName= of a .socket unit): printable ASCII but ':', at most 255 bytes.
std::string fd_name_fault(std::string_view name);

// Reads "HOST:PORT", IPv6 in brackets, into `out`; the fault if it is anything else.
std::string parse_host_port(std::string_view text, Tcp& out);

// "HOST:PORT" as parse_host_port() reads it.
std::string to_string(const Tcp& tcp);

// As it is typed: "HOST:PORT", "internal:NAME/ID", "unix:PATH"; without its options.
std::string to_string(const Address& address);
// An address as to_string() and logs write it, as Envoy does: "envoy://NAME/ID", the path of a unix socket, or the
// same.
std::string as_envoy_writes(std::string_view address);
// "::1:22", as ssh's %h:%p writes an IPv6 address: with the brackets around what stands before the last colon. Anything
// else as it is.
std::string with_brackets(std::string_view text);

// The target of a CONNECT: HOST:PORT, and no IPv6 zone, which means nothing on another machine.
std::string target_fault(std::string_view target);

}  // namespace tunnel::plan
