// SPDX-License-Identifier: Apache-2.0
// Two descriptors of the caller's as one Stream: what is read from one, and what is written to the other. Standard
// input and output are that; any mixture of pipes, files, terminals, devices and sockets will do, and none is changed.
//
// A pipe knows no reset, so the closing table is smaller here. The peer's end and its death look alike: an end. When
// the reader of our output has gone, the write side is refused; what was already sent to us, and its end, are still
// read, but once there were bytes for that reader not waited for longer than the linger time: nobody is left to talk
// to. Then, and when both sides are closed, an observer is told, of `closed`. An output that fails otherwise (a full
// disk) is a reset. abort() closes both descriptors: the peer sees an end and must learn the rest by other means (the
// exit status).
#pragma once
#include <memory>

#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "stream/blocking_descriptor.hpp"
#include "stream/flush_wait.hpp"
#include "tunnel/stream.hpp"

namespace tunnel {

class StdioStream final : public Stream {
 public:
  // `context` is of `loop`. Throws std::system_error when there is no thread to be had.
  StdioStream(EpollLoop& loop, const Context& context, Fd input, Fd output);
  ~StdioStream() override;

  // Waits until the output has taken everything: nobody but this process holds it, and it may be about to end. Fails
  // after the write time without progress.
  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override;
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override;

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override;

 private:
  struct Link;
  std::function<void()> caller_of(void (StdioStream::*call)() noexcept);
  void input_changed() noexcept;
  void output_changed() noexcept;
  void refuse(int number) noexcept;
  void close() noexcept;
  void wake(Slot*& slot) noexcept;

  Context context_;
  std::shared_ptr<Link> link_;
  std::shared_ptr<BlockingInput> input_;
  std::shared_ptr<BlockingOutput> output_;
  ResetObserver* observer_ = nullptr;
  Slot* read_slot_ = nullptr;
  Slot* write_slot_ = nullptr;
  FlushWait* flushing_ = nullptr;
  Timer grace_;  // for what is still to be read when the output is refused
  bool aborted_ = false;
  bool closed_ = false;  // by the peer, in both directions
};

}  // namespace tunnel
