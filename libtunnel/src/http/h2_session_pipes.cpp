// SPDX-License-Identifier: Apache-2.0
// The payload of large DATA frames between the transport and a pipe, without a copy: worth it between two of our own
// ends, in clear. nghttp2 reads and writes the frames' headers and counts the bytes; it is shown as many others in
// their place, which it only passes on.
#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "http/h2_session.hpp"

namespace tunnel::h2 {
namespace {

constexpr std::size_t kReadBytes = 262144;
// Less, of a frame or of what is left of one, costs less to copy. A sender has its choice.
constexpr std::size_t kSpliceBytes = 65536;
constexpr std::size_t kLargeFrameBytes = 262144;
constexpr std::array<std::uint8_t, 65536> kShown{};
// Whoever writes sees no progress before a frame has left: on a slow path bytes are copied, in smaller frames.
constexpr Duration kQuickFrame = std::chrono::milliseconds(50);
constexpr Duration kSlowFrame = std::chrono::seconds(1);
constexpr Duration kSlowFor = std::chrono::seconds(30);

}  // namespace

// A frame blocks every other stream while it is written: large ones only where few streams share the connection. More
// than that waits in the socket's buffer anyway.
std::size_t Session::frame_bytes() const {
  if (open_streams_ <= 2) return kLargestFrameBytes;
  if (open_streams_ <= 4) return 262144;
  return open_streams_ <= 8 ? 65536 : 16384;
}

std::size_t Session::pipe_frame_bytes() const {
  const std::size_t peer_most = nghttp2_session_get_remote_settings(nghttp2_, NGHTTP2_SETTINGS_MAX_FRAME_SIZE);
  const std::size_t most = std::min({frame_bytes(), peer_most, pipe_frame_most_, transport_.drain_bytes()});
  return most >= kLargeFrameBytes && context_.loop.now() >= no_pipes_before_ ? most : 0;
}

bool Session::is_for_a_pipe() const noexcept {
  if (frames_.type() != FrameType::data || frames_.padded() || frames_.length() < kSpliceBytes) return false;
  const auto* core =
      static_cast<const StreamCore*>(nghttp2_session_get_stream_user_data(nghttp2_, frames_.stream_id()));
  return core != nullptr && core->takes_pipes() && transport_.can_fill();
}

// Within a frame that may come through a pipe no more than its end, and behind it no more than the next header.
std::size_t Session::most_to_read() const {
  if (!aligned_ || phase_ != Phase::open) return kReadBytes;
  return std::min(kReadBytes, std::max(frames_.header_left() + frames_.payload_left(), std::size_t{1}));
}

// The number of bytes of a payload that went into a pipe; 0: read what comes instead, or why nothing does.
std::size_t Session::splice_in() {
  if (!aligned_ || phase_ != Phase::open || frames_.payload_left() == 0 || !input_.empty() || !transport_.can_fill())
    return 0;
  auto* core = static_cast<StreamCore*>(nghttp2_session_get_stream_user_data(nghttp2_, frames_.stream_id()));
  if (core == nullptr) return 0;
  if (frames_.payload_left() < kSpliceBytes && !spliced_) return 0;
  const std::size_t bytes = splice_into(*core, false);
  return bytes > 0 || core->ends_in_a_short_pipe() ? bytes : splice_into(*core, true);
}

std::size_t Session::splice_into(StreamCore& core, bool fresh) {
  Pipe* pipe = core.pipe_for_data(fresh);
  if (pipe == nullptr || pipe->size() >= context_.limits.pipe_bytes) return 0;
  const Io io = transport_.try_fill(*pipe, std::min(frames_.payload_left(), context_.limits.pipe_bytes - pipe->size()));
  core.piped(io.bytes);
  if (io.bytes > 0) feed_piped(core, io.bytes);
  return io.bytes;
}

void Session::feed_piped(StreamCore& core, std::size_t bytes) {
  last_received_ = context_.loop.now();
  heard_ = true;
  spliced_ = true;
  frames_.skip(bytes);
  piped_ = bytes;
  ssize_t n = 1;
  inside_ = true;
  for (std::size_t left = bytes; left > 0 && n > 0; left -= static_cast<std::size_t>(std::max<ssize_t>(n, 0)))
    n = nghttp2_session_mem_recv(nghttp2_, kShown.data(), std::min(left, kShown.size()));
  inside_ = false;
  const bool taken = std::exchange(piped_, 0) == 0;
  if (n <= 0) received_fatal(n);
  if (!taken) core.abort(Error(Error::Kind::protocol, "bytes where none may come"));
  act();
  fed();
}

// The next payload is in the stream's pipe.
void Session::pipe_out(StreamCore& core, std::size_t bytes) noexcept {
  piped_left_ = bytes;
  piping_core_ = &core;
  pipe_frame_began_ = context_.loop.now();
  core.send_pipe(piping_, bytes);
}

Io Session::write_some() {
  if (output_.empty() && transport_.drain_bytes() == 0) {  // any more
    piping_.take(output_, piped_left_);
    piped_left_ = 0;
    frame_piped();
  }
  Io io;
  if (!output_.empty()) {
    io = transport_.try_write(output_, piped_left_ > 0 ? More::yes : More::no);
    if (io.state == Io::State::done) written_ += io.bytes;
    return io;
  }
  io = transport_.try_drain(piping_, piped_left_);
  if (io.state != Io::State::done) return io;
  assert(io.bytes <= piped_left_);
  piped_left_ -= io.bytes;
  written_ += io.bytes;
  if (piping_core_ != nullptr) piping_core_->frame_leaves();
  if (piped_left_ == 0) frame_piped();
  return io;
}

void Session::frame_piped() noexcept {
  if (piping_core_ != nullptr && !piping_.empty()) piping_core_->give_back(piping_);
  piping_.close();
  piping_core_ = nullptr;
  behind_.move_to(output_);
  const TimePoint now = context_.loop.now();
  if (now - pipe_frame_began_ >= kSlowFrame) {
    pipe_frame_most_ = kLargeFrameBytes;
    no_pipes_before_ = now + kSlowFor;
  } else if (now - pipe_frame_began_ < kQuickFrame) {
    pipe_frame_most_ = std::min(pipe_frame_most_ * 2, kLargestFrameBytes);
  }
}

}  // namespace tunnel::h2
