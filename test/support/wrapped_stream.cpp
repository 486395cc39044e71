// SPDX-License-Identifier: Apache-2.0
#include "support/wrapped_stream.hpp"

namespace tunnel::test {

void WrappedStream::mirror() {
  set_read_side(inner_->read_side());
  set_write_side(inner_->write_side());
  set_error(inner_->error());
}

Task<Result<void>> WrappedStream::shutdown_write() {
  Result<void> result = co_await inner_->shutdown_write();
  mirror();
  co_return result;
}

Task<Result<void>> WrappedStream::flush(TimePoint deadline) {
  Result<void> result = co_await inner_->flush(deadline);
  mirror();
  co_return result;
}

void WrappedStream::abort(Error reason) noexcept {
  drop_unread();
  inner_->abort(reason);
  mirror();
}

void WrappedStream::on_reset(ResetObserver* observer) {
  observer_ = observer;
  inner_->on_reset(observer == nullptr ? nullptr : this);
}

void WrappedStream::on_stream_reset(Stream& /*stream*/) noexcept {
  mirror();
  if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
}

Io WrappedStream::try_write(Buffer& from, More more) {
  const Io io = inner_->try_write(from, more);
  mirror();
  return io;
}

Io WrappedStream::do_try_read(Buffer& into, std::size_t max) {
  const Io io = inner_->try_read(into, max);
  mirror();
  return io;
}

}  // namespace tunnel::test
