// SPDX-License-Identifier: Apache-2.0
// What nghttp2 calls. Nothing here resumes anybody or ends a connection: it is recorded, and Session::act() does it
// once nghttp2 has returned.
#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "base/memory.hpp"
#include "http/h2_session.hpp"

namespace tunnel::h2 {
namespace {

constexpr std::size_t kFrameHeaderBytes = FrameReader::kHeaderBytes;
constexpr std::size_t kInterimHeads = 32;  // unread ones a response may have
constexpr std::uint64_t kOutOfTheWay = 1'000'000'000'000;

Session& session_of(void* user_data) { return *static_cast<Session*>(user_data); }

StreamCore* core_of(nghttp2_session* raw, std::int32_t id) {
  return static_cast<StreamCore*>(nghttp2_session_get_stream_user_data(raw, id));
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t length) {
  return {reinterpret_cast<const char*>(bytes), length};
}

bool ends_stream(const nghttp2_frame& frame) { return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0; }

// Resets the stream with `code` and lets nghttp2 drop the frame it is at, keeping HPACK in step.
int refuse(nghttp2_session* raw, std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(raw, NGHTTP2_FLAG_NONE, id, code);
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

http::Body body_of(const StreamCore& core, const ReceivedHead& head, bool ended) {
  const std::uint16_t status = head.status();
  const bool success = status / 100 == 2;
  if (core.connect && success) return http::Body::tunnel();
  if (core.head_request || status == 204 || status == 304 || ended) return http::Body::none();
  if (head.content_length()) return http::Body::of(*head.content_length());
  return core.asks_tunnel && success ? http::Body::tunnel() : http::Body::unknown();
}

}  // namespace

struct Callbacks {
  static int begin_headers(nghttp2_session* raw, const nghttp2_frame* frame, void* user_data) noexcept {
    Session& session = session_of(user_data);
    const std::int32_t id = frame->hd.stream_id;
    StreamCore* core = core_of(raw, id);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      session.guard_.stream_opened();
      session.highest_id_ = id;
      const std::size_t most = session.most_streams_;
      // Streams nghttp2 has closed may still have their handlers for a moment.
      if (session.open_streams_ >= most || session.streams_.size() >= 2 * most) {
        session.context_.counters.add(Counter::h2_streams_refused);
        return refuse(raw, id, kRefusedStream);
      }
      if (session.refuses_over_memory_ && memory::used_up(session.context_.limits)) {
        session.context_.counters.add(Counter::mem_refused);
        return refuse(raw, id, kRefusedStream);
      }
      core = &session.add_stream();
      core->opened(id);
      nghttp2_session_set_stream_user_data(raw, id, core);
    } else if (core == nullptr) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    } else if (core->connect && (core->tunnel() || !session.client_)) {
      return refuse(raw, id, kProtocolError);  // RFC 9113 section 8.5: DATA only
    }
    core->receiving = std::make_unique<ReceivedHead>(session.context_.limits);
    return 0;
  }

  static int header(nghttp2_session* raw, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_length,
                    const std::uint8_t* value, std::size_t value_length, std::uint8_t /*flags*/,
                    void* /*user_data*/) noexcept {
    StreamCore* core = core_of(raw, frame->hd.stream_id);
    if (core != nullptr && core->receiving)
      core->receiving->add(text_of(name, name_length), text_of(value, value_length));
    return 0;
  }

  static int invalid_header(nghttp2_session* /*raw*/, const nghttp2_frame* /*frame*/, const std::uint8_t* /*name*/,
                            std::size_t /*name_length*/, const std::uint8_t* /*value*/, std::size_t /*value_length*/,
                            std::uint8_t /*flags*/, void* /*user_data*/) noexcept {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // malformed (RFC 9113 section 8.2.1), not just ignored
  }

