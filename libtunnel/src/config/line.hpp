// SPDX-License-Identifier: Apache-2.0
// One line (tun-encap, tun-decap or tcp-chain) into listeners and clusters of a Plan. What a line needs beyond its own
// listener (--http, --to respond:) becomes listeners and clusters with derived names (NAME.http, NAME.to), so that
// check() and the runtime meet nothing special:
//   tcp-chain   NAME: TcpProxy -> cluster NAME.to; or the answer of -t respond:, echo:, discard: on NAME itself
//   tun-encap   NAME: TcpProxy in a Tunnel -> cluster NAME.proxy
//      --http   NAME: HttpProxy, everything -> cluster NAME.http -> listener internal:NAME.http: TcpProxy in a Tunnel
//   tun-decap   NAME: HttpProxy, CONNECT ends -> cluster NAME.to (or NAME.allow) -> an address, or listener
//   internal:NAME.to
// NAME is --name; of a line that listens only inside the process, the listener's; else PROGRAM-PORT.
#pragma once
#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// Adds the line to `plan`; `place` is where it begins. `program` is not tun-run. Throws Refusal, and may then have
// added a part of the line.
void add_line(Program program, const Arguments& arguments, const plan::Place& place, plan::Plan& plan);

}  // namespace tunnel::config
