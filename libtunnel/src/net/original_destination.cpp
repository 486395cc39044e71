// SPDX-License-Identifier: Apache-2.0
#include "net/original_destination.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace tunnel::net {
namespace {

// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST; <linux/netfilter_*.h> cannot stand beside <netinet/in.h>.
constexpr int kOriginalDestination = 80;

// A socket for both families has IPv4 addresses wrapped, and asks the tables of IPv4 for them.
bool is_mapped(const SocketAddress& address) {
  return address.family() == AF_INET6 &&
         IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr);
}

}  // namespace

SocketAddress original_destination(int fd, const SocketAddress& local) {
  const SocketAddress own = is_mapped(local) ? local.unwrapped() : local;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int level = own.family() == AF_INET ? SOL_IP : SOL_IPV6;
  if (::getsockopt(fd, level, kOriginalDestination, &storage, &length) != 0) return {};
  const SocketAddress original = SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
  return original == own ? SocketAddress() : original;
}

}  // namespace tunnel::net
