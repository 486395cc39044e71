// SPDX-License-Identifier: Apache-2.0
// Where a TCP connection was going before a firewall rule (REDIRECT of iptables or nft) sent it to a port of ours.
#pragma once
#include "tunnel/address.hpp"

namespace tunnel::net {

// Asks the kernel, by SO_ORIGINAL_DST, about an accepted socket whose own side is `local`. Unset if nobody redirected
// it: the kernel then names `local` itself, or, keeping no record of connections, nothing.
SocketAddress original_destination(int fd, const SocketAddress& local);

}  // namespace tunnel::net
