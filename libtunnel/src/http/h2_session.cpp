// SPDX-License-Identifier: Apache-2.0
#include "http/h2_session.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace tunnel::h2 {
namespace {

constexpr std::size_t kOutputMark = 262144;
constexpr std::size_t kReadBytes = 262144;
constexpr std::size_t kTurnBytes = 262144;
// Frames pulled from nghttp2 while the transport takes none; small ones, or the mark would have stopped it.
constexpr std::size_t kPendingFrames = 5000;
constexpr std::uint32_t kMaxFrameBytes = 262144;
constexpr std::uint32_t kUnlimitedStreams = 0x7fffffff;

}  // namespace

Session::Session(const Context& context, Stream& transport, Role& role, bool client)
    : context_(context),
      transport_(transport),
      role_(role),
      client_(client),
      guard_(context),
      dirty_(context.loop),
      settings_timer_(context.loop, [](void* self) noexcept { static_cast<Session*>(self)->settings_timer_fired(); }, this),
      head_timer_(context.loop, [](void* self) noexcept { static_cast<Session*>(self)->head_timer_fired(); }, this),
      stall_timer_(context.loop, [](void* self) noexcept { static_cast<Session*>(self)->stall_timer_fired(); }, this),
      close_timer_(context.loop, [](void* self) noexcept { static_cast<Session*>(self)->close_timer_fired(); }, this),
      orphan_timer_(context.loop, [](void* self) noexcept { static_cast<Session*>(self)->check_orphans(); }, this),
      last_received_(context.loop.now()) {
  nghttp2_ = make_nghttp2(*this, client);
}

Session::~Session() { nghttp2_session_del(nghttp2_); }

void Session::start() {
  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, context_.limits.h2_stream_window_start},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrameBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(context_.limits.head_bytes)},
  };
  if (client_) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  // nghttp2 would answer one stream too many with GOAWAY; it is told of no limit and append_settings() writes ours.
  settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, client_ ? 0 : kUnlimitedStreams});
  nghttp2_submit_settings(nghttp2_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(nghttp2_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(context_.limits.h2_connection_window));
  settings_timer_.arm_after(context_.limits.settings_time);
  touch();
}

Task<void> Session::drive() {
  if (phase_ == Phase::open) start();
  touch();
  Task<void> reading = read_loop();
  Task<void> writing = write_loop();
  co_await join(reading, writing);
  const bool in_order = phase_ == Phase::closing && !error_;
  phase_ = Phase::over;
  for (Timer* timer : {&settings_timer_, &head_timer_, &stall_timer_, &close_timer_, &orphan_timer_}) timer->disarm();
  if (!in_order) transport_.abort(error_);
  kill_streams(error_ ? error_ : Error(Error::Kind::closed, "the connection has ended"));
  role_.changed();
}

// --- Reading

Task<void> Session::read_loop() {
  std::size_t turn_bytes = 0;
  for (;;) {
    const Io io = transport_.try_read(input_, kReadBytes);
    if (io.state == Io::State::would_block) {
      turn_bytes = 0;
      co_await Readable(transport_);
      continue;
    }
    if (io.state == Io::State::failed) {
      transport_failed(transport_.error());
      break;
    }
    if (io.state == Io::State::ended) {
      begin_close(streams_.empty() ? Error() : Error(Error::Kind::closed, "the peer closed the connection"));
      break;
    }
    if (phase_ == Phase::open) {
      last_received_ = context_.loop.now();
      feed();
    } else {
      dropped_ += input_.size();
      input_.clear();
      // A peer at fault that goes on sending is not worth the rest of linger_time.
      if (error_ && write_done_ && dropped_ > context_.limits.linger_bytes) transport_failed(error_);
    }
    turn_bytes += io.bytes;
    if (turn_bytes >= kTurnBytes) {
      turn_bytes = 0;
      co_await yield(context_.loop);
    }
  }
  input_.clear();
}

