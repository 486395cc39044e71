// SPDX-License-Identifier: Apache-2.0
// Connecting over TCP: the addresses of a name are tried side by side, a new one every 250 ms or when one fails (happy
// eyeballs, RFC 8305), IPv6 and IPv4 taking turns.
#pragma once
#include <vector>

#include "base/cancel.hpp"
#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "tunnel/address.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel::net {

struct Connected {
  StreamPtr stream;
  SocketAddress address;  // the one that answered
  SocketAddress local{};  // ours, if that is asked for: it costs a system call
};

// At most limits.connect_tries addresses are tried. Errors: that of the last attempt (refused, unreachable, timeout;
// `internal` when out of descriptors), or the reason of `cancel`.
Task<Result<Connected>> connect_tcp(EpollLoop& loop, const Context& context, std::vector<SocketAddress> addresses,
                                    Cancel& cancel, bool wants_local = false);

}  // namespace tunnel::net
