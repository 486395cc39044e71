// SPDX-License-Identifier: Apache-2.0
#include "config/rule.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "plan/host_port.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::string_view kForm = "write HOST:PORT or HOST:PORT-PORT";

struct Split {
  std::string host;
  std::string prefix;  // what follows '/', "" if no '/'
  std::string ports;
  bool has_prefix = false;
};

Split split(const Given& given, std::string_view text) {
  Split parts;
  if (text.starts_with('[')) {
    const std::size_t closing = text.find(']');
    if (closing == std::string_view::npos) throw given.refusal("the ']' after the IPv6 address is missing");
    parts.host = text.substr(1, closing - 1);
    if (!plan::is_ipv6(parts.host) || parts.host.find('%') != std::string::npos) {
      throw given.refusal(plan::in_quotes(parts.host) + " is not an IPv6 address");
    }
    text.remove_prefix(closing + 1);
  } else {
    const std::size_t end = text.find_first_of("/:");
    parts.host = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    if (text.find(':') != text.rfind(':')) {
      throw given.refusal("there is one ':' too many; put an IPv6 address in brackets, as in [2001:db8::]/32:443");
    }
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw given.refusal("the port is missing; " + std::string(kForm) + ", every port is 1-65535");
  }
  if (text.front() == '/') {
    parts.has_prefix = true;
    parts.prefix = text.substr(1, colon - 1);
  } else if (colon != 0) {
    throw given.refusal("after ']' comes /BITS or ':' and the port");
  }
  parts.ports = text.substr(colon + 1);
  return parts;
}

void read_ports(const Given& given, const std::string& text, plan::Rule& rule) {
  const std::size_t dash = text.find('-');
  const auto first = plan::parse_port(std::string_view(text).substr(0, dash));
  const auto last = dash == std::string::npos ? first : plan::parse_port(std::string_view(text).substr(dash + 1));
  if (!first || !last) throw given.refusal("a port is a number from 1 to 65535; every port is 1-65535");
  if (*first > *last) throw given.refusal("the ports run backwards; write the lower one first");
  rule.first_port = *first;
  rule.last_port = *last;
}

// `host` with every bit after the first `bits` cleared.
std::string network(const std::string& host, bool v6, unsigned bits) {
  std::array<unsigned char, 16> bytes{};
  const int family = v6 ? AF_INET6 : AF_INET;
  const std::size_t length = v6 ? 16 : 4;
  inet_pton(family, host.c_str(), bytes.data());
  for (std::size_t i = 0; i < length; ++i) {
    const std::size_t kept = bits > i * 8 ? bits - i * 8 : 0;
    if (kept < 8) bytes.at(i) = static_cast<unsigned char>(bytes.at(i) & (0xff00U >> kept));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

bool same_address(const std::string& a, const std::string& b, bool v6) {
  return network(a, v6, 128) == network(b, v6, 128);
}

void check_prefix(const Given& given, const Split& parts) {
  const bool v6 = plan::is_ipv6(parts.host);
  if (!v6 && !plan::is_ipv4(parts.host)) throw given.refusal("only an address can have a prefix length after '/'");
  unsigned bits = 0;
  const char* const end = parts.prefix.data() + parts.prefix.size();
  const auto [stop, error] = std::from_chars(parts.prefix.data(), end, bits);
  if (parts.prefix.empty() || error != std::errc() || stop != end || bits > (v6 ? 128U : 32U)) {
    throw given.refusal(std::string("the prefix length goes from 0 to ") + (v6 ? "128" : "32"));
  }
  const std::string base = network(parts.host, v6, bits);
  if (same_address(base, parts.host, v6)) return;
  throw given.refusal("the address has bits beyond its prefix; write " + (v6 ? "[" + base + "]" : base) + "/" +
                      parts.prefix + ":" + parts.ports);
}

void check_host(const Given& given, const Split& parts) {
  if (parts.host.empty()) throw given.refusal("the host is missing; " + std::string(kForm));
  if (parts.host == "*") return;
  // A glob is judged by names as they are written, so 10.* would let pass, or stop, only what is written as an address.
  if (parts.host.find('*') != std::string::npos && parts.host.find_first_not_of("0123456789.*") == std::string::npos) {
    throw given.refusal("a '*' does not go with an address; write a network as 10.0.0.0/8");
  }
  std::string name = parts.host;
  std::replace(name.begin(), name.end(), '*', 'x');
  if (const std::string fault = plan::host_fault(name); !fault.empty()) throw given.refusal(fault);
}

}  // namespace

plan::Rule parse_rule(const Given& given, bool allow) {
  std::string_view text = given.value;
  if (text.starts_with("tcp:")) text.remove_prefix(4);
  const Split parts = split(given, text);
  plan::Rule rule;
  rule.allow = allow;
  read_ports(given, parts.ports, rule);
  if (parts.has_prefix) {
    check_prefix(given, parts);
    rule.host = parts.host + "/" + parts.prefix;
  } else {
    check_host(given, parts);
    rule.host = parts.host;
  }
  return rule;
}

}  // namespace tunnel::config