void Session::feed() {
  while (!input_.empty() && phase_ == Phase::open) {
    const std::string_view piece = input_.front();
    piece_ = piece.data();
    eaten_ = 0;
    inside_ = true;
    const ssize_t n =
        nghttp2_session_mem_recv(nghttp2_, reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size());
    inside_ = false;
    if (n <= 0) {
      received_fatal(n);
      break;
    }
    input_.consume(static_cast<std::size_t>(n) - eaten_);
    act();
  }
  if (phase_ != Phase::open) return;
  const std::size_t waiting = nghttp2_session_get_outbound_queue_size(nghttp2_);
  verdict(guard_.outbound(pending_control_ + waiting, pending_frames_ + waiting));
  act();
  if (in_head_ && !head_timer_.armed()) head_timer_.arm_after(context_.limits.head_time);
  if (!in_head_) head_timer_.disarm();
  role_.frames_received();
  end_if_done();
  touch();
}

// What the callbacks recorded.
void Session::act() {
  if (verdict_ != Guard::Verdict::fine) {
    fail_connection(kEnhanceYourCalm, Error(Error::Kind::limit, Guard::text(verdict_)));
  } else if (violation_ != kNoError) {
    fail_connection(violation_, Error(Error::Kind::protocol, "a frame on a closed stream"));
  }
  std::vector<StreamCore*> arrived;
  arrived.swap(arrived_);
  if (phase_ == Phase::open)
    for (StreamCore* core : arrived) role_.request_arrived(*core);
  if (std::exchange(ping_acked_, false)) role_.ping_acked();
  if (std::exchange(changed_, false)) role_.changed();
  tell_resets();
}

// nghttp2_session_mem_recv() gave up.
void Session::received_fatal(ssize_t code) noexcept {
  input_.clear();
  switch (code) {
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_SETTINGS:
      context_.counters.add(Counter::h2_floods);
      fail_connection(kEnhanceYourCalm, Error(Error::Kind::limit, "too many control frames"));
      break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
      context_.counters.add(Counter::h2_continuations);
      fail_connection(kEnhanceYourCalm, Error(Error::Kind::limit, Guard::text(Guard::Verdict::continuations)));
      break;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
    case NGHTTP2_ERR_SETTINGS_EXPECTED:
      fail_connection(kProtocolError, Error(Error::Kind::protocol, "no HTTP/2 preface"));
      break;
    case NGHTTP2_ERR_NOMEM:
      fail_connection(kInternalError, Error(Error::Kind::internal, "out of memory"));
      break;
    default:
      act();  // a callback stopped it, and recorded why
      fail_connection(kInternalError, Error(Error::Kind::internal, "HTTP/2 input was not taken"));
      break;
  }
}

// --- Writing

Task<void> Session::write_loop() {
  std::size_t turn_bytes = 0;
  while (phase_ != Phase::over) {
    co_await dirty_.wait();
    // Whatever else is ready now may have something to add to this flush.
    co_await yield(context_.loop);
    for (;;) {
      pull();
      if (phase_ == Phase::over || output_.empty()) break;
      const Io io = transport_.try_write(output_, More::no);
      if (io.state == Io::State::failed) {
        transport_failed(transport_.error());
        break;
      }
      if (io.state == Io::State::would_block) {
        if (!stall_timer_.armed()) stall_timer_.arm_after(context_.limits.write_time);
        co_await Writable(transport_);
        continue;
      }
      written_ += io.bytes;
      stall_timer_.disarm();
      if (output_.empty()) pending_frames_ = pending_control_ = 0;
      if (flush_waits_ > 0)
        for (StreamCore& core : streams_) core.check_flushed();
      turn_bytes += io.bytes;
      if (turn_bytes >= kTurnBytes) {
        turn_bytes = 0;
        co_await yield(context_.loop);
      }
    }
    end_if_done();
    if (phase_ == Phase::closing) {
      Result<void> finished = co_await transport_.shutdown_write();
      write_done_ = true;
      if (!finished.ok()) transport_failed(finished.error());
      break;
    }
  }
}

