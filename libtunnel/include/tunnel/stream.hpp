// SPDX-License-Identifier: Apache-2.0
// Stream: bytes both ways, with six verbs: read, write, shutdown_write, flush, abort, on_reset. TCP sockets, user-space
// sockets and HTTP exchanges are Streams; whatever relays needs to know no more.
//
// Closing is a table, not a bit. Per direction:
//   read side   open -> ended (the peer finished sending; bytes before the end were all delivered) or reset
//   write side  open -> finished (we shut it down) or refused (the peer takes no more; reading goes on)
// The end of one direction says nothing about the other. Destroying a Stream after shutdown_write() is a close: bytes
// accepted are still delivered. Destroying it before is an abort.
//
// A Stream belongs to one worker. At most one call may be pending a direction: one read; one of write, shutdown_write,
// flush. The destructor requires that none is: abort(), wait for the calls to return, destroy. A peer's coroutine is
// never resumed inline, its wake-up is posted.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tunnel/buffer.hpp"
#include "tunnel/error.hpp"
#include "tunnel/loop.hpp"
#include "tunnel/task.hpp"

namespace tunnel {

class Pipe;  // stream/pipe.hpp
class Stream;

// Told once when a stream was reset: TCP RST only (never a FIN, urgent data or a hang-up after both ends); for
// user-space sockets and HTTP/2 also a full close. Called from the loop or from inside another stream's abort():
// record, abort(), post, but destroy nothing. Bytes queued before the reset are still readable: whoever reads meets the
// error behind them.
class ResetObserver {
 public:
  virtual void on_stream_reset(Stream& stream) noexcept = 0;

 protected:
  ~ResetObserver() = default;
};

enum class ReadSide : std::uint8_t { open, ended, reset };
enum class WriteSide : std::uint8_t { open, finished, refused };
// "More comes at once": lets a stream gather small writes. Never delays bytes behind a wait.
enum class More : std::uint8_t { no, yes };

// What a call that never waits did. `failed`: see Stream::error().
struct Io {
  enum class State : std::uint8_t { done, would_block, ended, failed };
  State state = State::done;
  std::size_t bytes = 0;
};

class Stream {
 public:
  explicit Stream(Loop& loop) : loop_(loop) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  // Appends 1 to `max` bytes to `into` (max >= 1) and returns how many; 0 is the end, then and ever after. First comes
  // what was unread().
  Task<Result<std::size_t>> read(Buffer& into, std::size_t max);
  // Takes all of `from`, waiting when full, or fails; after a failure the peer read at most a prefix.
  Task<Result<void>> write(Buffer& from, More more = More::no);
  // I have finished sending: the peer reads its end behind every byte written. Idempotent.
  virtual Task<Result<void>> shutdown_write() = 0;
  // Returns when nothing this stream accepted is still ours to lose, or fails at the deadline.
  virtual Task<Result<void>> flush(TimePoint deadline) = 0;
  // Resets both directions now: the peer sees a reset, every pending call here returns with `reason`. Discards bytes
  // not yet on their way (flush first). Idempotent; allocates nothing.
  virtual void abort(Error reason) noexcept = 0;
  // Arms the observer for the life of the stream (nullptr disarms). If the reset came before, it is told at once.
  virtual void on_reset(ResetObserver* observer) = 0;

  // The same without waiting. try_write takes a prefix of `from` and says how much.
  Io try_read(Buffer& into, std::size_t max);
  virtual Io try_write(Buffer& from, More more) = 0;
  // Posts `slot` once after the next moment try_read (try_write) may get on; an abort or reset counts as getting on.
  void on_readable(Slot& slot);
  virtual void on_writable(Slot& slot) = 0;

  // The same through a pipe in the kernel, for streams whose bytes come from a socket or go to one unchanged: ask
  // before each call. try_fill appends at most `max` bytes to an open pipe, or puts another in the place of an empty
  // one; or it says would_block, and then only try_read() knows why: nothing came, the end, a failure, or it has no use
  // for this pipe. try_drain is try_write() of at most `max` bytes of the pipe, and may take the pipe with them;
  // drain_bytes() is how many it would like in one, 0 for none.
  bool can_fill() const { return prefix_.empty() && do_can_fill(); }
  virtual Io try_fill(Pipe& /*pipe*/, std::size_t /*max*/) { return {Io::State::would_block, 0}; }
  virtual std::size_t drain_bytes() const { return 0; }
  virtual Io try_drain(Pipe& /*pipe*/, std::size_t /*max*/) { return failed(); }
  // True if bytes written here wait for the machine at the other end of the path to acknowledge them and it gave no
  // sign of life since `since`, although it was asked: unacknowledged TCP, an unanswered HTTP/2 PING. False proves
  // nothing.
  virtual bool silent_since(TimePoint since) const {
    (void)since;
    return false;
  }

  // Whoever relays what is written here says where to, for silent_since() of the stream's other end, if both ends are
  // ours; nullptr when that stream goes.
  virtual void leads_to(const Stream* beyond) { (void)beyond; }

  // Puts bytes back in front of the stream, as if never read.
  void unread(Buffer&& bytes);

  ReadSide read_side() const { return read_side_; }
  WriteSide write_side() const { return write_side_; }
  // Why a call failed: the first failure that mattered.
  const Error& error() const { return error_; }
  Loop& loop() const { return loop_; }

 protected:
  virtual Io do_try_read(Buffer& into, std::size_t max) = 0;
  virtual void do_on_readable(Slot& slot) = 0;
  virtual bool do_can_fill() const { return false; }
  void set_read_side(ReadSide side) { read_side_ = side; }
  void set_write_side(WriteSide side) { write_side_ = side; }
  // Keeps the first error.
  void set_error(const Error& error) noexcept {
    if (!error_) error_ = error;
  }
  Io failed() const { return {Io::State::failed, 0}; }
  // For abort(): nothing unread() is delivered, now or later.
  void drop_unread() noexcept {
    prefix_.clear();
    keep_unread_ = false;
  }

 private:
  Loop& loop_;
  Buffer prefix_;
  bool keep_unread_ = true;
  Error error_;
  ReadSide read_side_ = ReadSide::open;
  WriteSide write_side_ = WriteSide::open;
};

using StreamPtr = std::unique_ptr<Stream>;

// co_await readable(stream) and writable(stream): wait in the caller's own frame.
class Readable {
 public:
  explicit Readable(Stream& stream) : stream_(stream) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot_.handle = caller;
    stream_.on_readable(slot_);
  }
  void await_resume() const noexcept {}

 private:
  Stream& stream_;
  Slot slot_;
};

class Writable {
 public:
  explicit Writable(Stream& stream) : stream_(stream) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot_.handle = caller;
    stream_.on_writable(slot_);
  }
  void await_resume() const noexcept {}

 private:
  Stream& stream_;
  Slot slot_;
};

}  // namespace tunnel
