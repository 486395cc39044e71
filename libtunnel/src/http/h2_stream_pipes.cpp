// SPDX-License-Identifier: Apache-2.0
// A tunnel's bytes that stay in the kernel: from the socket its DATA frames come from into pipes the reader takes
// whole, and from a pipe the writer gave up to the socket they leave by. nghttp2 sees their numbers only.
#include <algorithm>
#include <utility>

#include "http/h2_session.hpp"
#include "http/h2_stream.hpp"

namespace tunnel::h2 {
namespace {

// For a reader that falls behind, while there are pipes enough for others. More than this is copied, up to its window.
constexpr std::size_t kPieces = 4;

}  // namespace

bool StreamCore::can_fill() const { return tunnel_ && !failed() && session_.may_splice_in(); }

Io StreamCore::fill(Pipe& pipe, std::size_t max) {
  reader_takes_pipes_ = true;
  if (aborted_ || !pipe.empty() || !in_.empty() || in_pieces_.empty() || in_pieces_.front().pipe.size() > max)
    return {Io::State::would_block, 0};
  pipe.swap(in_pieces_.front().pipe);
  front_pipe_is_empty();
  credit(pipe.size());
  return {Io::State::done, pipe.size()};
}

void StreamCore::front_pipe_is_empty() noexcept {
  in_ = std::move(in_pieces_.front().behind);
  in_pieces_.pop_front();
}

Pipe* StreamCore::pipe_for_data(bool fresh) {
  if (!takes_pipes()) return nullptr;
  if (ends_in_a_pipe() && !fresh) return &in_pieces_.back().pipe;
  if (in_pieces_.size() >= (Pipe::few_are_open() ? kPieces : 1)) return nullptr;
  Pipe& pipe = in_pieces_.emplace_back().pipe;
  if (pipe.open(session_.context().limits.pipe_bytes)) return &pipe;
  in_pieces_.pop_back();
  return nullptr;
}

bool StreamCore::ends_in_a_short_pipe() const {
  return ends_in_a_pipe() && in_pieces_.back().pipe.size() < session_.context().limits.pipe_bytes / 2;
}

void StreamCore::piped(std::size_t bytes) noexcept {
  if (ends_in_a_pipe() && in_pieces_.back().pipe.empty()) in_pieces_.pop_back();
  if (bytes > 0) wake(read_slot_);
}

std::size_t StreamCore::drop_input() noexcept {
  std::size_t bytes = in_.size();
  for (const Piece& piece : in_pieces_) bytes += piece.pipe.size() + piece.behind.size();
  in_.clear();
  in_pieces_.clear();
  return bytes;
}

std::size_t StreamCore::drain_bytes() const {
  return tunnel_ && write_ == WriteSide::open && !discard_ ? session_.pipe_frame_bytes() : 0;
}

Io StreamCore::drain(Pipe& pipe, std::size_t max) {
  if (write_ != WriteSide::open) return write_failed();
  if (paused_ || !out_.empty()) {
    paused_ = true;
    return {Io::State::would_block, 0};
  }
  std::size_t n = pipe.size();
  if (n <= max) {
    out_pipe_.swap(pipe);
    paused_ = true;  // until it is gone
  } else {
    n = pipe.take(out_, std::min(max, kSendMark));
    paused_ = out_.capacity_held() >= kSendMark;
  }
  if (std::exchange(deferred_, false)) session_.resume(id_);
  return {Io::State::done, n};
}

void StreamCore::send_pipe(Pipe& into, std::size_t bytes) noexcept {
  into.swap(out_pipe_);
  lent_ = into.size() > bytes;
  sent();
}

void StreamCore::give_back(Pipe& pipe) noexcept {
  lent_ = false;
  if (!failed() && write_ != WriteSide::refused) out_pipe_.swap(pipe);
}

void StreamCore::frame_leaves() noexcept { last_progress_ = session_.context().loop.now(); }

void StreamCore::drop_output() noexcept {
  out_.clear();
  out_pipe_.close();
}

}  // namespace tunnel::h2
