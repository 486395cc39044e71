// SPDX-License-Identifier: Apache-2.0
#include "net/rules.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/letter_case.hpp"
#include "plan/host_port.hpp"

namespace tunnel::net {
namespace {

const unsigned char* address_bytes(const SocketAddress& address) {
  if (address.family() == AF_INET6) return reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr.s6_addr;
  return reinterpret_cast<const unsigned char*>(&reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr);
}

std::string lower_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  return name;
}

// Addresses only an address rule, or the name localhost for the first kind, may open.
bool never_by_name(const SocketAddress& address) {
  return address.is_loopback() || address.is_link_local() || address.is_unspecified() || address.is_multicast();
}

}  // namespace

bool parse_network(const std::string& text, SocketAddress& network, unsigned& prefix_bits) {
  const std::size_t slash = text.find('/');
  const auto literal = SocketAddress::from_literal(text.substr(0, slash), 0);
  if (!literal) return false;
  const unsigned most = literal->family() == AF_INET6 ? 128 : 32;
  prefix_bits = most;
  if (slash != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, prefix_bits);
    if (error != std::errc() || stop != end || prefix_bits > most) return false;
  }
  network = *literal;
  return true;
}

Rules::Rules(const std::vector<plan::Rule>& rules) {
  for (const plan::Rule& rule : rules) {
    Entry entry{rule.allow, Kind::exact_name, lower_name(rule.host), {},
                0,          rule.first_port,  rule.last_port,        rule.literal};
    if (parse_network(rule.host, entry.network, entry.prefix_bits))
      entry.kind = Kind::network;
    else if (rule.host.find_first_of("*?[") != std::string::npos)
      entry.kind = Kind::glob;
    entries_.push_back(std::move(entry));
  }
}

bool Rules::name_matches(const Entry& entry, const std::string& host) {
  if (entry.kind == Kind::exact_name) return entry.name == host;
  return entry.kind == Kind::glob && ::fnmatch(entry.name.c_str(), host.c_str(), FNM_NOESCAPE) == 0;
}

bool Rules::network_matches(const Entry& entry, const SocketAddress& address) {
  if (entry.kind != Kind::network) return false;
  // A rule for IPv4 also covers the same address wrapped in IPv6; a rule for IPv6 covers what is written.
  const SocketAddress candidate = entry.network.family() == AF_INET ? address.unwrapped() : address;
  if (candidate.family() != entry.network.family()) return false;
  const unsigned char* a = address_bytes(candidate);
  const unsigned char* b = address_bytes(entry.network);
  const unsigned whole = entry.prefix_bits / 8;
  if (std::memcmp(a, b, whole) != 0) return false;
  const unsigned rest = entry.prefix_bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool Rules::may_allow(const Authority& authority) const {
  if (plan::is_odd_ipv4(authority.host)) return false;
  const std::string host = lower_name(authority.host);
  const auto literal = SocketAddress::from_literal(host, authority.port);
  bool allowed = false;
  for (const Entry& entry : entries_) {
    if (authority.port < entry.first_port || authority.port > entry.last_port) continue;
    const bool by_name = name_matches(entry, host);
    const bool by_address = literal && network_matches(entry, *literal);
    if (!entry.allow && (by_name || by_address)) return false;
    // An address rule may still cover what a name resolves to.
    const bool by_lookup = entry.kind == Kind::network && !entry.literal && !literal;
    if (entry.allow && (by_name || by_address || by_lookup)) allowed = true;
  }
  return allowed;
}

bool Rules::allows(const Authority& authority, const SocketAddress& address) const {
  const std::string host = lower_name(authority.host);
  const bool named = !SocketAddress::from_literal(host, authority.port);
  bool allowed = false;
  for (const Entry& entry : entries_) {
    if (authority.port < entry.first_port || authority.port > entry.last_port) continue;
    const bool by_address = !(named && entry.literal) && network_matches(entry, address);
    const bool by_name = name_matches(entry, host);
    if (!entry.allow && (by_address || by_name)) return false;
    if (!entry.allow) continue;
    if (by_address) allowed = true;
    if (!by_name) continue;
    const bool localhost = entry.kind == Kind::exact_name && host == "localhost" && address.is_loopback();
    const bool private_by_glob = entry.kind == Kind::glob && address.is_private();
    if (localhost || (!never_by_name(address) && !private_by_glob)) allowed = true;
  }
  return allowed;
}

}  // namespace tunnel::net
