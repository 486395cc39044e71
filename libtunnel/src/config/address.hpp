// SPDX-License-Identifier: Apache-2.0
// The addresses of cli.md: where a line listens, where it dials, its proxy, its target. All throw the option's Refusal.
// What the grammar of cli.md names and this version lacks (tls:, unix:, fd:, options after a comma) is refused by name.
#pragma once
#include <string>
#include <variant>

#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// [tcp:][HOST:]PORT with HOST an address, "*" or localhost, or internal:NAME.
plan::Address parse_listen(const Given& given);

// [tcp:]HOST:PORT, internal:NAME[/ENDPOINT_ID], or an answer given on the spot: respond:CODE:TEXT (a newline is added),
// respond:CODE:@FILE (its exact bytes, read now), echo:, discard:.
using Dial = std::variant<plan::Tcp, plan::Internal, plan::Respond, plan::Echo, plan::Discard>;
Dial parse_dial(const Given& given);

// h1:HOST:PORT, h2c:HOST:PORT, h1+DIAL, h2c+DIAL; DIAL a TCP or an internal address.
struct Proxy {
  plan::Http protocol = plan::Http::h1;
  plan::Address address;
};
Proxy parse_proxy(const Given& given);

// HOST:PORT as it will stand in the CONNECT request.
std::string parse_target(const Given& given);

}  // namespace tunnel::config
