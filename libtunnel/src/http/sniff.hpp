// SPDX-License-Identifier: Apache-2.0
// Tells HTTP/2 with prior knowledge from everything else by its preface (RFC 9113 section 3.4). Consumes nothing.
#pragma once
#include "base/context.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::http {

enum class Version : std::uint8_t { none, http1, http2 };

// Reads until the preface is complete or impossible, and puts the bytes back. `none`: the connection ended before a
// byte. Waits limits.head_time in total; then the connection is closed in order and the result is a timeout
// (Counter::head_timeouts).
Task<Result<Version>> sniff_version(const Context& context, Stream& stream);

}  // namespace tunnel::http
