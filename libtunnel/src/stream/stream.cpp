// SPDX-License-Identifier: Apache-2.0
#include "tunnel/stream.hpp"

#include <cassert>
#include <utility>

namespace tunnel {

Io Stream::try_read(Buffer& into, std::size_t max) {
  assert(max >= 1 && "a read of nothing could not be told from the end");
  if (!prefix_.empty()) return {Io::State::done, prefix_.move_to(into, max)};
  return do_try_read(into, max);
}

void Stream::on_readable(Slot& slot) {
  if (!prefix_.empty())
    loop_.post(slot);
  else
    do_on_readable(slot);
}

void Stream::unread(Buffer&& bytes) {
  if (bytes.empty() || !keep_unread_) return;
  if (prefix_.empty())
    prefix_ = std::move(bytes);
  else
    prefix_.prepend(std::move(bytes));
}

Task<Result<std::size_t>> Stream::read(Buffer& into, std::size_t max) {
  for (;;) {
    const Io io = try_read(into, max);
    switch (io.state) {
      case Io::State::done:
        co_return io.bytes;
      case Io::State::ended:
        co_return std::size_t{0};
      case Io::State::failed:
        co_return error_;
      case Io::State::would_block:
        break;
    }
    co_await Readable(*this);
  }
}

Task<Result<void>> Stream::write(Buffer& from, More more) {
  while (!from.empty()) {
    const Io io = try_write(from, more);
    if (io.state == Io::State::failed) co_return error_;
    if (io.state == Io::State::would_block) co_await Writable(*this);
  }
  co_return Result<void>();
}

}  // namespace tunnel
