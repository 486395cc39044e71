// SPDX-License-Identifier: Apache-2.0
// The server side of an HTTP/1.1 connection: one coroutine that reads a head, serves the exchange, and comes back for
// the next, so pipelined requests simply wait their turn.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/turn.hpp"
#include "http/exchange.hpp"
#include "http/h1_outbox.hpp"
#include "http/h1_parser.hpp"
#include "http/h1_server_exchange.hpp"
#include "http/read_wait.hpp"
#include "http/status_error.hpp"
#include "http/text.hpp"

namespace tunnel::h1 {
namespace {

using http::Fault;

constexpr std::size_t kHeadReadBytes = 16384;

// How a connection goes on after a head or an exchange.
enum class Next : std::uint8_t {
  exchange,  // a request was read
  again,     // read the next head
  close,     // in order, with a lingering close
  done,      // in order, nothing left to do
  aborted,
};

struct Request {
  http::RawHead raw;
  http::JudgedRequest judged;
};

class Server final : public http::ServerConnection {
 public:
  Server(const Context& context, Stream& stream, http::ExchangeHandler& handler, const http::ServerOptions& options)
      : context_(context), transport_(stream), handler_(handler), options_(options), outbox_(stream), wait_(stream) {}

  Task<void> run() override;
  void drain() noexcept override;
  void abort(Error reason) noexcept override;

 private:
  Task<Next> read_request(Request& request);
  std::optional<Next> look_at_input(Request& request, http::HeadScanner& scanner);
  Fault take_head(Request& request, std::size_t length);
  Task<Next> wait_for_head();
  Task<Next> serve(Request& request);
  Task<Next> settle_exchange(ServerExchange& exchange);
  Task<Next> discard_body(ServerExchange& exchange);
  Next refuse(const Fault& fault);
  std::size_t write_refusal(const Fault& fault);
  Task<bool> drain_outbox();
  Task<void> end(Next how);

