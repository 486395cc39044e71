// SPDX-License-Identifier: Apache-2.0
// A unix socket's path as the kernel takes it.
#pragma once
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

namespace tunnel::net {

struct UnixAddress {
  sockaddr_un storage{};
  socklen_t length = 0;  // 0: the path is empty or too long
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// A leading '@' stands for the zero byte of the abstract namespace.
UnixAddress unix_address(std::string_view path);
// The reverse; "" if the socket was bound to nothing.
std::string unix_path(const sockaddr_un& storage, socklen_t length);

}  // namespace tunnel::net
