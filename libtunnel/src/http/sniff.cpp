// SPDX-License-Identifier: Apache-2.0
#include "http/sniff.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "http/read_wait.hpp"

namespace tunnel::http {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

Task<Result<Version>> sniff_version(const Context& context, Stream& stream) {
  const TimePoint deadline = context.loop.now() + context.limits.head_time;
  ReadWait wait(stream);
  Buffer seen;
  for (;;) {
    const Io io = stream.try_read(seen, kPreface.size() - seen.size());
    if (io.state == Io::State::failed) co_return stream.error();
    const std::string_view bytes = seen.linearise(seen.size());
    const bool possible = bytes == kPreface.substr(0, bytes.size());
    if (possible && bytes.size() == kPreface.size()) {
      stream.unread(std::move(seen));
      co_return Version::http2;
    }
    if (!possible || io.state == Io::State::ended) {
      const Version version = bytes.empty() ? Version::none : Version::http1;
      stream.unread(std::move(seen));
      co_return version;
    }
    if (io.state == Io::State::done) continue;
    if (context.loop.now() >= deadline) break;
    co_await wait.wait(deadline);
  }
  context.counters.add(Counter::head_timeouts);
  Task<void> closing = close_in_order(context, stream, wait);
  co_await closing;
  co_return Error(Error::Kind::timeout, "nothing was sent in time").on(Error::Side::downstream);
}

}  // namespace tunnel::http