  Context context_;
  Stream& transport_;
  http::ExchangeHandler& handler_;
  http::ServerOptions options_;
  Outbox outbox_;
  http::ReadWait wait_;
  Buffer input_;             // read, not yet parsed
  TimePoint head_deadline_;  // of the head being read
  ServerExchange* current_ = nullptr;
  bool head_begun_ = false;
  bool line_skipped_ = false;  // an empty line before this head
  bool served_any_ = false;
  bool draining_ = false;
  bool aborted_ = false;
};

Task<void> Server::run() {
  Next next = Next::again;
  Turn turn;  // pipelined requests need not run out
  while (next == Next::again) {
    if (turn.over(0)) co_await yield(context_.loop);
    Request request;
    Task<Next> reading = read_request(request);
    next = co_await reading;
    if (next != Next::exchange) break;
    Task<Next> serving = serve(request);
    next = co_await serving;
    served_any_ = true;
  }
  Task<void> ending = end(next);
  co_await ending;
}

Task<Next> Server::read_request(Request& request) {
  http::HeadScanner scanner(context_.limits);
  head_begun_ = line_skipped_ = false;
  const Duration patience = served_any_ ? options_.idle_timeout : Duration(context_.limits.head_time);
  head_deadline_ = patience > Duration::zero() ? context_.loop.now() + patience : TimePoint::max();
  // Early data of a CONNECT comes with its head, and is bounded by what is read with it.
  const std::size_t most =
      std::min<std::size_t>(kHeadReadBytes, std::max<std::size_t>(1, context_.limits.early_data_bytes));
  for (;;) {
    if (aborted_) co_return Next::aborted;
    if (const std::optional<Next> next = look_at_input(request, scanner)) co_return *next;
    const Io io = transport_.try_read(input_, most);
    if (io.state == Io::State::failed) co_return Next::aborted;
    if (io.state == Io::State::ended) co_return Next::close;
    if (io.state == Io::State::done) continue;
    Task<Next> waiting = wait_for_head();
    const Next next = co_await waiting;
    if (next != Next::again) co_return next;
  }
}

Task<Next> Server::wait_for_head() {
  const bool idle = !head_begun_ && input_.empty();
  if (idle && draining_) co_return Next::close;
  if (context_.loop.now() >= head_deadline_) {
    if (idle) {
      context_.counters.add(served_any_ ? Counter::idle_timeouts : Counter::head_timeouts);
      co_return Next::close;
    }
    co_return refuse({408, "the head did not arrive in time"});
  }
  co_await wait_.wait(head_deadline_);
  co_return Next::again;
}

// Nothing: more bytes are needed.
std::optional<Next> Server::look_at_input(Request& request, http::HeadScanner& scanner) {
  if (input_.empty()) return std::nullopt;
  const std::size_t window = std::min<std::size_t>(input_.size(), context_.limits.head_bytes + 1);
  std::string_view bytes = input_.linearise(window);
  if (!head_begun_ && bytes.front() == '\r') {
    // One empty line before a request is a leftover of old clients' bodies (RFC 9112 section 2.2).
    if (bytes.size() == 1) return std::nullopt;
    if (bytes[1] != '\n') return refuse({400, "bare CR in the head"});
    if (line_skipped_) return refuse({400, "empty lines before the request", true});
    line_skipped_ = true;
    input_.consume(2);
    return look_at_input(request, scanner);
  }
  constexpr char kTlsHandshake = 0x16;
  if (bytes.front() == kTlsHandshake) return refuse({400, "TLS, where HTTP in clear is spoken"});
  if (!http::is_token_char(bytes.front())) return refuse({400, "not a request line"});
  if (!head_begun_) {
    head_begun_ = true;
    head_deadline_ = context_.loop.now() + context_.limits.head_time;
  }
  const http::HeadScanner::Scan scan = scanner.scan(bytes);
  if (scan.fault) return refuse(scan.fault);
  if (scan.length == 0) return std::nullopt;
  if (const Fault fault = take_head(request, scan.length)) return refuse(fault);
  return Next::exchange;
}

Fault Server::take_head(Request& request, std::size_t length) {
  if (!parse_request_head(input_.linearise(length), request.raw)) return {400, "malformed request head"};
  if (Fault fault = judge_request(request.raw, context_.limits, request.judged)) return fault;
  input_.consume(length);
  if (request.judged.body.kind == http::Body::Kind::none) return {};
  if (request.judged.head.is_connect() && !input_.empty()) context_.counters.add(Counter::early_data_paused);
  transport_.unread(std::move(input_));
  return {};
}

// Answers a head no exchange came of.
Next Server::refuse(const Fault& fault) {
  if (fault.status == 431) context_.counters.add(Counter::heads_too_large);
  if (fault.status == 408) context_.counters.add(Counter::head_timeouts);
  if (fault.flood) context_.counters.add(Counter::framing_floods);
  const std::string_view front = input_.front();
  const std::string line(front.substr(0, std::min<std::size_t>(front.find_first_of("\r\n"), 200)));
  const std::size_t body_bytes = write_refusal(fault);
  handler_.rejected("HTTP/1.1", fault.status, body_bytes, fmt::format("{}: \"{}\"", fault.what, line));
  return Next::close;
}

// The size of its body.
std::size_t Server::write_refusal(const Fault& fault) {
  const Error error = Error(Error::Kind::protocol, fault.what).with(fault.status, "http_request_error");
  const http::StatusAnswer answer = http::status_answer(error);
  ResponseContext context;
  context.close = true;
  const Result<Framing> written =
      write_response(outbox_.buffer(), answer.head, http::Body::of(answer.text.size()), context);
  if (written.ok()) outbox_.buffer().append(answer.text);
  outbox_.push();
  return answer.text.size();
}

Task<Next> Server::serve(Request& request) {
  ServerExchange exchange(context_, transport_, outbox_, wait_, std::move(request.judged), request.raw.version,
                          draining_);
  current_ = &exchange;
  Task<void> serving = handler_.serve(exchange);
  co_await serving;
  current_ = nullptr;
  if (exchange.aborted() || aborted_) co_return Next::aborted;
  Task<Next> settling = settle_exchange(exchange);
  const Next next = co_await settling;
  if (next == Next::aborted) exchange.abort(Error(Error::Kind::cancelled, "the exchange was not finished"));
  co_return next;
}

// The handler has returned: what becomes of the connection?
Task<Next> Server::settle_exchange(ServerExchange& exchange) {
  if (!exchange.responded()) {
    if (!exchange.request_fault()) co_return Next::aborted;
    write_refusal(exchange.request_fault());
    co_return Next::close;
  }
  if (exchange.is_tunnel()) co_return exchange.write_side() == WriteSide::finished ? Next::done : Next::aborted;
  if (!exchange.response_complete() || outbox_.failed()) co_return Next::aborted;
  if (exchange.must_close() || draining_) co_return Next::close;
  if (!exchange.request_complete()) {
    Task<Next> discarding = discard_body(exchange);
    const Next next = co_await discarding;
    if (next != Next::again) co_return next;
  }
  // A client that sends requests and reads no answers must not make them pile up here.
  if (outbox_.buffer().size() > Outbox::kCorkBytes || outbox_.stuck()) {
    Task<bool> draining = drain_outbox();
    const bool drained = co_await draining;
    if (!drained) co_return Next::aborted;
  }
  co_return Next::again;
}

Task<Next> Server::discard_body(ServerExchange& exchange) {
  const TimePoint deadline = context_.loop.now() + context_.limits.linger_time;
  std::uint64_t discarded = 0;
  Buffer dropped;
  for (;;) {
    const Io io = exchange.try_read(dropped, kHeadReadBytes);
    dropped.clear();
    discarded += io.bytes;
    if (io.state == Io::State::ended) co_return Next::again;
    // The answer is complete: it shall arrive even if the request never does.
    if (io.state == Io::State::failed) co_return Next::close;
    if (discarded > context_.limits.linger_bytes || context_.loop.now() >= deadline) co_return Next::close;
    if (io.state == Io::State::would_block) co_await wait_.wait(deadline);
  }
}

Task<bool> Server::drain_outbox() {
  Task<Result<void>> draining = outbox_.drain(context_.loop.now() + context_.limits.write_time);
  const Result<void> drained = co_await draining;
  if (!drained.ok() && drained.error().kind == Error::Kind::timeout && !outbox_.failed()) {
    context_.counters.add(Counter::write_timeouts);
    transport_.abort(drained.error());
  }
  co_return drained.ok();
}

Task<void> Server::end(Next how) {
  if (how == Next::close) {
    Task<bool> draining = drain_outbox();
    const bool drained = co_await draining;
    if (drained) {
      input_.clear();
      Task<void> closing = http::close_in_order(context_, transport_, wait_);
      co_await closing;
    } else {
      how = Next::aborted;
    }
  }
  if (how == Next::aborted) transport_.abort(Error(Error::Kind::cancelled, "the connection was given up"));
  Task<void> outbox_settling = outbox_.settle();
  co_await outbox_settling;
  Task<void> wait_settling = wait_.settle();
  co_await wait_settling;
}

void Server::drain() noexcept {
  draining_ = true;
  if (current_ == nullptr && !head_begun_) wait_.interrupt();
}

void Server::abort(Error reason) noexcept {
  aborted_ = true;
  if (current_ != nullptr) current_->abort(reason);
  outbox_.clear();
  transport_.abort(std::move(reason));
}

}  // namespace

std::unique_ptr<http::ServerConnection> make_server(const Context& context, Stream& stream,
                                                    http::ExchangeHandler& handler,
                                                    const http::ServerOptions& options) {
  return std::make_unique<Server>(context, stream, handler, options);
}

}  // namespace tunnel::h1