  static int frame_received(nghttp2_session* raw, const nghttp2_frame* frame, void* user_data) noexcept {
    Session& session = session_of(user_data);
    StreamCore* core = core_of(raw, frame->hd.stream_id);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (core != nullptr && core->receiving) head_received(session, *core, *frame);
        break;
      case NGHTTP2_DATA:
        if (core != nullptr && ends_stream(*frame)) core->end_received();
        break;
      case NGHTTP2_RST_STREAM:
        session.peer_reset_id_ = frame->hd.stream_id;
        if (!session.client_ && (core != nullptr ? !core->final_head : !session.recently_closed(frame->hd.stream_id)))
          session.verdict(session.guard_.reset_before_answer());
        if (core != nullptr) core->reset_received(frame->rst_stream.error_code);
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
          session.settings_timer_.disarm();
        else
          session.changed_ = true;
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) session.ping_acked_ = true;
        break;
      case NGHTTP2_GOAWAY:
        session.goaway_received_ = session.changed_ = true;
        break;
      default:
        break;
    }
    return 0;
  }

  static void head_received(Session& session, StreamCore& core, const nghttp2_frame& frame) {
    const std::unique_ptr<ReceivedHead> head = std::move(core.receiving);
    const bool ended = ends_stream(frame);
    if (head->too_large()) session.context_.counters.add(Counter::heads_too_large);
    if (frame.headers.cat == NGHTTP2_HCAT_REQUEST)
      request_received(session, core, *head, ended);
    else if (session.client_ && !core.final_head)
      response_received(core, *head, ended);
    else if (head->too_large())
      core.reject(Error(Error::Kind::protocol, "trailers too large"), kCancel);
    else
      core.set_trailers(head->take_fields());
    if (ended) core.end_received();
  }

  static void request_received(Session& session, StreamCore& core, ReceivedHead& head, bool ended) {
    core.request = std::make_unique<http::RequestHead>();
    core.refusal = head.take_request(*core.request);
    core.connect = core.request->is_connect();
    core.head_request = core.request->method == "HEAD";
    if (core.connect)
      core.received_body = http::Body::tunnel();
    else if (ended)
      core.received_body = http::Body::none();
    else
      core.received_body = head.content_length() ? http::Body::of(*head.content_length()) : http::Body::unknown();
    session.arrived_.push_back(&core);
  }

  static void response_received(StreamCore& core, ReceivedHead& head, bool ended) {
    if (head.too_large()) {
      Error reason(Error::Kind::protocol, "the head of the response is too large");
      core.reject(reason.with(502, "http_response_header_section_size"), kCancel);
      return;
    }
    const bool interim = head.status() < 200;
    if (core.heads.size() >= kInterimHeads) {
      core.reject(Error(Error::Kind::protocol, "too many interim responses"), kCancel);
      return;
    }
    http::ResponseHead response;
    response.status = head.status();
    response.fields = head.take_fields();
    if (!interim) {
      core.final_head = true;
      core.received_body = body_of(core, head, ended);
      if ((core.head_request || response.status == 304) && head.content_length())
        response.fields.add("content-length", std::to_string(*head.content_length()));
      if (core.received_body.kind == http::Body::Kind::tunnel)
        core.open_tunnel();
      else if (core.asks_tunnel)
        core.refuse_tunnel();
    }
    core.heads.push_back(std::move(response));
    core.wake_head();
  }

  static int data_chunk(nghttp2_session* raw, std::uint8_t /*flags*/, std::int32_t id, const std::uint8_t* data,
                        std::size_t length, void* user_data) noexcept {
    Session& session = session_of(user_data);
    nghttp2_session_consume_connection(raw, length);
    if (session.piped_ > 0) {
      session.piped_ -= length;
      return 0;
    }
    const auto* bytes = reinterpret_cast<const char*>(data);
    const std::size_t skipped = static_cast<std::size_t>(bytes - session.piece_) - session.eaten_;
    session.input_.consume(skipped);
    session.eaten_ += skipped + length;
    StreamCore* core = core_of(raw, id);
    if (core != nullptr && session.client_ && !core->final_head)
      core->reject(Error(Error::Kind::protocol, "bytes before the head of the response"), kProtocolError);
    if (core != nullptr) {
      core->data_received(session.input_, length);
    } else {
      session.input_.consume(length);
      nghttp2_session_consume_stream(raw, id, length);
    }
    return 0;
  }

  static int stream_closed(nghttp2_session* raw, std::int32_t id, std::uint32_t code, void* user_data) noexcept {
    Session& session = session_of(user_data);
    StreamCore* core = core_of(raw, id);
    const bool by_peer =
        session.peer_reset_id_ == id || (code == kNoError && !(core != nullptr && core->reset_by_us()));
    session.remember_closed(id, !by_peer);
    if (core != nullptr) close_core(session, *core, code);
    return 0;
  }

  static void close_core(Session& session, StreamCore& core, std::uint32_t code) {
    if (core.is_closed()) return;
    --session.open_streams_;
    core.closed(code);
    session.changed_ = true;
    if (core.unowned()) session.erase(core);
  }

  static int frame_sent(nghttp2_session* raw, const nghttp2_frame* frame, void* user_data) noexcept {
    Session& session = session_of(user_data);
    const std::uint8_t type = frame->hd.type;
    const bool control = type != NGHTTP2_HEADERS && type != NGHTTP2_DATA;
    session.pending_.add(control);
    if (type == NGHTTP2_RST_STREAM) {
      reset_sent(session, core_of(raw, frame->hd.stream_id), frame->rst_stream.error_code);
    } else if (type == NGHTTP2_GOAWAY) {
      if (frame->goaway.error_code != kNoError) session.fault_ = frame->goaway.error_code;
      if (session.fault_ == kFlowControlError) session.context_.counters.add(Counter::h2_flow_errors);
    }
    if (control) return 0;
    if (type == NGHTTP2_DATA) session.guard_.data_sent(frame->hd.length);
    StreamCore* core = core_of(raw, frame->hd.stream_id);
    if (core == nullptr) return 0;
    if (type == NGHTTP2_HEADERS && session.client_ && core->head_position() == UINT64_MAX)
      core->head_sent(session.queued());
    if (ends_stream(*frame)) {
      // DATA with bytes was appended by send_data(), any other frame will be in a moment.
      const bool appended = type == NGHTTP2_DATA && frame->hd.length > 0;
      core->end_sent(session.queued() + (appended ? 0 : kFrameHeaderBytes + frame->hd.length));
    }
    return 0;
  }

  static void reset_sent(Session& session, const StreamCore* core, std::uint32_t code) {
    if (code == kFlowControlError) session.context_.counters.add(Counter::h2_stream_flow_errors);
    const bool ours = core != nullptr && core->reset_by_us();
    const bool harmless = code == kNoError || code == kConnectError || code == kCancel || code == kRefusedStream;
    const bool cut_already = session.phase_ != Session::Phase::open || session.verdict_ != Guard::Verdict::fine;
    if (!ours && !harmless && !cut_already) session.verdict(session.guard_.reset_provoked());
  }

  // A head that could not leave: a request after GOAWAY or its own cancellation, a response of absurd size.
  static int frame_not_sent(nghttp2_session* raw, const nghttp2_frame* frame, int /*error*/, void* user_data) noexcept {
    Session& session = session_of(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (!session.client_) {
      if (StreamCore* core = core_of(raw, frame->hd.stream_id))
        core->reject(Error(Error::Kind::internal, "a head could not be sent"), kInternalError);
      return 0;
    }
    for (StreamCore& core : session.streams_) {
      if (core.id() != frame->hd.stream_id || core.head_position() != UINT64_MAX) continue;
      close_core(session, core, kRefusedStream);
      break;
    }
    return 0;
  }

  static int send_data(nghttp2_session* raw, nghttp2_frame* frame, const std::uint8_t* header, std::size_t length,
                       nghttp2_data_source* /*source*/, void* user_data) noexcept {
    Session& session = session_of(user_data);
    if (session.output_.size() >= Session::kOutputMark) return NGHTTP2_ERR_WOULDBLOCK;
    StreamCore* core = core_of(raw, frame->hd.stream_id);
    if (core == nullptr || core->queued_bytes() < length) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    // Not append(): behind a relinked slice that would take a chunk of 16 KiB for nine bytes.
    std::span<char> room = session.output_.prepare(kFrameHeaderBytes);
    if (room.size() >= kFrameHeaderBytes) {
      std::memcpy(room.data(), header, kFrameHeaderBytes);
      session.output_.commit(kFrameHeaderBytes);
    } else {
      session.output_.commit(0);
      session.output_.append(text_of(header, kFrameHeaderBytes));
    }
    if (core->next_is_piped())
      session.pipe_out(*core, length);
    else
      core->send_data(session.output_, length);
    return 0;
  }

  static ssize_t read_length(nghttp2_session* raw, std::uint8_t /*type*/, std::int32_t id,
                             std::int32_t connection_window, std::int32_t stream_window, std::uint32_t peer_max_frame,
                             void* user_data) noexcept {
    const StreamCore* core = core_of(raw, id);
    std::size_t most = std::min<std::size_t>(session_of(user_data).frame_bytes(), peer_max_frame);
    // nghttp2 makes room for what is answered here, though nothing is copied: no more than there is.
    if (core != nullptr) most = std::min(most, std::max<std::size_t>(core->queued_bytes(), 1));
    most = std::min({most, static_cast<std::size_t>(std::max(connection_window, 1)),
                     static_cast<std::size_t>(std::max(stream_window, 1))});
    return static_cast<ssize_t>(most);
  }
};

