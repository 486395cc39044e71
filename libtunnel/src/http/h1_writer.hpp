// SPDX-License-Identifier: Apache-2.0
// Heads, chunk framing and trailers as bytes (RFC 9112). Everything that could become a second header line or request
// is checked here, on the way out; a head that fails is not written at all.
#pragma once
#include "http/message.hpp"
#include "tunnel/buffer.hpp"
#include "tunnel/error.hpp"

namespace tunnel::h1 {

// How a body leaves.
enum class Framing : std::uint8_t { none, length, chunked, until_end, tunnel };

// CONNECT in authority form, everything else in origin form, Host from the authority.
Result<Framing> write_request(Buffer& to, const http::RequestHead& head, const http::Body& body);

struct ResponseContext {
  bool to_http10 = false;
  bool to_head = false;     // the request was HEAD
  bool to_connect = false;  // the request was CONNECT
  bool to_post = false;     // a POST that may become a tunnel
  bool close = false;       // say `Connection: close`
};
// A 1xx or final head. Adds Date to a final one.
Result<Framing> write_response(Buffer& to, const http::ResponseHead& head, const http::Body& body,
                               const ResponseContext& context);

// `body` becomes one chunk; taken whole.
void write_chunk(Buffer& to, Buffer& body, std::size_t bytes);
// The last chunk and the trailers; a trailer that may not be sent is left out.
void write_last_chunk(Buffer& to, const http::Fields& trailers);

}  // namespace tunnel::h1
