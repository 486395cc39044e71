// SPDX-License-Identifier: Apache-2.0
// The client's side of HTTP/2: a connection many exchanges share, and the question whether it is still alive.
#include <algorithm>
#include <string>
#include <utility>

#include "http/exchange.hpp"
#include "http/h2_exchange.hpp"
#include "http/h2_probe.hpp"

namespace tunnel::h2 {
namespace {

class Client;

class ClientStream final : public Exchange<http::ClientExchange> {
 public:
  ClientStream(Client& client, Session& session, StreamCore& core) : Exchange(session, core), client_(client) {}

  Task<Result<void>> send(const http::RequestHead& head, http::Body body) override { co_return submit(head, body); }
  Io try_write(Buffer& from, More more) override { return written(Exchange::try_write(from, more)); }
  Io try_drain(Pipe& pipe, std::size_t max) override { return written(Exchange::try_drain(pipe, max)); }
  bool silent_since(TimePoint since) const override;

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
  Io written(Io io);
  Client& client_;
};

class Client final : public http::ClientConnection, private Session::Role, private Probe::Owner {
 public:
  Client(const Context& context, StreamPtr stream, const http::ClientOptions& options)
      : stream_(std::move(stream)),
        session_(context, *stream_, *this,
                 options.window_bytes > 0 ? options.window_bytes : context.limits.h2_stream_window),
        most_streams_(options.streams > 0 ? options.streams : context.limits.h2_pool_streams),
        gone_(context.loop),
        probe_(context, *this, options.ping),
        idle_since_(context.loop.now()) {}

  Task<void> run() override {
    co_await session_.drive();
    probe_.stop();
    while (session_.streams() > 0) co_await gone_.wait();
  }

  bool usable() const override { return !closing_ && session_.open() && !session_.peer_is_going_away(); }
  unsigned active() const override { return static_cast<unsigned>(session_.streams()); }
  unsigned capacity() const override {
    if (probe_.doubtful()) return 0;
    const std::size_t most = std::min<std::size_t>(session_.peer_max_streams(), most_streams_);
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
  Health health() const override {
    if (probe_.doubtful()) return Health::doubtful;
    return probe_.asking() ? Health::asked : Health::well;
  }
  Probe& probe() { return probe_; }

 private:
  void request_arrived(StreamCore& /*core*/) override {}
  void frames_received() noexcept override {
    const bool doubted = probe_.doubtful();
    probe_.heard();
    if (doubted) tell();
  }
  void ping_acked() noexcept override {}

  void changed() noexcept override {
    if (session_.streams() == 0) {
      idle_since_ = session_.context().loop.now();
      gone_.set();
      if (closing_ && session_.open()) session_.close();
    }
    if (probe_.doubtful() && !session_.has_living_streams()) session_.abort(silence());
    tell();
  }

  void tell() noexcept {
    if (observer_ != nullptr) observer_->client_connection_changed(*this);
  }

  static Error silence() { return Error(Error::Kind::timeout, "a pooled connection does not answer"); }
  void send_ping() noexcept override {
    if (session_.open()) session_.ping();
  }
  // It may be only slow: tunnels that stand are left to the timers of TCP.
  void no_answer() noexcept override {
    if (!session_.open()) return;
    session_.context().counters.add(Counter::pool_ping_timeouts);
    if (!session_.give_up_unanswered(silence())) session_.abort(silence());
    tell();
  }

  StreamPtr stream_;
  Session session_;
  std::size_t most_streams_;
  Notify gone_;
  Probe probe_;
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
  const bool tunnel = body.kind == http::Body::Kind::tunnel;
  const bool may_be_tunnel = head.is_connect() || head.method == "POST";
  if (!may_be_sent(head) || (tunnel && !may_be_tunnel) || !fields.add_all(head.fields))
    return Error(Error::Kind::protocol, "not a request HTTP/2 can carry").with(400, "http_request_error");
  if (body.kind == http::Body::Kind::length) fields.add_number("content-length", body.length);
  core().connect = head.is_connect();
  core().asks_tunnel = tunnel;
  core().head_request = head.method == "HEAD";
  core().repeatable = body.kind == http::Body::Kind::none && http::is_idempotent(head.method);
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
  client_.probe().request_sent();
  return {};
}

Io ClientStream::written(Io io) {
  if (io.bytes > 0) client_.probe().bytes_sent();
  return io;
}

bool ClientStream::silent_since(TimePoint since) const { return client_.probe().silent_since(since); }

}  // namespace

std::unique_ptr<http::ClientConnection> make_client(const Context& context, StreamPtr stream,
                                                    const http::ClientOptions& options) {
  return std::make_unique<Client>(context, std::move(stream), options);
}

}  // namespace tunnel::h2
