// SPDX-License-Identifier: Apache-2.0
// Looks at what a connection begins with, before it is known who is to read it. Consumes nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/cancel.hpp"
#include "http/read_wait.hpp"

namespace tunnel::http {

// Who looks. Told all bytes so far, whenever there are more.
class Beginning {
 public:
  // Whether that is enough.
  virtual bool seen(std::string_view bytes) = 0;

 protected:
  ~Beginning() = default;
};

// ended: the peer has finished sending; full: `most` bytes were not enough.
enum class Peeked : std::uint8_t { enough, ended, full };

// Reads at most `most` bytes until `beginning` has seen enough, and puts them back. Fails as the stream does, or with
// the reason of `cancel`: then `wait` may still be known to the stream.
Task<Result<Peeked>> peek(Stream& stream, ReadWait& wait, Beginning& beginning, std::size_t most, Cancel& cancel);

}  // namespace tunnel::http
