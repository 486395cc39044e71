// SPDX-License-Identifier: Apache-2.0
// StreamCore: one HTTP/2 stream: its queues and the closing table, the same as server and as client. Owned by the
// Session, which keeps it until nghttp2 has closed the stream *and* the exchange object on top is gone: bytes accepted
// before a close still leave. Not a tunnel::Stream itself: http/h2_exchange.hpp puts that on top.
//
// How frames map to the table:
//   DATA with END_STREAM: the read side ends behind the queue; nothing else.
//   RST_STREAM: the read side is reset behind the queue, writing refused, the observer told.
//   RST_STREAM(NO_ERROR) after END_STREAM, or any after a whole response (RFC 9113 section 8.1): writing is refused,
//   nothing else.
//   The connection dies: like RST_STREAM; a whole response that was received stays readable.
#pragma once
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>

#include "http/h2_fields.hpp"
#include "http/message.hpp"
#include "stream/flush_wait.hpp"
#include "stream/pipe.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::h2 {

class Session;

// HTTP/2 error codes (RFC 9113 section 7) that are chosen here.
enum Code : std::uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kFlowControlError = 3,
  kSettingsTimeout = 4,
  kStreamClosed = 5,
  kFrameSizeError = 6,
  kRefusedStream = 7,
  kCancel = 8,
  kConnectError = 10,
  kEnhanceYourCalm = 11,
};

// The exchange object of a stream.
class StreamOwner {
 public:
  virtual void sides_changed(ReadSide read, WriteSide write, const Error& error) noexcept = 0;
  virtual void tell_reset() noexcept = 0;

 protected:
  ~StreamOwner() = default;
};

class StreamCore {
 public:
  // Capacity of bytes waiting to be sent; a writer waits beyond it and goes on at half of it.
  static constexpr std::size_t kSendMark = 262144;

  StreamCore(Session& session, bool client);
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;
  ~StreamCore();

  // For the exchange object.
  void own(StreamOwner* owner) { owner_ = owner; }
  void disown() noexcept;  // may destroy this
  Io read(Buffer& into, std::size_t max);
  void on_readable(Slot& slot);
  void interrupt_read() noexcept { wake(read_slot_); }
  Io write(Buffer& from);
  void on_writable(Slot& slot);
  // Through pipes, see Stream::try_fill(): the two queues of a tunnel may end in some.
  bool can_fill() const;
  Io fill(Pipe& pipe, std::size_t max);
  std::size_t drain_bytes() const;
  Io drain(Pipe& pipe, std::size_t max);
  Result<void> finish(const http::Fields* trailers);
  Task<Result<void>> flush(TimePoint deadline);
  void abort(const Error& reason) noexcept;
  const Error& error() const { return error_; }
  bool failed() const { return failed_ || aborted_; }
  bool aborted() const { return aborted_; }
  bool tunnel() const { return tunnel_; }
  std::int32_t id() const { return id_; }
  // Before a head goes out: what will be written behind it. False for Body::none(), where END_STREAM goes with it.
  bool expect_body(http::Body body, bool discard);
  void head_submitted(std::int32_t id);
  // Bytes may leave (and arrive in growing windows) from now on: the tunnel stands.
  void open_tunnel();
  // The peer refused the tunnel: what waited for it is dropped.
  void refuse_tunnel() noexcept;
  const http::Fields& trailers() const;

  // Client: heads that came; waits in head_slot.
  std::deque<http::ResponseHead> heads;
  Slot* head_slot = nullptr;
  bool final_head = false;  // client: it came; server: it was submitted
  http::Body received_body;
  bool connect = false;       // a CONNECT request
  bool asks_tunnel = false;   // client: CONNECT, or a POST that is to become one
  bool head_request = false;  // a HEAD request
  bool repeatable = false;    // client: the same request may be made once more elsewhere

