// SPDX-License-Identifier: Apache-2.0
// FailingStream: the N-th operation on it fails, as if the peer had reset the connection at that moment. A test loops
// over N until a run completes without reaching it, and so meets every error path.
#pragma once
#include <cstddef>

#include "support/wrapped_stream.hpp"

namespace tunnel::test {

// Counts down over all streams that share it.
struct FailCount {
  explicit FailCount(std::size_t nth) : left(nth) {}
  // True exactly once: at the n-th call.
  bool strike() { return left > 0 && --left == 0; }
  bool struck() const { return left == 0; }
  std::size_t left;
};

class FailingStream final : public WrappedStream {
 public:
  FailingStream(StreamPtr inner, FailCount& count) : WrappedStream(std::move(inner)), count_(count) {}
  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override;
  Io try_write(Buffer& from, More more) override;

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;

 private:
  bool strike();
  FailCount& count_;
};

}  // namespace tunnel::test
