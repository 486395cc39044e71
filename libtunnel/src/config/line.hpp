// SPDX-License-Identifier: Apache-2.0
// One line (tun-encap, tun-decap or tcp-chain) into listeners and clusters of a Plan. What a line needs beyond its own
// listener (--http, --to respond:) becomes listeners and clusters with derived names (NAME.http, NAME.to), so that
// check() and the runtime meet nothing special:
//   tcp-chain   NAME: TcpProxy -> cluster NAME.to, an endpoint for each -t; or the answer of -t respond:, echo:,
//               discard: on NAME itself
//   tun-encap   NAME: TcpProxy in a Tunnel -> cluster NAME.proxy
//      --http   NAME: HttpProxy, everything -> cluster NAME.http -> listener internal:NAME.http: TcpProxy in a Tunnel
//      --target @authority   the same, CONNECT too, the authority being the id: cluster NAME.http ->
//               internal:NAME.http/@authority: TcpProxy in a Tunnel to @endpoint; so with --http and @endpoint,
//               @orig-dst
//      -x A -x B -x C   cluster NAME.proxy speaks to C -> listener internal:NAME.hop2: TcpProxy in a Tunnel to C's
//               HOST:PORT -> cluster NAME.hop2.proxy speaks to B -> listener internal:NAME.hop1: TcpProxy in a Tunnel
//               to B's -> cluster NAME.hop1.proxy -> A
//   tun-decap   NAME: HttpProxy, CONNECT ends -> cluster NAME.to (or NAME.allow) -> an address, or listener
//   internal:NAME.to
// NAME is --name; of a line that listens only inside the process, the listener's; else PROGRAM-PORT or PROGRAM-stdio.
#pragma once
#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// Adds the line to `plan`, NAME first; `place` is where it begins. `program` is not tun-run. `faults`: of this line,
// empty unless some of its words were not understood; then, or if there are more, only its internal listeners are
// added, without what they would do. Whether the names of all its internal listeners are known.
bool add_line(Program program, const Arguments& arguments, const plan::Place& place, plan::Plan& plan, Faults& faults);

}  // namespace tunnel::config
