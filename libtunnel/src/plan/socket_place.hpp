// SPDX-License-Identifier: Apache-2.0
// Where the sockets of a Plan are, as far as it can be told without resolving a name or following a link. Pure
// functions, safe from any thread.
#pragma once
#include <string>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// Why nothing can listen on `address`, as a clause after "X: "; "" if something may.
std::string listen_fault(const Address& address);

// What `address` names if one listener alone can have it: "unix:/run/a", "fd:3", "systemd:web"; "" for TCP (see
// overlap()), internal and stdio.
std::string sole_socket(const Address& address);

// Whether two listeners at one port, on hosts `a` and `b`, would share connections.
bool overlap(const std::string& a, const std::string& b);

// Whether a connection to `dialled` reaches a listener at `listened`.
bool leads_to(const Address& dialled, const Address& listened);

}  // namespace tunnel::plan
