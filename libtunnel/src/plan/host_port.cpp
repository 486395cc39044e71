// SPDX-License-Identifier: Apache-2.0
#include "plan/host_port.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::size_t kHostBytes = 253;  // RFC 1035: 255 octets on the wire
constexpr std::size_t kLabelBytes = 63;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kEndpointIdBytes = 256;
constexpr std::size_t kFdNameBytes = 255;
constexpr std::size_t kLongestUnixPath = 107;  // sockaddr_un holds 108, a zero byte among them

// inet_pton stops reading at one.
bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

std::string bad_byte(std::string_view text, char c) {
  std::string fault = in_quotes(std::string_view(&c, 1)) + " cannot be part of it";
  if (c == '@') fault += "; a user name or password does not belong here";
  if (static_cast<unsigned char>(c) >= 0x80) fault += "; write an international name in its xn-- form";
  if (text.find("://") != std::string_view::npos) return "a URL is not an address; write HOST:PORT";
  return fault;
}

std::string labels_fault(std::string_view host) {
  const bool odd = is_odd_ipv4(host);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return "the host is empty";
  if (host.size() > kHostBytes) return "the host is longer than 253 bytes";
  std::string_view label;
  for (std::size_t at = 0; at <= host.size(); at += label.size() + 1) {
    label = host.substr(at, host.find('.', at) - at);
    if (label.empty()) return "the host has an empty part between dots";
    if (label.size() > kLabelBytes) return "a part of the host is longer than 63 bytes";
    if (label.front() == '-' || label.back() == '-') return "a part of the host begins or ends with '-'";
  }
  return odd ? "an IPv4 address is four numbers from 0 to 255" : "";
}

}  // namespace

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  if (text.empty() || text.size() > 5 || text.front() == '0' || !std::all_of(text.begin(), text.end(), is_digit))
    return {};
  std::from_chars(text.data(), text.data() + text.size(), port);
  if (port > 65535) return {};
  return static_cast<std::uint16_t>(port);
}

bool is_ipv4(std::string_view host) {
  in_addr address{};
  return !has_nul(host) && inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

bool is_odd_ipv4(std::string_view host) {
  if (is_ipv4(host) || host.find(':') != std::string_view::npos) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  const bool number = !last.empty() && std::all_of(last.begin(), last.end(), is_digit);
  return number || last.starts_with("0x") || last.starts_with("0X");
}

bool is_ipv6(std::string_view host) {
  if (has_nul(host)) return false;
  const std::size_t percent = host.find('%');
  if (percent != std::string_view::npos) {
    const std::string_view zone = host.substr(percent + 1);
    if (zone.empty() || !std::all_of(zone.begin(), zone.end(), is_name_char)) return false;
  }
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &address) == 1;
}

bool is_loopback(std::string_view host) {
  if (host.empty()) return true;
  if (is_ipv4(host)) return host.starts_with("127.");
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
}

std::string host_fault(std::string_view host) {
  if (has_nul(host)) return bad_byte(host, '\0');
  if (host.find(':') != std::string_view::npos) {
    return is_ipv6(host) ? "" : in_quotes(host) + " is not an IPv6 address";
  }
  if (is_ipv4(host)) return "";
  const auto bad = std::find_if_not(host.begin(), host.end(), is_name_char);
  if (bad != host.end()) return bad_byte(host, *bad);
  return labels_fault(host);
}

std::string name_fault(std::string_view name) {
  if (name.empty()) return "a name is missing";
  if (name.size() > kNameBytes) return "a name has at most 100 bytes";
  const auto bad = std::find_if_not(name.begin(), name.end(), is_name_char);
  if (bad == name.end()) return "";
  return in_quotes(std::string_view(&*bad, 1)) + " cannot be part of a name; use letters, digits, '-', '_' and '.'";
}

std::string endpoint_id_fault(std::string_view id) {
  if (id.size() > kEndpointIdBytes) return "an endpoint id has at most 256 bytes";
  const bool visible = std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return visible ? "" : "an endpoint id is visible ASCII without spaces";
}

