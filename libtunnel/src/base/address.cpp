// SPDX-License-Identifier: Apache-2.0
#include "tunnel/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tunnel {
namespace {

std::uint32_t v4_bits(const SocketAddress& address) {
  return ntohl(reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr.s_addr);
}
const std::uint8_t* v6_bytes(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr.s6_addr;
}
bool v4_in(std::uint32_t ip, std::uint32_t network, unsigned bits) { return (ip ^ network) >> (32 - bits) == 0; }

}  // namespace

std::optional<SocketAddress> SocketAddress::from_literal(std::string_view ip, std::uint16_t port) {
  SocketAddress address;
  if (ip.find('\0') != std::string_view::npos) return std::nullopt;  // inet_pton would stop reading there
  const std::string text(ip);
  if (inet_pton(AF_INET, text.c_str(), &address.storage_.v4.sin_addr) == 1) {
    address.storage_.v4.sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, text.c_str(), &address.storage_.v6.sin6_addr) == 1) {
    address.storage_.v6.sin6_family = AF_INET6;
  } else {
    return std::nullopt;
  }
  address.set_port(port);
  return address;
}

SocketAddress SocketAddress::from_sockaddr(const sockaddr* from) {
  SocketAddress address;
  if (from->sa_family == AF_INET || from->sa_family == AF_INET6)
    std::memcpy(&address.storage_, from, from->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  return address;
}

SocketAddress SocketAddress::local_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
}

SocketAddress SocketAddress::peer_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
}

std::string SocketAddress::ip() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = family() == AF_INET6 ? static_cast<const void*>(&storage_.v6.sin6_addr) : &storage_.v4.sin_addr;
  if (family() == AF_UNSPEC || inet_ntop(family(), bytes, text.data(), text.size()) == nullptr) return "-";
  return text.data();
}

std::string SocketAddress::to_string() const {
  if (family() == AF_UNSPEC) return "-";
  const std::string host = family() == AF_INET6 ? "[" + ip() + "]" : ip();
  return host + ":" + std::to_string(port());
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port()) return false;
  if (family() == AF_INET6) return std::memcmp(v6_bytes(*this), v6_bytes(other), 16) == 0;
  return family() != AF_INET || v4_bits(*this) == v4_bits(other);
}

SocketAddress SocketAddress::unwrapped() const {
  if (family() != AF_INET6) return *this;
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr std::array<std::uint8_t, 12> kCompatible{};
  static constexpr std::array<std::uint8_t, 12> kNat64{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
  const std::uint8_t* bytes = v6_bytes(*this);
  const auto starts = [bytes](const auto& prefix) { return std::equal(prefix.begin(), prefix.end(), bytes); };
  const std::uint8_t* inner = nullptr;
  if (starts(kMapped) || starts(kNat64)) inner = bytes + 12;
  if (starts(kCompatible) && (bytes[12] != 0)) inner = bytes + 12;
  if (bytes[0] == 0x20 && bytes[1] == 0x02) inner = bytes + 2;
  if (inner == nullptr) return *this;
  SocketAddress address;
  address.storage_.v4.sin_family = AF_INET;
  std::memcpy(&address.storage_.v4.sin_addr, inner, 4);
  address.set_port(port());
  return address;
}

bool SocketAddress::is_loopback() const {
  const SocketAddress plain = unwrapped();
  if (plain.family() == AF_INET) return v4_in(v4_bits(plain), 0x7f000000, 8);
  return plain.family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&plain.storage_.v6.sin6_addr);
}

bool SocketAddress::is_unspecified() const {
  const SocketAddress plain = unwrapped();
  if (plain.family() == AF_INET) return v4_in(v4_bits(plain), 0, 8);
  return plain.family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&plain.storage_.v6.sin6_addr);
}

bool SocketAddress::is_link_local() const {
  const SocketAddress plain = unwrapped();
  if (plain.family() == AF_INET) return v4_in(v4_bits(plain), 0xa9fe0000, 16);
  if (plain.family() != AF_INET6) return false;
  static constexpr std::array<std::uint8_t, 4> kMetadata{0xfd, 0x00, 0x0e, 0xc2};
  return IN6_IS_ADDR_LINKLOCAL(&plain.storage_.v6.sin6_addr) ||
         std::equal(kMetadata.begin(), kMetadata.end(), v6_bytes(plain));
}

bool SocketAddress::is_private() const {
  const SocketAddress plain = unwrapped();
  if (plain.family() == AF_INET) {
    const std::uint32_t ip = v4_bits(plain);
    return v4_in(ip, 0x0a000000, 8) || v4_in(ip, 0xac100000, 12) || v4_in(ip, 0xc0a80000, 16) ||
           v4_in(ip, 0x64400000, 10) || v4_in(ip, 0xc0000000, 24) || v4_in(ip, 0xc0000200, 24) ||
           v4_in(ip, 0xc6120000, 15) || v4_in(ip, 0xc6336400, 24) || v4_in(ip, 0xcb007100, 24) ||
           v4_in(ip, 0xf0000000, 4);
  }
  if (plain.family() != AF_INET6) return false;
  const std::uint8_t* bytes = v6_bytes(plain);
  if ((bytes[0] & 0xfe) == 0xfc || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0)) return true;  // fc00::/7, fec0::/10
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && (bytes[2] & 0xfe) == 0) return true;  // 2001::/23, Teredo included
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0d && bytes[3] == 0xb8) return true;  // 2001:db8::/32
  if (bytes[0] == 0x01 && bytes[1] == 0x00) return true;                                          // 100::/16
  return bytes[0] == 0x00 && bytes[1] == 0x64;  // 64:ff9b:1::/48 and kin
}

bool SocketAddress::is_multicast() const {
  const SocketAddress plain = unwrapped();
  if (plain.family() == AF_INET) return v4_in(v4_bits(plain), 0xe0000000, 4);
  return plain.family() == AF_INET6 && IN6_IS_ADDR_MULTICAST(&plain.storage_.v6.sin6_addr);
}

std::string Authority::to_string() const { return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port); }

std::optional<Authority> parse_authority(std::string_view text) {
  Authority authority;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5) return std::nullopt;
  unsigned port = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (port == 0 || port > 65535) return std::nullopt;
  authority.port = static_cast<std::uint16_t>(port);
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
    const auto literal = SocketAddress::from_literal(host, authority.port);
    if (!literal || literal->family() != AF_INET6) return std::nullopt;
    authority.bracketed = true;
  }
  authority.host.reserve(host.size());
  for (const char c : host) {
    const bool digit = c >= '0' && c <= '9';
    const bool lower = c >= 'a' && c <= 'z';
    const bool upper = c >= 'A' && c <= 'Z';
    // Registered-name characters a resolver can mean; percent encoding only ever hides something.
    if (!(digit || lower || upper || c == '-' || c == '.' || c == '_' || (authority.bracketed && c == ':')))
      return std::nullopt;
    authority.host.push_back(upper ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (authority.host.size() > 255) return std::nullopt;
  return authority;
}

}  // namespace tunnel
