// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 grammar, by Beast's basic_parser: only put(), never its message types or algorithms, so that bodies stay
// slices of the input. Knows no stream; judges nothing (see policy.hpp) but the size of chunk framing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/limits.hpp"
#include "http/policy.hpp"
#include "tunnel/buffer.hpp"

namespace tunnel::h1 {

// Parses one complete, linted head (HeadScanner found its end). False: it is malformed. Beast also refuses framing
// fields that contradict each other.
bool parse_request_head(std::string_view bytes, http::RawHead& into);
bool parse_response_head(std::string_view bytes, http::RawHead& into);

// The response head without its framing fields, for a 2xx to CONNECT, where they mean nothing (RFC 9110 section 9.3.6)
// but would stop the parser.
std::string without_framing_fields(std::string_view head);

// Takes the chunked coding off a body. Body bytes are relinked from the input, not copied.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(const Limits& limits);
  ChunkDecoder(const ChunkDecoder&) = delete;
  ChunkDecoder& operator=(const ChunkDecoder&) = delete;
  ~ChunkDecoder();

  enum class Step : std::uint8_t { data, need_more, end, fault };
  // Moves up to `max` body bytes from `input` to the end of `into` and consumes the framing before them. data:
  // something was moved; end: the last chunk and the trailers were consumed, what follows is left in `input`.
  Step decode(Buffer& input, Buffer& into, std::size_t max);
  const http::Fields& trailers() const;
  // After Step::fault: status 400, or 431 for trailers that are too large.
  const http::Fault& fault() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tunnel::h1
