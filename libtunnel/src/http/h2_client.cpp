// SPDX-License-Identifier: Apache-2.0
// The client's side of HTTP/2: a connection many exchanges share, and the question whether it is still alive.
#include <algorithm>
#include <string>
#include <utility>

#include "http/exchange.hpp"
#include "http/h2_exchange.hpp"

namespace tunnel::h2 {
namespace {

class Client;

class ClientStream final : public Exchange<http::ClientExchange> {
 public:
  ClientStream(Client& client, Session& session, StreamCore& core) : Exchange(session, core), client_(client) {}

  Task<Result<void>> send(const http::RequestHead& head, http::Body body) override { co_return submit(head, body); }

  Task<Result<http::ResponseHead>> head() override {
    // A final head that came before a reset is still told; interim ones alone are of no use.
    while (core().heads.empty() || core().aborted() || (core().failed() && !core().final_head)) {
      if (core().failed()) co_return core().error();
      if (core().final_head) co_return Error(Error::Kind::internal, "the final head was given already");
      HeadWait wait{core()};
      co_await wait;
    }
    http::ResponseHead head = std::move(core().heads.front());
    core().heads.pop_front();
    co_return head;
  }

  http::Body response_body() const override { return core().received_body; }

 private:
  struct HeadWait {
    StreamCore& core;
    Slot slot{};
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
      slot.handle = caller;
      core.head_slot = &slot;
    }
    void await_resume() const noexcept {}
  };

  Result<void> submit(const http::RequestHead& head, http::Body body);
  Client& client_;
};

class Client final : public http::ClientConnection, private Session::Role {
 public:
  Client(const Context& context, StreamPtr stream)
      : stream_(std::move(stream)),
        session_(context, *stream_, *this, true),
        gone_(context.loop),
        ping_timer_(
            context.loop, [](void* self) noexcept { static_cast<Client*>(self)->ping_unanswered(); }, this),
        idle_since_(context.loop.now()) {}

  Task<void> run() override {
    co_await session_.drive();
    ping_timer_.disarm();
    while (session_.streams() > 0) co_await gone_.wait();
  }

  bool usable() const override { return !closing_ && session_.open() && !session_.peer_is_going_away(); }
  unsigned active() const override { return static_cast<unsigned>(session_.streams()); }
  unsigned capacity() const override {
    const auto pool = static_cast<std::size_t>(session_.context().limits.h2_pool_streams);
    const std::size_t most = std::min<std::size_t>(session_.peer_max_streams(), pool);
    return static_cast<unsigned>(most - std::min(most, session_.open_streams()));
  }

  std::unique_ptr<http::ClientExchange> open() override {
    auto exchange = std::make_unique<ClientStream>(*this, session_, session_.add_stream());
    tell();
    return exchange;
  }

  void close() noexcept override {
    if (closing_) return;
    closing_ = true;
    changed();
  }
  void abort(Error reason) noexcept override { session_.abort(reason); }
  void observe(Observer* observer) override { observer_ = observer; }
  TimePoint idle_since() const override { return idle_since_; }

  // A connection that was silent may be dead: ask it along with the request.
  void request_submitted() {
    const Limits& limits = session_.context().limits;
    if (ping_timer_.armed() || session_.context().loop.now() - session_.last_received() <= limits.pool_ping_after)
      return;
    session_.ping();
    ping_timer_.arm_after(limits.pool_ping_wait);
  }

 private:
  void request_arrived(StreamCore& /*core*/) override {}
  void frames_received() noexcept override { ping_timer_.disarm(); }
  void ping_acked() noexcept override {}

  void changed() noexcept override {
    if (session_.streams() == 0) {
      idle_since_ = session_.context().loop.now();
      gone_.set();
      if (closing_ && session_.open()) session_.close();
    }
    tell();
  }

  void tell() noexcept {
    if (observer_ != nullptr) observer_->client_connection_changed(*this);
  }

  void ping_unanswered() noexcept {
    session_.context().counters.add(Counter::pool_ping_timeouts);
    Error reason(Error::Kind::timeout, "a pooled connection does not answer");
    session_.abort_unanswered(reason);
  }

  StreamPtr stream_;
  Session session_;
  Notify gone_;
  Timer ping_timer_;
  TimePoint idle_since_;
  Observer* observer_ = nullptr;
  bool closing_ = false;
};

Result<void> ClientStream::submit(const http::RequestHead& head, http::Body body) {
  if (core().failed()) return core().error();
  FieldList fields;
  fields.add(":method", head.method);
  if (!head.is_connect()) {
    fields.add(":scheme", head.scheme);
    fields.add(":path", head.path);
  }
  fields.add(":authority", head.authority);
  if (!may_be_sent(head) || !fields.add_all(head.fields))
    return Error(Error::Kind::protocol, "not a request HTTP/2 can carry").with(400, "http_request_error");
  if (body.kind == http::Body::Kind::length) fields.add_number("content-length", body.length);
  core().connect = head.is_connect();
  core().head_request = head.method == "HEAD";
  const bool data = core().expect_body(body, false);
  nghttp2_data_provider provider = data_provider(core());
  const std::int32_t id = nghttp2_submit_request(session().raw(), nullptr, fields.data(), fields.size(),
                                                 data ? &provider : nullptr, &core());
  if (id < 0) {
    Error reason(Error::Kind::internal, nghttp2_strerror(id));
    reason.retry_safe = true;
    core().abort(reason);
    return core().error();
  }
  core().head_submitted(id);
  session().touch();
  client_.request_submitted();
  return {};
}

}  // namespace

std::unique_ptr<http::ClientConnection> make_client(const Context& context, StreamPtr stream) {
  return std::make_unique<Client>(context, std::move(stream));
}

}  // namespace tunnel::h2
