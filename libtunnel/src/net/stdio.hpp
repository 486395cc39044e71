// SPDX-License-Identifier: Apache-2.0
// The process's standard input and output as the one connection of a listener.
#pragma once
#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "net/listener.hpp"
#include "tunnel/error.hpp"

namespace tunnel::net {

struct Stdio {
  Fd input;
  Fd output;
};

// Takes both, leaving /dev/null in their place: an end is one only when nobody holds the descriptor any more, and
// whatever prints must not print into the connection. Refuses what is no stream of bytes. Once a process.
Result<Stdio> take_stdio();

// Hands the connection to `acceptor`. Throws std::system_error when there is no thread to be had.
void accept_stdio(EpollLoop& loop, const Context& context, Stdio stdio, Acceptor& acceptor);

}  // namespace tunnel::net
