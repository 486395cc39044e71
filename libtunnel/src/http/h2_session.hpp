// SPDX-License-Identifier: Apache-2.0
// Session: one HTTP/2 connection (RFC 9113) between a transport Stream and nghttp2, the same for both roles. It reads,
// lets nghttp2 parse, keeps the streams, and writes what nghttp2 has to say: once a turn of the loop, in one gathered
// write, never holding much more than kOutputMark. nghttp2's callbacks (h2_callbacks.cpp) only record.
//
// The connection ends in one of three ways: in order (GOAWAY(NO_ERROR) or both sides done: the transport's write side
// is shut down and the peer's end awaited for linger_time), by a fault of the peer (GOAWAY with its code, then the
// transport is aborted), or at once (abort(), a dead transport).
#pragma once
#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string_view>
#include <vector>

#include "base/context.hpp"
#include "http/exchange.hpp"
#include "http/h2_frames.hpp"
#include "http/h2_guard.hpp"
#include "http/h2_stream.hpp"
#include "stream/pipe.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::h2 {

class Session {
 public:
  // Of output held; beyond it nghttp2 is not asked for more.
  static constexpr std::size_t kOutputMark = 262144;
  // A DATA frame of ours or the peer's.
  static constexpr std::size_t kLargestFrameBytes = 1048576;

  // What server and client do differently. Called between reads and writes, never from inside nghttp2.
  class Role {
   public:
    virtual void request_arrived(StreamCore& core) = 0;
    virtual void frames_received() noexcept = 0;  // some came, of any kind
    virtual void ping_acked() noexcept = 0;
    virtual void changed() noexcept = 0;  // a stream is gone, settings came, the peer is going away, the session ended

   protected:
    ~Role() = default;
  };

  // A stream's window grows to at most `largest_window`. `server`: of a server, its options.
  Session(const Context& context, Stream& transport, Role& role, std::uint32_t largest_window,
          const http::ServerOptions* server = nullptr);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  Task<void> drive();
  void abort(const Error& reason) noexcept;
  // The peer does not answer: fails what may be asked for elsewhere, as safe to repeat. That is a tunnel that was not
  // answered yet, and a request safe to repeat of which the peer has given no sign. False if no other stream is left.
  bool give_up_unanswered(const Error& reason) noexcept;
  // A stream that has not failed.
  bool has_living_streams() const noexcept;
  // Ends in order: GOAWAY with the last stream seen, no waiting for streams.
  void close() noexcept;
  // The first and the second GOAWAY of a graceful end, and a PING to tell when the first has been read.
  void announce_goaway() noexcept;
  void ping() noexcept;
  // GOAWAY with `code`; every stream fails.
  void fail_connection(std::uint32_t code, const Error& reason) noexcept;

  const Context& context() const { return context_; }
  bool open() const { return phase_ == Phase::open; }
  bool peer_is_going_away() const { return goaway_received_; }
  const Error& error() const { return error_; }
  nghttp2_session* raw() const { return nghttp2_; }
  std::size_t streams() const { return streams_.size(); }
  std::size_t open_streams() const { return open_streams_; }
  std::uint32_t peer_max_streams() const;
  std::int32_t largest_window() const { return largest_window_; }
  TimePoint last_received() const { return last_received_; }
  bool receives_a_head() const { return frames_.inside_head(); }

  // For streams.
  StreamCore& add_stream();
  void erase(StreamCore& core) noexcept;
  void touch() noexcept { dirty_.set(); }
  void resume(std::int32_t id) noexcept;
  void consume_stream(std::int32_t id, std::size_t bytes) noexcept;
  void set_stream_window(std::int32_t id, std::int32_t bytes) noexcept;
  void reset_stream(std::int32_t id, std::uint32_t code) noexcept;
  bool submit_trailers(std::int32_t id, const http::Fields& trailers);
  void watch_orphan(TimePoint deadline) noexcept;
  void note_reset() noexcept { resets_noted_ = true; }
  void flush_waits(int change) noexcept { flush_waits_ += change; }
  // Bytes of output so far, and those of them that have left.
  std::uint64_t queued() const { return written_ + output_.size() + piped_left_ + behind_.size(); }
  std::uint64_t written() const { return written_; }
  // Whether bytes of tunnels pass the transport through pipes, and how many it likes in one: it is a socket, and the
  // peer takes frames worth it, in no time; 0: none.
  bool may_splice_in() const { return transport_.can_fill(); }
  std::size_t pipe_frame_bytes() const;
  bool pipes_a_payload() const { return piped_left_ > 0; }

 private:
  friend struct Callbacks;
  enum class Phase : std::uint8_t { open, closing, over };

