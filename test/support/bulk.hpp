// SPDX-License-Identifier: Apache-2.0
// The programs at the ends of a bulk transfer: bare blocking descriptors, in threads of their own.
#pragma once
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "stream/socket_stream.hpp"
#include "support/pattern.hpp"
#include "support/tcp_pair.hpp"

namespace tunnel::test {

constexpr std::size_t kMebibyte = 1048576;

// What a program at the far end got: its bytes checked, and 0 or the errno that ended them.
struct Got {
  PatternCheck check;
  int number = 0;
};

inline void send_all(int fd, std::uint64_t from, std::size_t bytes) {
  while (bytes > 0) {
    const std::string piece = pattern(from, std::min(bytes, kMebibyte));
    const ssize_t n = ::send(fd, piece.data(), piece.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    from += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::size_t>(n);
  }
}

inline Got receive_all(int fd) {
  Got got;
  std::string piece(kMebibyte, '\0');
  for (;;) {
    const ssize_t n = ::recv(fd, piece.data(), piece.size(), 0);
    if (n <= 0) {
      got.number = n == 0 ? 0 : errno;
      return got;
    }
    got.check.add(std::string_view(piece).substr(0, static_cast<std::size_t>(n)));
  }
}

inline void reset(Fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset(-1);
}

// A connection of which `peer` is the program's end.
inline std::unique_ptr<SocketStream> connect_program(EpollLoop& loop, Counters& counters, const Limits& limits,
                                                     Fd& peer) {
  auto [ours, theirs] = tcp_socket_pair();
  set_socket_options(ours, limits);
  peer.reset(theirs);
  ::fcntl(theirs, F_SETFL, 0);  // blocking
  return std::make_unique<SocketStream>(loop, counters, ours);
}

}  // namespace tunnel::test
