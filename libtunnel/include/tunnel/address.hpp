// SPDX-License-Identifier: Apache-2.0
// An IPv4 or IPv6 address with a port, and the ranges special rules apply to. 28 bytes; no descriptor, no name
// resolution.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tunnel {

class SocketAddress {
 public:
  SocketAddress() : storage_{} {}
  static std::optional<SocketAddress> from_literal(std::string_view ip, std::uint16_t port);  // no brackets
  static SocketAddress from_sockaddr(const sockaddr* address);
  static SocketAddress local_of(int fd);  // these two are unset unless fd is an IP socket, bound or connected
  static SocketAddress peer_of(int fd);

  int family() const { return storage_.v4.sin_family; }
  std::uint16_t port() const { return ntohs(storage_.v4.sin_port); }
  void set_port(std::uint16_t port) { storage_.v4.sin_port = htons(port); }
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

  std::string ip() const;         // without port or brackets
  std::string to_string() const;  // "127.0.0.1:80", "[::1]:80"; "-" if unset
  bool operator==(const SocketAddress& other) const;

  bool is_loopback() const;     // 127/8, ::1, and both wrapped in IPv6 (mapped, NAT64, 6to4)
  bool is_unspecified() const;  // 0/8, ::
  bool is_link_local() const;   // 169.254/16, fe80::/10, and cloud metadata fd00:ec2::/32
  bool is_private() const;      // RFC 1918, 100.64/10, fc00::/7 and the other special-purpose registries
  bool is_multicast() const;
  // The IPv4 address an IPv6 one wraps (::ffff:0:0/96, 64:ff9b::/96, 2002::/16); itself otherwise.
  SocketAddress unwrapped() const;

 private:
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_;
};

// host:port as it stands in a CONNECT request, a --target or a Host field. No user, no path; IPv6 in brackets (kept out
// of `host`).
struct Authority {
  std::string host;  // lower case; no brackets
  std::uint16_t port = 0;
  bool bracketed = false;
  std::string to_string() const;
  bool operator==(const Authority&) const = default;
};
// Strict: a port of 1 to 65535 in digits, no leading sign; a host of registered-name characters or an IPv6 literal;
// nothing empty. RFC 9110 section 9.3.6, RFC 9113 section 8.5.
std::optional<Authority> parse_authority(std::string_view text);

}  // namespace tunnel
