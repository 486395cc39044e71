// SPDX-License-Identifier: Apache-2.0
#include "http/h2_stream.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/memory.hpp"
#include "http/h2_session.hpp"

namespace tunnel::h2 {
namespace {

// A reader that takes a whole window in less than this gets a larger one.
constexpr Duration kQuickWindow = std::chrono::seconds(1);

}  // namespace

StreamCore::StreamCore(Session& session, bool client)
    : session_(session),
      last_progress_(session.context().loop.now()),
      window_since_(last_progress_),
      window_(static_cast<std::int32_t>(session.context().limits.h2_stream_window_start)),
      client_(client) {}

StreamCore::~StreamCore() {
  memory::take_back(static_cast<std::uint64_t>(window_) - session_.context().limits.h2_stream_window_start);
  assert(read_slot_ == nullptr && write_slot_ == nullptr && flushing_ == nullptr && head_slot == nullptr);
}

void StreamCore::wake(Slot*& slot) noexcept {
  if (Slot* waiting = std::exchange(slot, nullptr)) session_.context().loop.post(*waiting);
}

void StreamCore::wake_all() noexcept {
  wake(read_slot_);
  wake(write_slot_);
  wake(head_slot);
  if (flushing_ != nullptr) flushing_->finish();
}

void StreamCore::wake_flush() noexcept {
  if (flushing_ != nullptr) flushing_->finish();
}

void StreamCore::sync() noexcept {
  if (owner_ != nullptr) owner_->sides_changed(read_, write_, error_);
}

// --- The exchange object's side

Io StreamCore::read(Buffer& into, std::size_t max) {
  if (aborted_) return {Io::State::failed, 0};
  if (!in_.empty()) {
    const std::size_t n = in_.move_to(into, max);
    credit(n);
    return {Io::State::done, n};
  }
  if (!in_pieces_.empty()) {
    Pipe& pipe = in_pieces_.front().pipe;
    const std::size_t n = pipe.take(into, max);
    reader_takes_pipes_ = false;  // or it would not have to be copied
    if (pipe.empty()) front_pipe_is_empty();
    credit(n);
    return {Io::State::done, n};
  }
  if (read_ == ReadSide::reset) return {Io::State::failed, 0};
  if (!end_received_) return {Io::State::would_block, 0};
  if (read_ == ReadSide::open) {
    read_ = ReadSide::ended;
    sync();
  }
  return {Io::State::ended, 0};
}

void StreamCore::on_readable(Slot& slot) {
  if (aborted_ || holds_input() || read_ != ReadSide::open || end_received_)
    session_.context().loop.post(slot);
  else
    read_slot_ = &slot;
}

// Stream credit goes back for what was passed on; the connection's went back on receipt.
void StreamCore::credit(std::size_t bytes) {
  if (closed_ || id_ == 0 || end_received_) return;
  session_.consume_stream(id_, bytes);
  if (connect && !tunnel_) return;  // a window grows once its tunnel stands
  window_credited_ += bytes;
  if (window_credited_ < static_cast<std::size_t>(window_)) return;
  const TimePoint now = session_.context().loop.now();
  const std::int32_t most = session_.largest_window();
  if (now - window_since_ < kQuickWindow && window_ < most) grow_window(window_ > most / 2 ? most : window_ * 2);
  window_credited_ = 0;
  window_since_ = now;
}

void StreamCore::grow_window(std::int32_t to) {
  const auto more = static_cast<std::uint64_t>(to - window_);
  if (!memory::allows(session_.context().limits, more)) return;
  memory::promise(more);
  window_ = to;
  session_.set_stream_window(id_, window_);
}

bool StreamCore::expect_body(http::Body body, bool discard) {
  if (body.kind == http::Body::Kind::none) {
    out_end_ = true;
    write_ = WriteSide::finished;
    sync();
    return false;
  }
  discard_ = discard;
  out_end_ = discard;
  if (body.kind == http::Body::Kind::length) left_to_write_ = body.length;
  return !discard;
}

void StreamCore::head_submitted(std::int32_t id) {
  id_ = id;
  submitted_ = true;
  if (asks_tunnel) data_may_leave_ = false;
}

void StreamCore::open_tunnel() {
  tunnel_ = true;
  data_may_leave_ = true;
  window_credited_ = 0;
  window_since_ = session_.context().loop.now();
  if (std::exchange(deferred_, false)) session_.resume(id_);
}

void StreamCore::refuse_tunnel() noexcept {
  Error reason(Error::Kind::refused);
  refuse_writing(reason);
  data_may_leave_ = true;
  out_end_ = true;  // the request has ended all the same
  if (std::exchange(deferred_, false)) session_.resume(id_);
}

Io StreamCore::write_failed() {
  if (!error_) error_ = Error(Error::Kind::closed, "write after the end");
  sync();
  return {Io::State::failed, 0};
}

Io StreamCore::write(Buffer& from) {
  if (write_ != WriteSide::open) return write_failed();
  if (from.empty()) return {Io::State::done, 0};
  assert(submitted_ && "bytes before a head");
  std::size_t n = from.size();
  if (left_to_write_ && n > *left_to_write_) {
    abort(Error(Error::Kind::internal, "a body longer than announced"));
    return {Io::State::failed, 0};
  }
  if (discard_) {
    from.clear();
  } else {
    if (paused_) return {Io::State::would_block, 0};
    n = from.move_to_within(out_, n, kSendMark);
    paused_ = n == 0 || out_.capacity_held() >= kSendMark;
    if (n == 0) return {Io::State::would_block, 0};
    if (std::exchange(deferred_, false)) session_.resume(id_);
  }
  if (left_to_write_) *left_to_write_ -= n;
  return {Io::State::done, n};
}

void StreamCore::on_writable(Slot& slot) {
  if (may_write())
    session_.context().loop.post(slot);
  else
    write_slot_ = &slot;
}

Result<void> StreamCore::finish(const http::Fields* trailers) {
  if (write_ == WriteSide::finished) return {};
  if (write_ == WriteSide::refused) return error_;
  if (!submitted_) return Error(Error::Kind::internal, "an end before a head");
  if (left_to_write_.value_or(0) > 0 && !discard_) {
    abort(Error(Error::Kind::internal, "a body shorter than announced"));
    return error_;
  }
  write_ = WriteSide::finished;
  sync();
  if (discard_) return {};
  out_end_ = true;
  if (trailers != nullptr && !trailers->empty() && !tunnel_ && !connect)
    trailers_out_ = std::make_unique<http::Fields>(*trailers);
  if (data_may_leave_ && std::exchange(deferred_, false)) session_.resume(id_);
  return {};
}

bool StreamCore::flushed() const {
  return out_.empty() && out_pipe_.empty() && (!out_end_ || end_sent_) && session_.written() >= sent_position_;
}

void StreamCore::check_flushed() noexcept {
  if (flushing_ != nullptr && flushed()) flushing_->finish();
}

Task<Result<void>> StreamCore::flush(TimePoint deadline) {
  for (;;) {
    if (failed() || write_ == WriteSide::refused) co_return error_;
    if (flushed()) co_return Result<void>();
    if (session_.context().loop.now() >= deadline)
      co_return Error(Error::Kind::timeout, "bytes could not be flushed in time");
    FlushWait wait(session_.context().loop, flushing_, deadline);
    session_.flush_waits(1);
    co_await wait;
    session_.flush_waits(-1);
  }
}

void StreamCore::abort(const Error& reason) noexcept {
  if (aborted_) return;
  aborted_ = true;
  if (!error_) error_ = reason;
  drop_input();
  drop_output();
  read_ = ReadSide::reset;
  write_ = WriteSide::refused;
  sync();
  wake_all();
  if (!failed_) reset_stream(code_for(reason));
}

void StreamCore::disown() noexcept {
  disowned_ = true;
  owner_ = nullptr;
  const std::size_t unread = drop_input();
  if (id_ == 0 || closed_) {
    session_.erase(*this);
    return;
  }
  if (failed()) return;
  if (!out_end_) {
    abort(Error(client_ ? Error::Kind::cancelled : Error::Kind::internal));
    return;
  }
  // Its window may be full of what nobody read: the peer could never come to its end.
  dropped_ += unread;
  if (unread > 0 && !end_received_) session_.consume_stream(id_, unread);
  last_progress_ = session_.context().loop.now();
  if (end_sent_)
    settle();
  else
    session_.watch_orphan(deadline());
}

// Nobody reads what the peer still sends on a stream that has ended here. A request body may come to its end by itself
// for a while, which spares peers that do not expect a reset behind a good answer.
void StreamCore::settle() noexcept {
  if (!disowned_ || !end_sent_ || end_received_ || closed_) return;
  if (client_ || connect || tunnel_ || refusal) {
    reset_stream(client_ ? kCancel : kNoError);
  } else if (dropped_ > session_.context().limits.linger_bytes) {
    cut_orphan();
  } else {
    last_progress_ = session_.context().loop.now();
    session_.watch_orphan(deadline());
  }
}

TimePoint StreamCore::deadline() const {
  const Limits& limits = session_.context().limits;
  return last_progress_ + (end_sent_ ? limits.linger_time : limits.write_time);
}

void StreamCore::cut_orphan() noexcept {
  if (!end_sent_) session_.context().counters.add(Counter::write_timeouts);
  drop_output();
  reset_stream(end_sent_ ? kNoError : kCancel);
}

const http::Fields& StreamCore::trailers() const {
  static const http::Fields kNone;
  return trailers_in_ ? *trailers_in_ : kNone;
}

// Which code tells the peer of this. Codes that came from elsewhere are passed on unless they accuse the peer of this
// connection of something, or promise that nothing was done.
std::uint32_t StreamCore::code_for(const Error& reason) const {
  switch (reason.reset_code) {
    case kInternalError:
    case kCancel:
    case kConnectError:
      return reason.reset_code;
    case kRefusedStream:
      if (!client_ && !final_head) return reason.reset_code;
      break;
    case kNoError:
    case kProtocolError:
    case kFlowControlError:
    case kSettingsTimeout:
    case kStreamClosed:
    case kFrameSizeError:
    case 9:   // COMPRESSION_ERROR
    case 12:  // INADEQUATE_SECURITY
    case kEnhanceYourCalm:
      break;
    default:
      return reason.reset_code;
  }
  switch (reason.kind) {
    case Error::Kind::cancelled:
    case Error::Kind::shutdown:
      return kCancel;
    case Error::Kind::internal:
      return kInternalError;
    default:
      if (tunnel_) return kConnectError;
      return client_ ? kCancel : kInternalError;
  }
}

}  // namespace tunnel::h2
