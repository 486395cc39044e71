// SPDX-License-Identifier: Apache-2.0
// A stream's half that meets frames: called by the session and from nghttp2's callbacks, never resumes anybody inline.
#include <algorithm>
#include <utility>

#include "http/h2_session.hpp"
#include "http/h2_stream.hpp"

namespace tunnel::h2 {
namespace {

// Received pieces are relinked while a stream pins at most this much; a stalled one gets copies, packed densely.
constexpr std::size_t kRelinkHeld = 131072;

}  // namespace

void StreamCore::reset_stream(std::uint32_t code) noexcept {
  if (closed_ || id_ == 0 || reset_by_us_) return;
  reset_by_us_ = true;
  session_.reset_stream(id_, code);
}

void StreamCore::data_received(Buffer& input, std::size_t bytes) {
  if (failed() || disowned_) {
    input.consume(bytes);
    session_.consume_stream(id_, bytes);
    dropped_ += bytes;
    if (disowned_ && end_sent_ && dropped_ > session_.context().limits.linger_bytes) cut_orphan();
    return;
  }
  Buffer& queue = in_pieces_.empty() ? in_ : in_pieces_.back().behind;
  if (queue.capacity_held() < kRelinkHeld)
    input.move_to(queue, bytes);
  else
    input.move_to_within(queue, bytes, SIZE_MAX);
  wake(read_slot_);
}

void StreamCore::end_received() noexcept {
  end_received_ = true;
  wake(read_slot_);
}

void StreamCore::refuse_writing(const Error& reason) noexcept {
  drop_output();
  if (write_ == WriteSide::open) {
    if (!error_) error_ = reason;
    write_ = WriteSide::refused;
    sync();
  }
  wake(write_slot_);
  wake_flush();
}

void StreamCore::reset_received(std::uint32_t code) noexcept {
  if (failed()) return;
  Error reason(code == kRefusedStream ? Error::Kind::refused : Error::Kind::reset, "the peer reset the stream");
  reason.reset_code = code;
  reason.retry_safe = code == kRefusedStream && client_ && !final_head;
  const bool whole_response = client_ && !tunnel_ && end_received_;
  if ((code == kNoError && end_received_) || whole_response)
    refuse_writing(reason);
  else
    fail(reason);
}

void StreamCore::closed(std::uint32_t code) noexcept {
  closed_ = true;
  if (!failed()) {
    const bool ended = end_received_ && (code == kNoError || (client_ && !tunnel_));
    if (!ended) {
      // Not by RST_STREAM of the peer: that came first. So GOAWAY, or nghttp2 found the peer at fault.
      const bool refused = code == kRefusedStream && client_;
      Error reason(refused ? Error::Kind::refused : Error::Kind::protocol,
                   refused ? "the peer is going away" : "the peer broke HTTP/2 on this stream");
      reason.reset_code = code;
      reason.retry_safe = refused;
      fail(reason);
    } else if (!end_sent_) {
      refuse_writing(Error(Error::Kind::closed));
    }
  }
}

void StreamCore::fail(const Error& reason) noexcept {
  if (failed()) return;
  failed_ = true;
  const bool whole_response = client_ && !tunnel_ && end_received_;
  drop_output();
  if (write_ == WriteSide::open) write_ = WriteSide::refused;
  if (!error_) error_ = reason;
  if (!whole_response) {
    if (read_ != ReadSide::ended) read_ = ReadSide::reset;  // an end that was read stays one
    tell_ = true;
    session_.note_reset();
  }
  sync();
  wake_all();
}

void StreamCore::reject(const Error& reason, std::uint32_t code) noexcept {
  fail(reason);
  reset_stream(code);
}

void StreamCore::tell_reset() noexcept {
  if (std::exchange(tell_, false) && owner_ != nullptr) owner_->tell_reset();
}

void StreamCore::end_sent(std::uint64_t position) noexcept {
  end_sent_ = true;
  sent_position_ = position;
  settle();
}

ssize_t StreamCore::data_wanted(std::size_t most, std::uint32_t& flags) {
  const std::size_t n = std::min(most, queued_bytes());
  if (!data_may_leave_ || (n == 0 && !out_end_)) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (n > 0) flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (out_end_ && n == out_.size() + out_pipe_.size()) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (trailers_out_ && session_.submit_trailers(id_, *trailers_out_)) flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(n);
}

bool StreamCore::send_data(Buffer& output, std::size_t bytes) {
  if (out_.size() < bytes) return false;  // reset while the frame waited for room
  out_.move_to(output, bytes);
  sent();
  return true;
}

// What was queued so far, or a part of it, is the session's.
void StreamCore::sent() noexcept {
  sent_position_ = session_.queued();
  last_progress_ = session_.context().loop.now();
  if (paused_ && !lent_ && out_pipe_.empty() && out_.capacity_held() <= kSendMark / 2) {
    paused_ = false;
    wake(write_slot_);
  }
}

}  // namespace tunnel::h2
