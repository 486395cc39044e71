// SPDX-License-Identifier: Apache-2.0
#include "runtime/service_manager.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdlib>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "net/unix_address.hpp"
#include "tunnel/error.hpp"

namespace tunnel::runtime {

void notify_service_manager(std::string_view state) {
  const char* const path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nobody sets variables here
  if (path == nullptr || *path == '\0') return;
  const net::UnixAddress address = net::unix_address(path);
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{1, 0};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (!socket || ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, address.data(), address.length) < 0)
    log::warning("the service manager cannot be told {} at NOTIFY_SOCKET: {}", state, error_from_errno(errno).text());
}

}  // namespace tunnel::runtime