namespace {
// Not by the pointer given with the head: a connection that is being cut has streams nghttp2 knows and we do not.
ssize_t read_data(nghttp2_session* raw, std::int32_t id, std::uint8_t* /*buffer*/, std::size_t length,
                  std::uint32_t* flags, nghttp2_data_source* /*source*/, void* user_data) {
  // A payload of the stream may be half out of its pipe: nothing is asked for before it has left.
  if (session_of(user_data).pipes_a_payload()) return NGHTTP2_ERR_PAUSE;
  StreamCore* core = core_of(raw, id);
  return core == nullptr ? static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED) : core->data_wanted(length, *flags);
}
}  // namespace

nghttp2_data_provider data_provider(StreamCore& core) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &core;
  provider.read_callback = &read_data;
  return provider;
}

nghttp2_session* make_nghttp2(Session& session, bool client) {
  static nghttp2_session_callbacks* const kCallbacks = [] {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &Callbacks::invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Callbacks::frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &Callbacks::frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, &Callbacks::send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, &Callbacks::read_length);
    return callbacks;
  }();
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  const Limits& limits = session.context().limits;
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  // Counts every stream, honest tunnels that end by a reset too; the Guard counts the unanswered ones.
  nghttp2_option_set_stream_reset_rate_limit(options, kOutOfTheWay, kOutOfTheWay);
  nghttp2_option_set_max_continuations(options, limits.h2_continuations);
  nghttp2_option_set_max_outbound_ack(options, limits.h2_outbound_control);
  nghttp2_session* raw = nullptr;
  const int error = client ? nghttp2_session_client_new2(&raw, kCallbacks, &session, options)
                           : nghttp2_session_server_new2(&raw, kCallbacks, &session, options);
  nghttp2_option_del(options);
  if (error != 0) throw std::bad_alloc();
  return raw;
}

}  // namespace tunnel::h2