std::string unix_path_fault(std::string_view path) {
  if (path.empty() || path == "@") return path.empty() ? "the path is missing" : "the name after '@' is missing";
  if (path.find('\0') != std::string_view::npos) return "a path has no zero byte";
  if (path.size() > kLongestUnixPath) {
    return "the path has " + std::to_string(path.size()) + " bytes, and a unix socket's at most " +
           std::to_string(kLongestUnixPath) + "; choose a shorter one, perhaps relative to the working directory";
  }
  if (path.ends_with('/')) return "the path names a folder; add the name of the socket";
  return "";
}

std::string fd_name_fault(std::string_view name) {
  if (name.empty()) return "the name is missing; FileDescriptorName= of the .socket unit gives it";
  if (name.size() > kFdNameBytes) return "a name of a socket is at most 255 bytes long";
  const auto odd = [](char c) { return c <= ' ' || c >= 0x7f || c == ':'; };
  if (std::any_of(name.begin(), name.end(), odd)) return "a name of a socket is printable ASCII without spaces and ':'";
  return "";
}

std::string parse_host_port(std::string_view text, Tcp& out) {
  if (text.find("://") != std::string_view::npos) return "a URL is not an address; write HOST:PORT";
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const std::size_t closing = text.find(']');
  if (bracketed && closing == std::string_view::npos) return "the ']' after the IPv6 address is missing";
  if (colon == std::string_view::npos || (bracketed && colon < closing)) {
    const auto port = parse_port(text);
    return port ? "the host is missing; write HOST:" + std::to_string(*port) : "the port is missing; write HOST:PORT";
  }
  std::string_view host = text.substr(0, colon);
  if (bracketed) {
    if (closing + 1 != colon) return "after ']' comes ':' and the port";
    host = host.substr(1, closing - 1);
    if (!is_ipv6(host)) return in_quotes(host) + " is not an IPv6 address";
  } else if (host.find(':') != std::string_view::npos) {
    return is_ipv6(text) || is_ipv6(host) ? "put the IPv6 address in brackets; write [ADDRESS]:PORT"
                                          : "there is one ':' too many; write HOST:PORT";
  }
  const auto port = parse_port(text.substr(colon + 1));
  if (host.empty()) return "the host is missing; write HOST:PORT";
  if (std::string fault = host_fault(host); !fault.empty()) return fault;
  if (!port) return "the port must be a number from 1 to 65535, not " + in_quotes(text.substr(colon + 1));
  out = Tcp{std::string(host), *port};
  return "";
}

std::string to_string(const Tcp& tcp) {
  const bool bracketed = tcp.host.find(':') != std::string::npos;
  return (bracketed ? "[" + tcp.host + "]" : tcp.host) + ":" + std::to_string(tcp.port);
}

std::string to_string(const Address& address) {
  if (const auto* tcp = std::get_if<Tcp>(&address)) return to_string(*tcp);
  if (const auto* internal = std::get_if<Internal>(&address))
    return "internal:" + internal->listener + (internal->endpoint_id.empty() ? "" : "/" + internal->endpoint_id);
  if (const auto* unix_socket = std::get_if<Unix>(&address)) return "unix:" + unix_socket->path;
  if (const auto* inherited = std::get_if<Inherited>(&address))
    return inherited->name.empty() ? "fd:" + std::to_string(inherited->fd) : "systemd:" + inherited->name;
  return "-";
}

std::string as_envoy_writes(std::string_view address) {
  constexpr std::string_view kInternal = "internal:";
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) return std::string(address.substr(kUnix.size()));
  if (!address.starts_with(kInternal)) return std::string(address);
  std::string name(address.substr(kInternal.size()));
  if (name.find('/') == std::string::npos) name += '/';
  return "envoy://" + name;
}

std::string with_brackets(std::string_view text) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  const std::string_view host = text.substr(0, colon);
  if (!is_ipv6(host) || !parse_port(text.substr(std::min(colon + 1, text.size())))) return std::string(text);
  return "[" + std::string(host) + "]" + std::string(text.substr(colon));
}

std::string target_fault(std::string_view target) {
  Tcp parsed;
  std::string fault = parse_host_port(target, parsed);
  if (fault.empty() && parsed.host.find('%') != std::string::npos) {
    fault = "the zone of an IPv6 address means nothing to the proxy; leave it out";
  }
  return fault;
}

}  // namespace tunnel::plan
