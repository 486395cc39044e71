// SPDX-License-Identifier: Apache-2.0
#include "http/sniff.hpp"

#include "base/cancel.hpp"
#include "http/peek.hpp"
#include "http/read_wait.hpp"

namespace tunnel::http {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class Preface final : public Beginning {
 public:
  bool seen(std::string_view bytes) override {
    const bool possible = bytes == kPreface.substr(0, bytes.size());
    const bool whole = bytes.size() == kPreface.size();
    version = possible && whole ? Version::http2 : Version::http1;
    return whole || !possible;
  }
  Version version = Version::none;
};

}  // namespace

Task<Result<Version>> sniff_version(const Context& context, Stream& stream) {
  Cancel never(context.loop);
  Cancel cancel(never, context.limits.head_time,
                Error(Error::Kind::timeout, "nothing was sent in time").on(Error::Side::downstream));
  ReadWait wait(stream);
  Preface preface;
  Task<Result<Peeked>> peeking = peek(stream, wait, preface, kPreface.size(), cancel);
  Result<Peeked> peeked = co_await peeking;
  if (peeked.ok()) co_return preface.version;
  if (!cancel.cancelled()) co_return peeked.error();
  context.counters.add(Counter::head_timeouts);
  Task<void> closing = close_in_order(context, stream, wait);
  co_await closing;
  co_return peeked.error();
}

}  // namespace tunnel::http
