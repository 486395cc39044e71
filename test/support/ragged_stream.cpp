// SPDX-License-Identifier: Apache-2.0
#include "support/ragged_stream.hpp"

#include <algorithm>

namespace tunnel::test {

std::size_t RaggedStream::piece(std::size_t most) {
  switch (random_() % 4) {
    case 0:
      return 1;
    case 1:
      return std::min<std::size_t>(most, 1 + random_() % 16);
    case 2:
      return std::min<std::size_t>(most, 1 + random_() % 5000);
    default:
      return most;
  }
}

Io RaggedStream::try_write(Buffer& from, More more) {
  if (from.empty() || write_side() != WriteSide::open) return WrappedStream::try_write(from, more);
  if (!balked_write_ && chance(4)) {
    balked_write_ = true;
    return {Io::State::would_block, 0};
  }
  balked_write_ = false;
  Buffer part;
  from.move_to(part, piece(from.size()));
  const Io io = WrappedStream::try_write(part, more);
  from.prepend(std::move(part));
  return io;
}

void RaggedStream::on_writable(Slot& slot) {
  if (balked_write_)
    loop().post(slot);
  else
    WrappedStream::on_writable(slot);
}

Io RaggedStream::do_try_read(Buffer& into, std::size_t max) {
  if (!balked_read_ && read_side() == ReadSide::open && chance(4)) {
    balked_read_ = true;
    return {Io::State::would_block, 0};
  }
  balked_read_ = false;
  return WrappedStream::do_try_read(into, piece(max));
}

void RaggedStream::do_on_readable(Slot& slot) {
  if (balked_read_)
    loop().post(slot);
  else
    WrappedStream::do_on_readable(slot);
}

}  // namespace tunnel::test
