// SPDX-License-Identifier: Apache-2.0
// What the streams of an HTTP/2 connection need of it, and what is remembered of closed ones.
#include <algorithm>
#include <iterator>
#include <utility>

#include "http/h2_session.hpp"

namespace tunnel::h2 {

StreamCore& Session::add_stream() {
  streams_.emplace_back(*this, client_);
  StreamCore& core = streams_.back();
  core.self = std::prev(streams_.end());
  ++open_streams_;
  if (client_) guard_.stream_opened();
  return core;
}

void Session::erase(StreamCore& core) noexcept {
  std::erase(arrived_, &core);
  if (!core.is_closed()) --open_streams_;
  // A closed one too: nghttp2 closes a stream whose request could not leave once more after it told us so.
  if (core.id() != 0) nghttp2_session_set_stream_user_data(nghttp2_, core.id(), nullptr);
  if (piping_core_ == &core) piping_core_ = nullptr;
  streams_.erase(core.self);
  if (inside_)
    changed_ = true;
  else
    role_.changed();
  touch();
}

void Session::resume(std::int32_t id) noexcept {
  nghttp2_session_resume_data(nghttp2_, id);
  touch();
}

void Session::consume_stream(std::int32_t id, std::size_t bytes) noexcept {
  nghttp2_session_consume_stream(nghttp2_, id, bytes);
  touch();
}

void Session::set_stream_window(std::int32_t id, std::int32_t bytes) noexcept {
  nghttp2_session_set_local_window_size(nghttp2_, NGHTTP2_FLAG_NONE, id, bytes);
  if (!std::exchange(large_frames_, true)) {
    // Bytes in bulk: larger frames from now on. Not from the start, so that heads come in frames of 16 KiB and one that
    // is too large costs its stream only.
    const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kLargestFrameBytes};
    nghttp2_submit_settings(nghttp2_, NGHTTP2_FLAG_NONE, &entry, 1);
  }
  touch();
}

void Session::reset_stream(std::int32_t id, std::uint32_t code) noexcept {
  nghttp2_submit_rst_stream(nghttp2_, NGHTTP2_FLAG_NONE, id, code);
  touch();
}

bool Session::submit_trailers(std::int32_t id, const http::Fields& trailers) {
  FieldList list;
  if (!list.add_all(trailers) || list.size() == 0) return false;
  return nghttp2_submit_trailer(nghttp2_, id, list.data(), list.size()) == 0;
}

std::uint32_t Session::peer_max_streams() const {
  return nghttp2_session_get_remote_settings(nghttp2_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void Session::watch_orphan(TimePoint deadline) noexcept { orphan_timer_.arm_at_latest(deadline); }

// Streams whose exchange is gone have no relay with a timer of its own.
void Session::check_orphans() noexcept {
  const TimePoint now = context_.loop.now();
  for (StreamCore& core : streams_) {
    if (!core.orphan() || core.is_closed() || core.reset_by_us()) continue;
    if (core.deadline() > now)
      watch_orphan(core.deadline());
    else
      core.cut_orphan();
  }
}

void Session::remember_closed(std::int32_t id, bool by_us) noexcept {
  ClosedStream& slot = closed_ring_[closed_count_++ % closed_ring_.size()];
  forgotten_id_ = std::max(forgotten_id_, slot.id);
  slot = ClosedStream{id, by_us};
}

// Our reset and the peer's crossed: it has no excuse for later frames either.
void Session::closed_by_peer(std::int32_t id) noexcept {
  for (ClosedStream& closed : closed_ring_)
    if (closed.id == id) closed.by_us = false;
}

bool Session::recently_closed(std::int32_t id) const noexcept {
  return std::any_of(closed_ring_.begin(), closed_ring_.end(), [id](const ClosedStream& c) { return c.id == id; });
}

std::uint32_t Session::judge_late_frame(std::int32_t id) const noexcept {
  if (client_ || id == 0 || id > highest_id_ || id <= forgotten_id_) return kNoError;
  for (const ClosedStream& closed : closed_ring_)
    if (closed.id == id) return closed.by_us ? kNoError : kStreamClosed;
  // Not closed and not open: never opened, and passed over by a higher one.
  return nghttp2_session_find_stream(nghttp2_, id) == nullptr ? kProtocolError : kNoError;
}

}  // namespace tunnel::h2
