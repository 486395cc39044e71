// SPDX-License-Identifier: Apache-2.0
#include "stream/stdio_stream.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace tunnel {

// How calls posted by the threads find the stream, if it is still there.
struct StdioStream::Link {
  StdioStream* stream = nullptr;
};

StdioStream::StdioStream(EpollLoop& loop, const Context& context, Fd input, Fd output)
    : Stream(loop),
      context_(context),
      link_(std::make_shared<Link>()),
      input_(BlockingInput::start(loop, std::move(input), caller_of(&StdioStream::input_changed))),
      output_(BlockingOutput::start(loop, std::move(output), caller_of(&StdioStream::output_changed))),
      grace_(loop, [](void* self) noexcept { static_cast<StdioStream*>(self)->close(); }, this) {
  link_->stream = this;
}

StdioStream::~StdioStream() {
  assert(read_slot_ == nullptr && write_slot_ == nullptr && flushing_ == nullptr && "a call is pending");
  link_->stream = nullptr;
  input_->stop();
  // Finished, it has written everything and needs nobody to end.
  if (write_side() != WriteSide::finished) output_->stop();
}

std::function<void()> StdioStream::caller_of(void (StdioStream::*call)() noexcept) {
  return [link = link_, call] {
    if (link->stream != nullptr) (link->stream->*call)();
  };
}

Io StdioStream::do_try_read(Buffer& into, std::size_t max) {
  if (read_side() == ReadSide::ended) return {Io::State::ended, 0};
  if (read_side() == ReadSide::reset) return failed();
  const BlockingInput::Taken taken = input_->take(into, max);
  switch (taken.state) {
    case BlockingInput::Taken::State::done:
      return {Io::State::done, taken.bytes};
    case BlockingInput::Taken::State::empty:
      return {Io::State::would_block, 0};
    case BlockingInput::Taken::State::failed:
      set_error(error_from_errno(taken.error, "standard input"));
      set_read_side(ReadSide::reset);
      return failed();
    case BlockingInput::Taken::State::ended:
      break;
  }
  set_read_side(ReadSide::ended);
  grace_.disarm();
  if (write_side() == WriteSide::refused) close();
  return {Io::State::ended, 0};
}

void StdioStream::do_on_readable(Slot& slot) {
  assert((read_slot_ == nullptr || read_slot_ == &slot) && "a second read is pending");
  if (read_side() != ReadSide::open || input_->wait())
    loop().post(slot);
  else
    read_slot_ = &slot;
}

Io StdioStream::try_write(Buffer& from, More /*more*/) {
  if (from.empty()) return {Io::State::done, 0};
  if (const int number = output_->error(); number != 0) refuse(number);
  if (write_side() != WriteSide::open) {
    if (!error()) set_error(Error(Error::Kind::closed, "write after shutdown"));
    // Bytes for nobody: whoever sends to us is given the time to end by itself.
    if (write_side() == WriteSide::refused && read_side() == ReadSide::open && !grace_.armed())
      grace_.arm_after(context_.limits.linger_time);
    return failed();
  }
  const std::size_t n = output_->put(from);
  return n > 0 ? Io{Io::State::done, n} : Io{Io::State::would_block, 0};
}

void StdioStream::on_writable(Slot& slot) {
  assert((write_slot_ == nullptr || write_slot_ == &slot) && "a second write is pending");
  if (write_side() != WriteSide::open || output_->wait_for_room())
    loop().post(slot);
  else
    write_slot_ = &slot;
}

Task<Result<void>> StdioStream::shutdown_write() {
  if (write_side() == WriteSide::finished) co_return Result<void>();
  if (write_side() == WriteSide::refused) co_return error();
  output_->finish();
  for (std::size_t before = output_->pending();;) {
    Result<void> flushed = co_await flush(loop().now() + context_.limits.write_time);
    if (flushed.ok()) break;
    const std::size_t left = output_->pending();
    if (flushed.error().kind != Error::Kind::timeout || left == before) {
      if (flushed.error().kind == Error::Kind::timeout) context_.counters.add(Counter::write_timeouts);
      co_return flushed.error();
    }
    before = left;
  }
  set_write_side(WriteSide::finished);
  co_return Result<void>();
}

Task<Result<void>> StdioStream::flush(TimePoint deadline) {
  for (;;) {
    if (const int number = output_->error(); number != 0) refuse(number);
    if (write_side() == WriteSide::refused) co_return error();
    if (output_->pending() == 0) co_return Result<void>();
    if (loop().now() >= deadline) co_return Error(Error::Kind::timeout, "standard output took no bytes for too long");
    FlushWait wait(loop(), flushing_, deadline);
    if (output_->pending(true) > 0) co_await wait;
  }
}

void StdioStream::wake(Slot*& slot) noexcept {
  if (Slot* waiting = std::exchange(slot, nullptr)) loop().post(*waiting);
}

void StdioStream::input_changed() noexcept { wake(read_slot_); }

void StdioStream::output_changed() noexcept {
  if (const int number = output_->error(); number != 0) refuse(number);
  wake(write_slot_);
  if (flushing_ != nullptr) flushing_->finish();
}

void StdioStream::refuse(int number) noexcept {
  if (write_side() != WriteSide::open) return;
  set_write_side(WriteSide::refused);
  if (number == EPIPE) {
    set_error(Error(Error::Kind::closed, "standard output was closed by its reader"));
    if (read_side() == ReadSide::ended) close();
    return;
  }
  // A full disk, say: bytes are lost and nobody chose that, so not even an end that was read makes it an orderly one.
  Error error = error_from_errno(number, "standard output");
  if (error.kind == Error::Kind::closed) error.kind = Error::Kind::internal;
  set_error(error);
  set_read_side(ReadSide::reset);
  close();
}

// Nobody is left at the other side.
void StdioStream::close() noexcept {
  closed_ = true;
  if (read_side() == ReadSide::open) set_read_side(ReadSide::reset);
  wake(read_slot_);
  if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
}

void StdioStream::abort(Error reason) noexcept {
  if (aborted_) return;
  aborted_ = true;
  set_error(reason);
  set_read_side(ReadSide::reset);
  set_write_side(WriteSide::refused);
  drop_unread();
  grace_.disarm();
  input_->stop();
  output_->stop();
  wake(read_slot_);
  wake(write_slot_);
  if (flushing_ != nullptr) flushing_->finish();
}

void StdioStream::on_reset(ResetObserver* observer) {
  observer_ = observer;
  if (observer_ != nullptr && closed_ && !aborted_) std::exchange(observer_, nullptr)->on_stream_reset(*this);
}

}  // namespace tunnel
