// SPDX-License-Identifier: Apache-2.0
// The client side of an HTTP/1.1 connection: one exchange at a time. Between exchanges run() watches the transport, so
// that a connection the server ended is not offered again.
#include <utility>

#include "base/log.hpp"
#include "http/exchange.hpp"
#include "http/h1_exchange.hpp"
#include "http/read_wait.hpp"

namespace tunnel::h1 {
namespace {

constexpr std::size_t kHeadReadBytes = 16384;
constexpr int kMostInterimHeads = 100;

Error truncated_response() {
  return Error(Error::Kind::closed, "the response was cut short")
      .with(502, "http_response_incomplete")
      .on(Error::Side::upstream);
}

class Client;

class ClientExchange final : public ExchangeBase<http::ClientExchange> {
 public:
  ClientExchange(Client& client, const Context& context, Stream& transport, Outbox& outbox, bool waited)
      : ExchangeBase(context, transport, outbox, truncated_response()),
        client_(client),
        waited_(waited),
        scanner_(context.limits) {}
  ~ClientExchange() override;

  Task<Result<void>> send(const http::RequestHead& head, http::Body body) override;
  Task<Result<http::ResponseHead>> head() override;
  http::Body response_body() const override { return response_body_; }
  std::string_view protocol() const override { return "HTTP/1.1"; }

  // The connection may carry another exchange after this one.
  bool reusable() const;
  // Nothing is lost if the connection is closed now.
  bool finished() const;
  // No byte of an answer has come, and asking once more elsewhere does no harm.
  bool may_be_repeated() const { return repeatable_ && !answered_ && !aborted(); }
  void give_up(Error reason);

 private:
  struct HeadWait;
  bool is_connect() const { return method_ == "CONNECT"; }
  bool may_read() const override { return final_; }
  bool may_write() const override { return sent_ && (!asks_tunnel_ || final_); }
  void wait_transport(Slot& slot) override;
  Result<http::JudgedResponse> parse(std::size_t length);
  void begin_body(const http::JudgedResponse& judged);
  Error ended_before_answer(Error error) const;
  Error fail(Error error);
  Error malformed(const http::Fault& fault);

  Client& client_;
  bool waited_;  // the connection did, for this exchange, and may have died of it
  http::HeadScanner scanner_;
  Buffer input_;  // of a head
  std::string method_;
  http::Body response_body_;
  int interim_heads_ = 0;
  bool asks_tunnel_ = false;  // CONNECT, or a POST that is to become one
  bool sent_ = false;
  bool repeatable_ = false;
  bool answered_ = false;  // a byte of the answer came
  bool final_ = false;
  bool keep_alive_ = false;
};

class Client final : public http::ClientConnection {
 public:
  Client(const Context& context, StreamPtr stream)
      : context_(context),
        wait_(*stream),
        outbox_(*stream),
        changed_(context.loop),
        silence_timer_(
            context.loop, [](void* self) noexcept { static_cast<Client*>(self)->look_at_silence(); }, this),
        made_(context.loop.now()),
        idle_since_(made_),
        transport_(std::move(stream)) {}

  Task<void> run() override;
  bool usable() const override { return !closing_ && !broken_; }
  unsigned capacity() const override { return usable() && exchange_ == nullptr ? 1 : 0; }
  unsigned active() const override { return exchange_ == nullptr ? 0 : 1; }
  std::unique_ptr<http::ClientExchange> open() override;
  void close() noexcept override;
  void abort(Error reason) noexcept override;
  void observe(Observer* observer) override { observer_ = observer; }
  TimePoint idle_since() const override { return idle_since_; }

  void released(const ClientExchange& exchange) noexcept;
  void wait_readable(Slot& slot);
  // Over a connection that waited: watches whether the request arrives.
  void request_sent();

 private:
  void look_at_silence() noexcept;
  void look_at_idle();
  Task<void> end();
  void changed() noexcept {
    if (observer_ != nullptr) observer_->client_connection_changed(*this);
  }

