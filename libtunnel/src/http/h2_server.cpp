// SPDX-License-Identifier: Apache-2.0
// The server's side of HTTP/2: requests become exchanges, each with a task of the handler.
#include <string>
#include <utility>

#include "http/date.hpp"
#include "http/exchange.hpp"
#include "http/h2_exchange.hpp"
#include "http/status_error.hpp"

namespace tunnel::h2 {
namespace {

class ServerStream final : public Exchange<http::ServerExchange> {
 public:
  using Exchange::Exchange;
  const http::RequestHead& request() const override { return *core().request; }
  http::Body request_body() const override { return core().received_body; }
  void interrupt_read() noexcept override { core().interrupt_read(); }

  Task<Result<void>> inform(const http::ResponseHead& head) override {
    if (core().failed()) co_return core().error();
    FieldList fields;
    fields.add_number(":status", head.status);
    if (head.status < 100 || head.status >= 200 || head.status == 101 || core().final_head ||
        !fields.add_all(head.fields))
      co_return Error(Error::Kind::internal, "not an interim response HTTP/2 can carry");
    nghttp2_submit_headers(session().raw(), NGHTTP2_FLAG_NONE, core().id(), nullptr, fields.data(), fields.size(),
                           nullptr);
    session().touch();
    co_return Result<void>();
  }

  Task<Result<void>> respond(const http::ResponseHead& head, http::Body body) override {
    co_return send_final(head, body);
  }

 private:
  bool may_be_tunnel() const {
    return core().connect ||
           (core().request->method == "POST" && core().received_body.kind == http::Body::Kind::unknown);
  }

  Result<void> send_final(const http::ResponseHead& head, http::Body body) {
    if (core().failed()) return core().error();
    const bool tunnel = body.kind == http::Body::Kind::tunnel;
    const bool without_body = core().head_request || head.status == 204 || head.status == 304;
    FieldList fields;
    fields.add_number(":status", head.status);
    const bool informative = without_body && body.kind != http::Body::Kind::length;
    if (core().final_head || head.status < 200 || head.status > 999 ||
        (tunnel && !(head.status / 100 == 2 && may_be_tunnel())) || !fields.add_all(head.fields, informative))
      return Error(Error::Kind::internal, "not a response HTTP/2 can carry");
    if (!head.fields.contains("date")) fields.add("date", http::current_date());
    if (body.kind == http::Body::Kind::length && head.status != 204) fields.add_number("content-length", body.length);
    // An empty body is announced as such where a reader could not know.
    if (body.kind == http::Body::Kind::none && !without_body && !(core().connect && head.status / 100 == 2))
      fields.add("content-length", "0");
    core().final_head = true;
    core().head_submitted(core().id());
    const bool data = core().expect_body(body, without_body && body.kind != http::Body::Kind::none);
    nghttp2_data_provider provider = data_provider(core());
    const int error =
        nghttp2_submit_response(session().raw(), core().id(), fields.data(), fields.size(), data ? &provider : nullptr);
    session().touch();
    if (error != 0) {
      core().abort(Error(Error::Kind::internal, nghttp2_strerror(error)));
      return core().error();
    }
    if (tunnel) core().open_tunnel();
    return {};
  }
};

class Server final : public http::ServerConnection, private Session::Role {
 public:
  Server(const Context& context, Stream& stream, http::ExchangeHandler& handler, const http::ServerOptions& options)
      : session_(context, stream, *this, context.limits.h2_stream_window, &options),
        handler_(handler),
        options_(options),
        tasks_ended_(context.loop),
        idle_timer_(context.loop, [](void* self) noexcept { static_cast<Server*>(self)->idle_for_too_long(); }, this) {}

  Task<void> run() override {
    wait_idly();
    co_await session_.drive();
    idle_timer_.disarm();
    while (tasks_ > 0) co_await tasks_ended_.wait();
    const Error::Kind kind = session_.error().kind;
    if (kind == Error::Kind::limit || kind == Error::Kind::protocol || kind == Error::Kind::timeout)
      handler_.cut(session_.error());
  }

  void drain() noexcept override {
    if (draining_) return;
    draining_ = true;
    if (idle())
      session_.close();
    else
      session_.announce_goaway();
  }

  void abort(Error reason) noexcept override { session_.abort(reason); }

 private:
  bool idle() const { return tasks_ == 0 && session_.streams() == 0 && !session_.receives_a_head(); }

  void request_arrived(StreamCore& core) override {
    idle_timer_.disarm();
    ++tasks_;
    Task<void> task = core.refusal ? refuse(core) : serve(core);
    spawn(std::move(task));
  }

  Task<void> serve(StreamCore& core) {
    {
      ServerStream exchange(session_, core);
      Task<void> serving = handler_.serve(exchange);
      co_await serving;
    }
    task_ended();
  }

  Task<void> refuse(StreamCore& core) {
    {
      const ReceivedHead::Refusal refusal = *core.refusal;
      handler_.rejected("HTTP/2", refusal.status, 0, refusal.reason);
      ServerStream exchange(session_, core);
      const Error reason = Error(Error::Kind::protocol, refusal.reason).with(refusal.status, "http_request_error");
      const http::StatusAnswer answer = http::status_answer(reason);
      Task<Result<void>> responding = exchange.respond(answer.head, http::Body::none());
      Result<void> responded = co_await responding;
      (void)responded.ok();  // a peer that is gone needs no answer
    }
    task_ended();
  }

  void task_ended() {
    --tasks_;
    tasks_ended_.set();
    changed();
  }

  void changed() noexcept override {
    if (!idle() || !session_.open()) return;
    if (draining_)
      session_.close();
    else if (!idle_timer_.armed())
      wait_idly();
  }

  void frames_received() noexcept override {}

  // The peer has read the first GOAWAY: whatever it opened before is here.
  void ping_acked() noexcept override {
    if (!draining_ || !session_.open()) return;
    nghttp2_submit_goaway(session_.raw(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_.raw()),
                          kNoError, nullptr, 0);
    session_.touch();
  }

  void wait_idly() noexcept {
    if (options_.idle_timeout > Duration::zero()) idle_timer_.arm_after(options_.idle_timeout);
  }

  void idle_for_too_long() noexcept {
    if (!idle()) return;
    session_.context().counters.add(Counter::idle_timeouts);
    session_.close();
  }

  Session session_;
  http::ExchangeHandler& handler_;
  http::ServerOptions options_;
  Notify tasks_ended_;
  Timer idle_timer_;
  std::size_t tasks_ = 0;
  bool draining_ = false;
};

}  // namespace

std::unique_ptr<http::ServerConnection> make_server(const Context& context, Stream& stream,
                                                    http::ExchangeHandler& handler,
                                                    const http::ServerOptions& options) {
  return std::make_unique<Server>(context, stream, handler, options);
}

}  // namespace tunnel::h2
