// SPDX-License-Identifier: Apache-2.0
#include "http/peek.hpp"

#include <utility>

namespace tunnel::http {

Task<Result<Peeked>> peek(Stream& stream, ReadWait& wait, Beginning& beginning, std::size_t most, Cancel& cancel) {
  const Cancel::Hook hook(cancel, [](void* waiting) noexcept { static_cast<ReadWait*>(waiting)->interrupt(); }, &wait);
  Buffer bytes;
  for (;;) {
    const Io io = stream.try_read(bytes, most - bytes.size());
    if (io.state == Io::State::failed) co_return stream.error();
    const bool enough = io.state == Io::State::done && beginning.seen(bytes.linearise(bytes.size()));
    const bool full = bytes.size() == most;
    if (enough || full || io.state == Io::State::ended) {
      stream.unread(std::move(bytes));
      co_return enough ? Peeked::enough : full ? Peeked::full : Peeked::ended;
    }
    if (io.state == Io::State::done) continue;
    if (cancel.cancelled()) co_return cancel.reason();
    co_await wait.wait(TimePoint::max());
  }
}

}  // namespace tunnel::http