  Context context_;
  http::ReadWait wait_;  // outlives the transport, which may know its slot
  Outbox outbox_;
  Notify changed_;  // the exchange is gone, while run() does not watch
  Timer silence_timer_;
  TimePoint request_at_;
  TimePoint made_;
  TimePoint idle_since_;
  Observer* observer_ = nullptr;
  ClientExchange* exchange_ = nullptr;
  Slot* reader_ = nullptr;  // the exchange's, while run() holds the transport's one slot
  StreamPtr transport_;
  bool reused_ = false;
  bool closing_ = false;
  bool broken_ = false;
  bool orderly_ = true;
};

ClientExchange::~ClientExchange() { client_.released(*this); }

void ClientExchange::wait_transport(Slot& slot) { client_.wait_readable(slot); }

struct ClientExchange::HeadWait {
  explicit HeadWait(ClientExchange& of) : exchange(of) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot.handle = caller;
    exchange.wait_transport(slot);
  }
  void await_resume() const noexcept {}
  ClientExchange& exchange;
  Slot slot;
};

bool ClientExchange::reusable() const {
  if (!sent_) return !aborted();
  return final_ && keep_alive_ && in_.complete() && out_.complete() && !aborted() && !outbox_.failed();
}

bool ClientExchange::finished() const {
  if (aborted()) return false;
  if (out_.framing() == Framing::tunnel && final_) return write_side() == WriteSide::finished || in_.complete();
  return !sent_ || (final_ && in_.complete() && out_.complete());
}

Task<Result<void>> ClientExchange::send(const http::RequestHead& head, http::Body body) {
  if (aborted()) co_return error();
  if (sent_) co_return Error(Error::Kind::internal, "the request was sent already");
  Result<Framing> framing = write_request(outbox_.buffer(), head, body);
  if (!framing.ok()) co_return framing.error();
  sent_ = true;
  method_ = head.method;
  asks_tunnel_ = body.kind == http::Body::Kind::tunnel;
  out_.start(*framing, body.length);
  if (*framing == Framing::none) set_write_side(WriteSide::finished);
  repeatable_ = asks_tunnel_ || (*framing == Framing::none && http::is_idempotent(head.method));
  outbox_.cork();
  open_gates();
  if (waited_) client_.request_sent();
  co_return Result<void>();
}

Error ClientExchange::ended_before_answer(Error error) const {
  // A server may close an idle connection while our request is on its way; on a fresh one it must have meant us.
  error.retry_safe = waited_ && !answered_;
  return error.on(Error::Side::upstream);
}

void ClientExchange::give_up(Error reason) {
  reason.retry_safe = true;
  abort(reason.on(Error::Side::upstream));
}

Error ClientExchange::fail(Error error) {
  abort(error);
  return error;
}

Error ClientExchange::malformed(const http::Fault& fault) {
  const bool large = fault.status == 431;
  if (large) context_.counters.add(Counter::heads_too_large);
  Error error(Error::Kind::protocol, fault.what);
  error.with(502, large ? "http_response_header_section_size" : "http_protocol_error");
  return fail(error.on(Error::Side::upstream));
}

Task<Result<http::ResponseHead>> ClientExchange::head() {
  if (!sent_ || final_) co_return Error(Error::Kind::internal, "no head is to come");
  for (;;) {
    if (aborted()) co_return error();
    if (!input_.empty()) {
      const std::string_view bytes =
          input_.linearise(std::min<std::size_t>(input_.size(), context_.limits.head_bytes + 1));
      const http::HeadScanner::Scan scan = scanner_.scan(bytes);
      if (bytes.front() != 'H') co_return malformed({502, "not a status line"});
      if (scan.fault) co_return malformed(scan.fault);
      if (scan.length > 0) {
        Result<http::JudgedResponse> judged = parse(scan.length);
        if (!judged.ok()) co_return judged.error();
        if (judged->head.status >= 200) begin_body(*judged);
        co_return std::move(judged->head);
      }
    }
    const Io io = transport_.try_read(input_, kHeadReadBytes);
    switch (io.state) {
      case Io::State::done:
        answered_ = true;
        break;
      case Io::State::ended: {
        Error ended = answered_ ? truncated_response() : Error(Error::Kind::closed, "closed before an answer");
        co_return fail(ended_before_answer(std::move(ended)));
      }
      case Io::State::failed:
        co_return fail(ended_before_answer(transport_.error()));
      case Io::State::would_block: {
        HeadWait wait(*this);
        co_await wait;
        break;
      }
    }
  }
}

// The head in the first `length` bytes of input_, which is left for the next one; the rest goes back to the transport.
Result<http::JudgedResponse> ClientExchange::parse(std::size_t length) {
  const std::string_view bytes = input_.linearise(length);
  http::RawHead raw;
  constexpr std::size_t kStatusAt = std::string_view("HTTP/1.1 ").size();
  const bool tunnel = is_connect() && bytes.size() > kStatusAt && bytes[kStatusAt] == '2';
  const bool parsed =
      tunnel ? parse_response_head(without_framing_fields(bytes), raw) : parse_response_head(bytes, raw);
  if (!parsed) return malformed({502, "malformed response head"});
  http::JudgedResponse judged;
  if (const http::Fault fault = judge_response(raw, method_, context_.limits, judged)) return malformed(fault);
  if (judged.head.status < 200 && ++interim_heads_ > kMostInterimHeads)
    return malformed({502, "too many interim answers", true});
  input_.consume(length);
  transport_.unread(std::move(input_));
  scanner_ = http::HeadScanner(context_.limits);
  return judged;
}

void ClientExchange::begin_body(const http::JudgedResponse& judged) {
  final_ = true;
  keep_alive_ = judged.keep_alive && !asks_tunnel_;
  response_body_ = judged.body;
  // A 2xx that announces a length, or no body, is a page and no tunnel.
  if (asks_tunnel_ && judged.head.status / 100 == 2 && judged.body.kind == http::Body::Kind::unknown)
    response_body_ = http::Body::tunnel();
  switch (judged.body.kind) {
    case http::Body::Kind::none:
      in_.start(Framing::none, 0, context_.limits);
      break;
    case http::Body::Kind::length:
      in_.start(Framing::length, judged.body.length, context_.limits);
      break;
    case http::Body::Kind::unknown:
      in_.start(judged.until_end ? Framing::until_end : Framing::chunked, 0, context_.limits);
      break;
    case http::Body::Kind::tunnel:
      in_.start(Framing::tunnel, 0, context_.limits);
      break;
  }
  // No tunnel, nowhere to write to.
  if (asks_tunnel_ && response_body_.kind != http::Body::Kind::tunnel) set_write_side(WriteSide::refused);
  open_gates();
}

Task<void> Client::run() {
  for (;;) {
    if (exchange_ != nullptr) {
      co_await changed_.wait();
      continue;
    }
    if (!usable()) break;
    co_await wait_.wait(TimePoint::max());
    if (Slot* slot = std::exchange(reader_, nullptr)) context_.loop.post(*slot);
    if (exchange_ == nullptr && usable()) look_at_idle();
  }
  Task<void> ending = end();
  co_await ending;
}

void Client::look_at_idle() {
  Buffer unexpected;
  const Io io = transport_->try_read(unexpected, 1);
  if (io.state == Io::State::would_block) return;
  // Its end, or bytes nobody asked for.
  broken_ = true;
  orderly_ = io.state != Io::State::failed;
  changed();
}

Task<void> Client::end() {
  if (orderly_) {
    Task<Result<void>> draining = outbox_.drain(context_.loop.now() + context_.limits.write_time);
    Result<void> drained = co_await draining;
    if (drained.ok()) {
      Task<Result<void>> finishing = transport_->shutdown_write();
      drained = co_await finishing;
    }
    orderly_ = drained.ok();
  }
  if (orderly_ && wait_.cut()) {
    // The transport still has our slot: only its end or an abort gives it back.
    Task<void> closing = http::close_in_order(context_, *transport_, wait_);
    co_await closing;
  }
  if (!orderly_) transport_->abort(Error(Error::Kind::cancelled, "the connection was given up"));
  Task<void> outbox_settling = outbox_.settle();
  co_await outbox_settling;
  transport_.reset();
  Task<void> wait_settling = wait_.settle();
  co_await wait_settling;
}

void Client::wait_readable(Slot& slot) {
  // run() still watches from the idle time before: it passes the wake-up on.
  if (wait_.waiting())
    reader_ = &slot;
  else
    transport_->on_readable(slot);
}

void Client::request_sent() {
  request_at_ = context_.loop.now();
  silence_timer_.arm_after(context_.limits.pool_ping_wait * 5 / 4);
}

// HTTP/1.1 has no PING, but the path below may know: TCP has no acknowledgement of the request, or the HTTP/2
// connection that carries this one as a tunnel has no answer to its PING, for which this waits a little longer than
// ping_wait.
void Client::look_at_silence() noexcept {
  if (exchange_ == nullptr || !exchange_->may_be_repeated()) return;
  if (!transport_->silent_since(request_at_)) {
    silence_timer_.arm_after(context_.limits.pool_ping_wait / 4);
    return;
  }
  context_.counters.add(Counter::pool_ping_timeouts);
  exchange_->give_up(Error(Error::Kind::timeout, "a pooled connection does not answer"));
}

std::unique_ptr<http::ClientExchange> Client::open() {
  const bool waited = reused_ || context_.loop.now() - made_ > context_.limits.pool_ping_after;
  auto exchange = std::make_unique<ClientExchange>(*this, context_, *transport_, outbox_, waited);
  reused_ = true;
  exchange_ = exchange.get();
  return exchange;
}

void Client::released(const ClientExchange& exchange) noexcept {
  if (!exchange.reusable()) {
    broken_ = true;
    orderly_ = exchange.finished();
    if (!orderly_) transport_->abort(Error(Error::Kind::cancelled, "the exchange was dropped"));
  }
  exchange_ = nullptr;
  silence_timer_.disarm();
  idle_since_ = context_.loop.now();
  if (!wait_.waiting())
    changed_.set();
  else if (!usable())
    wait_.interrupt();
  changed();
}

void Client::close() noexcept {
  if (closing_) return;
  closing_ = true;
  if (exchange_ == nullptr) wait_.interrupt();
  changed();
}

void Client::abort(Error reason) noexcept {
  broken_ = true;
  orderly_ = false;
  if (exchange_ != nullptr)
    exchange_->abort(std::move(reason));
  else if (transport_)
    transport_->abort(std::move(reason));
  changed();
}

}  // namespace

std::unique_ptr<http::ClientConnection> make_client(const Context& context, StreamPtr stream) {
  return std::make_unique<Client>(context, std::move(stream));
}

}  // namespace tunnel::h1
