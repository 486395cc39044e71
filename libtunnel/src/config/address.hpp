// SPDX-License-Identifier: Apache-2.0
// The addresses of the command line: where a line listens, where it dials, its proxy, its target. All throw the
// option's Refusal. What has a name reserved and this version lacks (tls:) is refused by name.
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// [tcp:][HOST:]PORT with HOST an address, "*" or localhost; unix:PATH[,mode=OCTAL] or unix:@NAME; internal:NAME; fd:N;
// systemd:NAME; or -, standard input and output. All but the last may have ,streams=N behind them.
struct Listen {
  plan::Address address;
  unsigned streams = 0;                     // of an HTTP/2 connection; 0: not given
  std::optional<Given> streams_given = {};  // for messages
};
Listen parse_listen(const Given& given);

// Where the admin server listens: [tcp:][HOST:]PORT or unix:PATH[,mode=OCTAL].
plan::Address parse_admin(const Given& given);

// [tcp:]HOST:PORT, unix:PATH, internal:NAME[/ENDPOINT_ID][,meta.SPACE.KEY=VALUE...], or an answer given on the spot:
// respond:CODE:TEXT (a newline is added), respond:CODE:@FILE (its exact bytes, read now), echo:, discard:.
using Dial = std::variant<plan::Endpoint, plan::Respond, plan::Echo, plan::Discard>;
Dial parse_dial(const Given& given);

// h1:HOST:PORT, h2c:HOST:PORT, h1+DIAL, h2c+DIAL; DIAL a TCP, a unix or an internal address. Then the options of its
// pool: conns= prewarm= idle=, over HTTP/2 also streams= ping= window=.
struct Proxy {
  plan::Http protocol = plan::Http::h1;
  plan::Endpoint endpoint;
  plan::Pool pool;
};
Proxy parse_proxy(const Given& given);

// HOST:PORT as it will stand in the CONNECT request (brackets around an IPv6 address may be left out), or @authority,
// @endpoint, @orig-dst, or a text with %OPERATOR%s.
std::string parse_target(const Given& given);

}  // namespace tunnel::config
