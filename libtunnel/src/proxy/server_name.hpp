// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/cancel.hpp"
#include "base/context.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::proxy {

// The server a TLS client asks for, in lower case: what its ClientHello says, which stays to be read. "": what came is
// no TLS or names no host, or the client ended before its hello did. Errors, after which the stream is aborted: no
// whole hello within limits.head_time (Counter::head_timeouts) or limits.hello_bytes (Counter::hellos_too_large), as in
// Envoy; the reason of `cancel`; or the stream failed.
Task<Result<std::string>> requested_server_name(const Context& context, Stream& stream, Cancel& cancel);

}  // namespace tunnel::proxy