void Session::pull() {
  while (phase_ != Phase::over && output_.size() < kOutputMark && pending_frames_ < kPendingFrames) {
    const std::uint8_t* data = nullptr;
    inside_ = true;
    const ssize_t n = nghttp2_session_mem_send(nghttp2_, &data);
    inside_ = false;
    if (n < 0) {
      transport_failed(Error(Error::Kind::internal, "HTTP/2 output failed"));
      break;
    }
    if (n == 0) break;
    const std::string_view frame(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
    if (!settings_sent_ && frame.size() > 9 && frame[3] == NGHTTP2_SETTINGS)
      append_settings(frame);
    else
      output_.append(frame);
  }
  if (std::exchange(changed_, false)) role_.changed();
  if (verdict_ != Guard::Verdict::fine && phase_ == Phase::open) act();
  tell_resets();
}

void Session::append_settings(std::string_view frame) {
  settings_sent_ = true;
  std::string bytes(frame);
  for (std::size_t at = 9; !client_ && at + 6 <= bytes.size(); at += 6) {
    if (bytes[at] != 0 || bytes[at + 1] != NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) continue;
    const auto streams = static_cast<std::uint32_t>(context_.limits.h2_server_streams);
    for (unsigned i = 0; i < 4; ++i) bytes[at + 2 + i] = static_cast<char>(streams >> (24 - 8 * i));
  }
  output_.append(bytes);
}

// --- Ending

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

void Session::abort_unanswered(const Error& reason) noexcept {
  Error safe = reason;
  safe.retry_safe = true;
  for (StreamCore& core : streams_)
    if (core.connect && !core.final_head) core.fail(safe);
  transport_failed(reason);
}

void Session::transport_failed(const Error& reason) noexcept {
  if (phase_ == Phase::over) return;
  phase_ = Phase::over;
  if (!error_) error_ = reason ? reason : Error(Error::Kind::closed);
  stall_timer_.disarm();
  close_timer_.disarm();
  transport_.abort(error_);
  kill_streams(error_);
  role_.changed();
  touch();
}

// Both sides have said GOAWAY, or one has and no stream is left, or nghttp2 found the peer at fault and told it so.
void Session::end_if_done() noexcept {
  if (phase_ != Phase::open || !output_.empty()) return;
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
    why.retry_safe = client_ && core.head_position() >= written_ && !core.final_head;
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

// --- Streams

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
  if (!core.is_closed()) {
    --open_streams_;
    if (core.id() != 0) nghttp2_session_set_stream_user_data(nghttp2_, core.id(), nullptr);
  }
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

void Session::watch_orphan(TimePoint since) noexcept { orphan_timer_.arm_at_latest(since + context_.limits.write_time); }

// Streams whose exchange is gone have no relay with a timer of its own.
void Session::check_orphans() noexcept {
  const TimePoint now = context_.loop.now();
  for (StreamCore& core : streams_) {
    if (!core.orphan() || core.is_closed() || core.reset_by_us()) continue;
    if (core.last_progress() + context_.limits.write_time > now) {
      watch_orphan(core.last_progress());
      continue;
    }
    context_.counters.add(Counter::write_timeouts);
    core.cut_orphan();
  }
}

void Session::remember_closed(std::int32_t id, bool by_us) noexcept {
  ClosedStream& slot = closed_ring_[closed_count_++ % closed_ring_.size()];
  forgotten_id_ = std::max(forgotten_id_, slot.id);
  slot = ClosedStream{id, by_us};
}

bool Session::recently_closed(std::int32_t id) const noexcept {
  return std::any_of(closed_ring_.begin(), closed_ring_.end(), [id](const ClosedStream& c) { return c.id == id; });
}

std::uint32_t Session::judge_late_frame(std::int32_t id, bool headers) const noexcept {
  if (client_ || id == 0 || id > highest_id_ || id <= forgotten_id_) return kNoError;
  for (const ClosedStream& closed : closed_ring_)
    if (closed.id == id) return closed.by_us ? kNoError : kStreamClosed;
  // Never opened, and passed over by a higher one.
  const bool known = nghttp2_session_find_stream(nghttp2_, id) != nullptr;
  return headers && !known ? kProtocolError : kNoError;
}

}  // namespace tunnel::h2
