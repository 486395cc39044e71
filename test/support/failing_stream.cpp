// SPDX-License-Identifier: Apache-2.0
#include "support/failing_stream.hpp"

namespace tunnel::test {

bool FailingStream::strike() {
  if (!count_.strike()) return false;
  abort(Error(Error::Kind::reset, "injected"));
  return true;
}

Task<Result<void>> FailingStream::shutdown_write() {
  strike();
  Result<void> result = co_await WrappedStream::shutdown_write();
  co_return result;
}

Task<Result<void>> FailingStream::flush(TimePoint deadline) {
  strike();
  Result<void> result = co_await WrappedStream::flush(deadline);
  co_return result;
}

Io FailingStream::try_write(Buffer& from, More more) {
  strike();
  return WrappedStream::try_write(from, more);
}

Io FailingStream::do_try_read(Buffer& into, std::size_t max) {
  strike();
  return WrappedStream::do_try_read(into, max);
}

}  // namespace tunnel::test
