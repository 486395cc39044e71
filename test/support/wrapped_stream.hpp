// SPDX-License-Identifier: Apache-2.0
// A Stream around another, for tests that want to be in between. Passes every verb on; derive and override. The states
// of the inner stream are mirrored after each call.
#pragma once
#include <utility>

#include "tunnel/stream.hpp"

namespace tunnel::test {

class WrappedStream : public Stream, private ResetObserver {
 public:
  explicit WrappedStream(StreamPtr inner) : Stream(inner->loop()), owned_(std::move(inner)), inner_(owned_.get()) {}
  // Without owning it: `inner` must outlive this.
  explicit WrappedStream(Stream& inner) : Stream(inner.loop()), inner_(&inner) {}

  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override;
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override { inner_->on_writable(slot); }

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override { inner_->on_readable(slot); }
  Stream& inner() { return *inner_; }
  void mirror();

 private:
  void on_stream_reset(Stream& stream) noexcept override;
  StreamPtr owned_;
  Stream* inner_;
  ResetObserver* observer_ = nullptr;
};

}  // namespace tunnel::test