  // For the session. None of these resumes anybody inline.
  void set_trailers(http::Fields fields) { trailers_in_ = std::make_unique<http::Fields>(std::move(fields)); }
  void data_received(Buffer& input, std::size_t bytes);
  // A pipe for bytes of a DATA frame that is being received, to be filled and then told of by piped(); nullptr if they
  // are to be copied. `fresh`: not the last one.
  Pipe* pipe_for_data(bool fresh);
  void piped(std::size_t bytes) noexcept;
  bool takes_pipes() const { return reader_takes_pipes_ && tunnel_ && !disowned_ && !failed() && !end_received_; }
  bool ends_in_a_pipe() const { return !in_pieces_.empty() && in_pieces_.back().behind.empty(); }
  bool ends_in_a_short_pipe() const;  // there is room in it
  void end_received() noexcept;
  void reset_received(std::uint32_t code) noexcept;
  void closed(std::uint32_t code) noexcept;
  void fail(const Error& reason) noexcept;
  void reject(const Error& reason, std::uint32_t code) noexcept;  // fails it and resets it towards the peer
  void head_sent(std::uint64_t position) { head_position_ = position; }
  void end_sent(std::uint64_t position) noexcept;
  ssize_t data_wanted(std::size_t most, std::uint32_t& flags);
  // Whether the next bytes to send are in a pipe; if so the session takes it and gives back what it did not send.
  bool next_is_piped() const { return out_.empty() && !out_pipe_.empty(); }
  void send_pipe(Pipe& into, std::size_t bytes) noexcept;
  void give_back(Pipe& pipe) noexcept;
  void frame_leaves() noexcept;  // some bytes of it have
  bool send_data(Buffer& output, std::size_t bytes);
  void check_flushed() noexcept;
  void cut_orphan() noexcept;  // past its deadline
  void wake_head() noexcept { wake(head_slot); }
  bool orphan() const { return disowned_; }
  void opened(std::int32_t id) { id_ = id; }
  bool unowned() const { return owner_ == nullptr; }
  bool end_was_received() const { return end_received_; }
  bool is_closed() const { return closed_; }
  bool reset_by_us() const { return reset_by_us_; }
  TimePoint deadline() const;  // of an orphan, without progress
  TimePoint last_progress() const { return last_progress_; }
  std::uint64_t head_position() const { return head_position_; }
  std::size_t queued_bytes() const { return out_.empty() ? out_pipe_.size() : out_.size(); }  // for the next frame
  void tell_reset() noexcept;
  std::unique_ptr<ReceivedHead> receiving;       // between on_begin_headers and the end of the block
  std::unique_ptr<http::RequestHead> request;    // server
  std::optional<ReceivedHead::Refusal> refusal;  // server: why there will be no exchange
  std::list<StreamCore>::iterator self;

 private:
  void wake(Slot*& slot) noexcept;
  void wake_all() noexcept;
  void wake_flush() noexcept;
  void settle() noexcept;
  void sync() noexcept;
  void credit(std::size_t bytes);
  void grow_window(std::int32_t to);
  void reset_stream(std::uint32_t code) noexcept;
  void refuse_writing(const Error& reason) noexcept;
  std::uint32_t code_for(const Error& reason) const;
  bool flushed() const;
  bool may_write() const { return write_ != WriteSide::open || discard_ || (submitted_ && !paused_); }
  bool holds_input() const { return !in_.empty() || !in_pieces_.empty(); }
  std::size_t drop_input() noexcept;
  void drop_output() noexcept;
  void front_pipe_is_empty() noexcept;
  Io write_failed();
  void sent() noexcept;

  Session& session_;
  StreamOwner* owner_ = nullptr;
  Slot* read_slot_ = nullptr;
  Slot* write_slot_ = nullptr;
  FlushWait* flushing_ = nullptr;
  Buffer in_;
  // A pipe and what was copied behind it.
  struct Piece {
    Pipe pipe;
    Buffer behind;
  };
  std::list<Piece> in_pieces_;  // behind in_
  Buffer out_;
  Pipe out_pipe_;  // behind out_
  Error error_;
  std::unique_ptr<http::Fields> trailers_out_;
  std::unique_ptr<http::Fields> trailers_in_;
  std::optional<std::uint64_t> left_to_write_;
  std::uint64_t head_position_ = UINT64_MAX;  // in the session's output; UINT64_MAX: not there yet
  std::uint64_t sent_position_ = 0;           // behind the last byte of ours in it
  TimePoint last_progress_{};
  TimePoint window_since_{};
  std::size_t window_credited_ = 0;
  std::size_t dropped_ = 0;  // received and read by nobody
  std::int32_t window_ = 0;
  std::int32_t id_ = 0;
  ReadSide read_ = ReadSide::open;
  WriteSide write_ = WriteSide::open;
  const bool client_;
  bool submitted_ = false;  // our (final) head is with nghttp2
  bool data_may_leave_ = true;
  bool discard_ = false;  // HEAD and the like: what is written goes nowhere
  bool tunnel_ = false;
  bool deferred_ = false;  // nghttp2 waits for resume_data
  bool paused_ = false;    // writers wait until out_ is at the low mark
  bool out_end_ = false;   // END_STREAM stands behind out_
  bool end_sent_ = false;
  bool end_received_ = false;
  bool aborted_ = false;
  bool failed_ = false;
  bool reset_by_us_ = false;
  bool closed_ = false;    // nghttp2 knows the stream no more
  bool disowned_ = false;  // the exchange object is gone
  bool tell_ = false;
  bool reader_takes_pipes_ = false;
  bool lent_ = false;  // what is left of out_pipe_ comes back from the session
};

}  // namespace tunnel::h2
