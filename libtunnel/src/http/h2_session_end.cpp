// SPDX-License-Identifier: Apache-2.0
// How an HTTP/2 connection ends, and the timers that end it.
#include <algorithm>
#include <utility>

#include "http/h2_session.hpp"

namespace tunnel::h2 {

void Session::begin_close(const Error& reason) noexcept {
  if (phase_ != Phase::open) return;
  phase_ = Phase::closing;
  if (!error_) error_ = reason;
  settings_timer_.disarm();
  head_timer_.disarm();
  close_timer_.arm_after(context_.limits.linger_time);
  if (reason) kill_streams(reason);
  role_.changed();
  touch();
}

void Session::fail_connection(std::uint32_t code, const Error& reason) noexcept {
  if (phase_ != Phase::open) return;
  nghttp2_session_terminate_session(nghttp2_, code);
  begin_close(reason);
}

void Session::close() noexcept {
  if (phase_ != Phase::open) return;
  nghttp2_submit_goaway(nghttp2_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(nghttp2_), kNoError,
                        nullptr, 0);
  begin_close(Error());
}

void Session::announce_goaway() noexcept {
  nghttp2_submit_shutdown_notice(nghttp2_);
  ping();
}

void Session::ping() noexcept {
  nghttp2_submit_ping(nghttp2_, NGHTTP2_FLAG_NONE, nullptr);
  touch();
}

void Session::abort(const Error& reason) noexcept { transport_failed(reason); }

bool Session::give_up_unanswered(const Error& reason) noexcept {
  Error safe = reason;
  safe.retry_safe = true;
  for (StreamCore& core : streams_) {
    if (core.failed() || core.final_head) continue;
    if (core.asks_tunnel || met_silence(core)) core.reject(safe, kCancel);
  }
  tell_resets();
  touch();
  return has_living_streams();
}

bool Session::met_silence(const StreamCore& core) const noexcept {
  return heard_ && (core.asks_tunnel || core.repeatable) && core.last_progress() >= last_received_;
}

bool Session::has_living_streams() const noexcept {
  return std::any_of(streams_.begin(), streams_.end(), [](const StreamCore& core) { return !core.failed(); });
}

void Session::transport_failed(const Error& reason) noexcept {
  if (phase_ == Phase::over) return;
  phase_ = Phase::over;
  if (!error_) error_ = reason ? reason : Error(Error::Kind::closed);
  stall_timer_.disarm();
  close_timer_.disarm();
  piping_.close();
  transport_.abort(error_);
  kill_streams(error_);
  role_.changed();
  touch();
}

// Both sides have said GOAWAY, or one has and no stream is left, or nghttp2 found the peer at fault and told it so.
void Session::end_if_done() noexcept {
  if (phase_ != Phase::open || has_output()) return;
  if (nghttp2_session_want_read(nghttp2_) != 0 || nghttp2_session_want_write(nghttp2_) != 0) return;
  Error reason;
  if (fault_ != kNoError) {
    reason = Error(Error::Kind::protocol, "the peer broke HTTP/2");
    reason.reset_code = fault_;
  }
  begin_close(reason);
}

void Session::kill_streams(const Error& reason) noexcept {
  for (auto next = streams_.begin(); next != streams_.end();) {
    StreamCore& core = *next++;
    if (core.is_closed()) continue;
    Error why = reason;
    why.retry_safe = client_ && !core.final_head && (core.head_position() >= written_ || met_silence(core));
    core.fail(why);
    core.closed(kNoError);
    --open_streams_;
    if (core.unowned()) erase(core);
  }
  tell_resets();
}

void Session::tell_resets() noexcept {
  if (!std::exchange(resets_noted_, false)) return;
  for (StreamCore& core : streams_) core.tell_reset();
}

void Session::close_timer_fired() noexcept {
  context_.counters.add(Counter::linger_cut);
  transport_failed(error_ ? error_ : Error(Error::Kind::timeout, "the peer does not close"));
}

void Session::settings_timer_fired() noexcept {
  context_.counters.add(Counter::h2_settings_timeouts);
  fail_connection(kSettingsTimeout, Error(Error::Kind::timeout, "SETTINGS were not acknowledged"));
}

void Session::head_timer_fired() noexcept {
  context_.counters.add(Counter::head_timeouts);
  fail_connection(kEnhanceYourCalm, Error(Error::Kind::timeout, "a head took too long"));
}

void Session::stall_timer_fired() noexcept {
  context_.counters.add(Counter::write_timeouts);
  transport_failed(Error(Error::Kind::timeout, "the peer took no bytes for too long"));
}

}  // namespace tunnel::h2
