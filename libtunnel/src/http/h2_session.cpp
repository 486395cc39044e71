// SPDX-License-Identifier: Apache-2.0
#include "http/h2_session.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/turn.hpp"

namespace tunnel::h2 {
namespace {

// Frames pulled from nghttp2 while the transport takes none; small ones, or the mark would have stopped it.
constexpr std::size_t kPendingFrames = 5000;
constexpr std::uint32_t kUnlimitedStreams = 0x7fffffff;

}  // namespace

Session::Session(const Context& context, Stream& transport, Role& role, std::uint32_t largest_window,
                 const http::ServerOptions* server)
    : context_(context),
      transport_(transport),
      role_(role),
      client_(server == nullptr),
      largest_window_(static_cast<std::int32_t>(largest_window)),
      most_streams_(server != nullptr && server->streams > 0 ? server->streams : context.limits.h2_server_streams),
      refuses_over_memory_(server != nullptr && server->refuses_over_memory),
      guard_(context),
      frames_(client_ ? 0 : NGHTTP2_CLIENT_MAGIC_LEN),
      dirty_(context.loop),
      settings_timer_(
          context.loop, [](void* self) noexcept { static_cast<Session*>(self)->settings_timer_fired(); }, this),
      head_timer_(
          context.loop, [](void* self) noexcept { static_cast<Session*>(self)->head_timer_fired(); }, this),
      stall_timer_(
          context.loop, [](void* self) noexcept { static_cast<Session*>(self)->stall_timer_fired(); }, this),
      close_timer_(
          context.loop, [](void* self) noexcept { static_cast<Session*>(self)->close_timer_fired(); }, this),
      orphan_timer_(
          context.loop, [](void* self) noexcept { static_cast<Session*>(self)->check_orphans(); }, this),
      last_received_(context.loop.now()) {
  nghttp2_ = make_nghttp2(*this, client_);
}

Session::~Session() { nghttp2_session_del(nghttp2_); }

void Session::start() {
  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, context_.limits.h2_stream_window_start},
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
  Turn turn;
  for (;;) {
    if (const std::size_t spliced = splice_in(); spliced > 0) {
      if (turn.over(spliced)) co_await yield(context_.loop);
      continue;
    }
    const Io io = transport_.try_read(input_, most_to_read());
    if (io.state == Io::State::would_block) {
      turn.restart();
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
      heard_ = true;
      feed();
    } else {
      dropped_ += input_.size();
      input_.clear();
      // A peer at fault that goes on sending is not worth the rest of linger_time.
      if (error_ && write_done_ && dropped_ > context_.limits.linger_bytes) transport_failed(error_);
    }
    if (turn.over(io.bytes)) co_await yield(context_.loop);
  }
  input_.clear();
}

void Session::feed() {
  while (!input_.empty() && phase_ == Phase::open) {
    std::string_view piece = input_.front();
    const FrameReader::Step step = frames_.step(piece);
    if (step.new_frame) {
      if (!judge_frame()) break;
      aligned_ = is_for_a_pipe();
      spliced_ = false;
    }
    piece = piece.substr(0, step.bytes);
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
  fed();
}

// nghttp2 has seen all there was.
void Session::fed() {
  if (phase_ != Phase::open) return;
  const std::size_t waiting = nghttp2_session_get_outbound_queue_size(nghttp2_);
  verdict(guard_.outbound(pending_.control() + waiting, pending_.frames() + waiting));
  act();
  start_requests();
  if (phase_ != Phase::open) return;
  if (!frames_.inside_head())
    head_timer_.disarm();
  else if (!head_timer_.armed())
    head_timer_.arm_after(context_.limits.head_time);
  role_.frames_received();
  end_if_done();
  touch();
}

// False: the connection ends here.
bool Session::judge_frame() noexcept {
  verdict(guard_.frame(frames_.type(), frames_.length(), frames_.ends_stream()));
  const bool headers = frames_.type() == FrameType::headers;
  if (frames_.is_empty_window_update())
    violation_ = kProtocolError;
  else if (headers || frames_.type() == FrameType::data)
    violation_ = judge_late_frame(frames_.stream_id());
  else if (frames_.type() == FrameType::rst_stream)
    closed_by_peer(frames_.stream_id());
  if (verdict_ == Guard::Verdict::fine && violation_ == kNoError) return true;
  act();
  return false;
}

// What the callbacks recorded.
void Session::act() {
  if (verdict_ != Guard::Verdict::fine) {
    fail_connection(kEnhanceYourCalm, Error(flood_kind(), Guard::text(verdict_)));
  } else if (violation_ != kNoError) {
    fail_connection(violation_, Error(Error::Kind::protocol, "a frame that must not come"));
  }
  if (std::exchange(ping_acked_, false)) role_.ping_acked();
  if (std::exchange(changed_, false)) role_.changed();
  tell_resets();
}

// Not before all that was read has been looked at: a request that its peer reset behind it has no handler and opens no
// socket (CVE-2023-44487).
void Session::start_requests() {
  // One by one: a handler that runs at once may end the connection, and with it the streams that wait here.
  while (phase_ == Phase::open && !arrived_.empty()) {
    StreamCore& core = *arrived_.front();
    arrived_.erase(arrived_.begin());
    role_.request_arrived(core);
  }
}

// nghttp2_session_mem_recv() gave up.
void Session::received_fatal(ssize_t code) noexcept {
  input_.clear();
  switch (code) {
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_SETTINGS:
      context_.counters.add(Counter::h2_floods);
      fail_connection(kEnhanceYourCalm, Error(flood_kind(), "too many control frames"));
      break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
      context_.counters.add(Counter::h2_continuations);
      fail_connection(kEnhanceYourCalm, Error(flood_kind(), Guard::text(Guard::Verdict::continuations)));
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
  while (phase_ != Phase::over) {
    co_await dirty_.wait();
    // Whatever else is ready now may have something to add to this flush.
    co_await yield(context_.loop);
    for (Turn turn;;) {
      pull();
      if (phase_ == Phase::over || !has_output()) break;
      const Io io = write_some();
      if (io.state == Io::State::failed) {
        transport_failed(transport_.error());
        break;
      }
      if (io.state == Io::State::would_block) {
        if (!stall_timer_.armed()) stall_timer_.arm_after(context_.limits.write_time);
        turn.restart();
        co_await Writable(transport_);
        continue;
      }
      stall_timer_.disarm();
      if (close_timer_.armed() && !error_)
        close_timer_.arm_after(context_.limits.linger_time);  // counts from the last byte
      pending_.written(written_, queued());
      if (flush_waits_ > 0)
        for (StreamCore& core : streams_) core.check_flushed();
      if (turn.over(io.bytes)) co_await yield(context_.loop);
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
  while (phase_ != Phase::over && piped_left_ == 0 && output_.size() < kOutputMark &&
         pending_.frames() < kPendingFrames) {
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
      (piped_left_ > 0 ? behind_ : output_).append(frame);
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
    const auto streams = static_cast<std::uint32_t>(most_streams_);
    for (unsigned i = 0; i < 4; ++i) bytes[at + 2 + i] = static_cast<char>(streams >> (24 - 8 * i));
  }
  output_.append(bytes);
}

}  // namespace tunnel::h2
