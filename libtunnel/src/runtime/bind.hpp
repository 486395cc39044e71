// SPDX-License-Identifier: Apache-2.0
// Binding what a plan listens on, all of it before a worker starts: what cannot be bound ends the start instead of
// leaving half a plan at work.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/limits.hpp"
#include "net/stdio.hpp"
#include "net/unix_socket.hpp"
#include "tunnel/address.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

// One bound address.
struct Listening {
  std::size_t listener = 0;  // index in Plan::listeners
  std::vector<Fd> sockets;   // one a worker; a single one where an address can have no more (unix, inherited)
  bool inherited = false;
};

// Standard input and output, for one worker.
struct ListeningStdio {
  std::size_t listener = 0;
  net::Stdio ends;
};

struct Bound {
  std::vector<Listening> sockets;
  std::optional<ListeningStdio> stdio;
  std::vector<SocketAddress> addresses;  // of the sockets, where they have one
  std::vector<net::SocketFile> files;    // to be destroyed before the sockets
};

// Binds every address of `plan` for so many workers and logs each. The error is a sentence: which listener, why, what
// to do; nothing stays bound then.
Result<Bound> bind_listeners(const plan::Plan& plan, std::size_t workers, const Limits& limits);

// What to do about a TCP address that could not be listened on, as a clause behind the error; may be empty.
std::string remedy(const plan::Tcp& address, const Error& error);

}  // namespace tunnel::runtime