  void start();
  Task<void> read_loop();
  Task<void> write_loop();
  void feed();
  void fed();
  std::size_t splice_in();
  std::size_t splice_into(StreamCore& core, bool fresh);
  void feed_piped(StreamCore& core, std::size_t bytes);
  bool is_for_a_pipe() const noexcept;
  std::size_t most_to_read() const;
  std::size_t frame_bytes() const;
  bool judge_frame() noexcept;
  void act();
  void start_requests();
  // A client of ours that floods us is over a limit; a proxy of ours that does breaks the protocol (502, not 503).
  Error::Kind flood_kind() const { return client_ ? Error::Kind::protocol : Error::Kind::limit; }
  void received_fatal(ssize_t code) noexcept;
  void remember_closed(std::int32_t id, bool by_us) noexcept;
  void closed_by_peer(std::int32_t id) noexcept;
  // For a frame on a stream nghttp2 has closed: the code of the connection error it deserves, or kNoError.
  std::uint32_t judge_late_frame(std::int32_t id) const noexcept;
  bool recently_closed(std::int32_t id) const noexcept;
  void verdict(Guard::Verdict verdict) noexcept {
    if (verdict_ == Guard::Verdict::fine) verdict_ = verdict;
  }
  void pull();
  bool has_output() const { return !output_.empty() || piped_left_ > 0; }
  Io write_some();
  void pipe_out(StreamCore& core, std::size_t bytes) noexcept;
  void frame_piped() noexcept;
  void append_settings(std::string_view frame);
  void begin_close(const Error& reason) noexcept;
  void transport_failed(const Error& reason) noexcept;
  void end_if_done() noexcept;
  void kill_streams(const Error& reason) noexcept;
  // The connection seems to have been dead already when the request, which may be made again, was put on it: it had
  // answered before, and has not since.
  bool met_silence(const StreamCore& core) const noexcept;
  void tell_resets() noexcept;
  void check_orphans() noexcept;
  void close_timer_fired() noexcept;
  void settings_timer_fired() noexcept;
  void head_timer_fired() noexcept;
  void stall_timer_fired() noexcept;

  Context context_;
  Stream& transport_;
  Role& role_;
  const bool client_;
  const std::int32_t largest_window_;
  const std::size_t most_streams_;  // a client may have open
  const bool refuses_over_memory_;
  nghttp2_session* nghttp2_ = nullptr;
  Guard guard_;
  FrameReader frames_;
  std::list<StreamCore> streams_;
  std::vector<StreamCore*> arrived_;  // requests whose head is complete
  Buffer input_;
  const char* piece_ = nullptr;  // the part of input_ nghttp2 reads, and how much of it is consumed already
  std::size_t eaten_ = 0;
  std::size_t piped_ = 0;  // bytes in a pipe that nghttp2 is being told of
  bool spliced_ = false;   // a part of the frame's payload came through a pipe
  bool aligned_ = false;   // the last frame could have come through a pipe: reads end where frames do
  // Output leaves in this order: bytes that are here, piped_left_ of what is in a stream's pipe (a DATA frame whose
  // header is in output_), what nghttp2 said behind it.
  Buffer output_;
  Pipe piping_;
  StreamCore* piping_core_ = nullptr;  // gets back what is left of the pipe; nullptr: it is gone
  std::size_t piped_left_ = 0;
  TimePoint pipe_frame_began_{};
  TimePoint no_pipes_before_{};
  std::size_t pipe_frame_most_ = 262144;
  Buffer behind_;
  std::uint64_t written_ = 0;
  PendingFrames pending_;
  std::size_t open_streams_ = 0;  // nghttp2 has not closed
  std::size_t dropped_ = 0;       // read while closing
  Notify dirty_;
  Error error_;
  Timer settings_timer_;
  Timer head_timer_;
  Timer stall_timer_;
  Timer close_timer_;
  Timer orphan_timer_;
  TimePoint last_received_;
  int flush_waits_ = 0;
  Phase phase_ = Phase::open;
  Guard::Verdict verdict_ = Guard::Verdict::fine;
  std::uint32_t fault_ = 0;      // of the GOAWAY nghttp2 sent
  std::uint32_t violation_ = 0;  // a connection error we found ourselves
  // The last streams that were closed, and by whom: what the peer may still send on them depends on it.
  struct ClosedStream {
    std::int32_t id = 0;
    bool by_us = false;
  };
  std::array<ClosedStream, 64> closed_ring_{};
  std::size_t closed_count_ = 0;
  std::int32_t highest_id_ = 0;     // opened by the peer
  std::int32_t forgotten_id_ = 0;   // the highest that fell out of the ring
  std::int32_t peer_reset_id_ = 0;  // the last stream the peer reset
  bool goaway_received_ = false;
  bool heard_ = false;
  bool ping_acked_ = false;
  bool changed_ = false;
  bool resets_noted_ = false;
  bool settings_sent_ = false;
  bool write_done_ = false;
  bool large_frames_ = false;  // offered
  bool inside_ = false;        // nghttp2, whose callbacks only record
};

// What nghttp2 asks for the bytes of a body.
nghttp2_data_provider data_provider(StreamCore& core);
// With the options and callbacks all sessions share.
nghttp2_session* make_nghttp2(Session& session, bool client);

}  // namespace tunnel::h2
