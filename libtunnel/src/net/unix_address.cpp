// SPDX-License-Identifier: Apache-2.0
#include "net/unix_address.hpp"

#include <cstddef>
#include <cstring>

namespace tunnel::net {
namespace {

constexpr std::size_t kBefore = offsetof(sockaddr_un, sun_path);

}  // namespace

UnixAddress unix_address(std::string_view path) {
  UnixAddress address;
  if (path.empty() || path.size() >= sizeof address.storage.sun_path) return address;
  address.storage.sun_family = AF_UNIX;
  std::memcpy(&address.storage.sun_path, path.data(), path.size());
  const bool abstract = path.front() == '@';
  if (abstract) address.storage.sun_path[0] = '\0';
  // An abstract name is as long as it is said to be; a path ends with a zero byte.
  address.length = static_cast<socklen_t>(kBefore + path.size() + (abstract ? 0 : 1));
  return address;
}

std::string unix_path(const sockaddr_un& storage, socklen_t length) {
  if (length <= kBefore) return "";
  const std::string_view bytes(&storage.sun_path[0], length - kBefore);
  if (bytes.front() == '\0') return "@" + std::string(bytes.substr(1));
  return std::string(bytes.substr(0, bytes.find('\0')));
}

}  // namespace tunnel::net
