// SPDX-License-Identifier: Apache-2.0
#include "http/h1_server_exchange.hpp"

#include <utility>

namespace tunnel::h1 {
namespace {

Error truncated_request() {
  return Error(Error::Kind::closed, "the request was cut short")
      .with(400, "http_request_error")
      .on(Error::Side::downstream);
}

Framing framing_of(const http::Body& body) {
  switch (body.kind) {
    case http::Body::Kind::length:
      return Framing::length;
    case http::Body::Kind::unknown:
      return Framing::chunked;
    case http::Body::Kind::none:
    case http::Body::Kind::tunnel:
      break;
  }
  return Framing::none;
}

}  // namespace

ServerExchange::ServerExchange(const Context& context, Stream& transport, Outbox& outbox, http::ReadWait& wait,
                               http::JudgedRequest request, int version, const bool& closing)
    : ExchangeBase(context, transport, outbox, truncated_request()),
      wait_(wait),
      request_(std::move(request)),
      version_(version),
      closing_(closing),
      expects_continue_(version >= 11 && request_.head.fields.has_token("expect", "100-continue")) {
  in_.start(framing_of(request_.body), request_.body.length, context_.limits);
}

void ServerExchange::wait_transport(Slot& slot) {
  // A tunnel is never interrupted but aborted, and spared the detour.
  if (is_tunnel())
    transport_.on_readable(slot);
  else
    wait_.forward(slot);
}

Task<Result<void>> ServerExchange::inform(const http::ResponseHead& head) {
  if (aborted()) co_return error();
  if (responded_ || head.status < 100 || head.status > 199)
    co_return Error(Error::Kind::internal, "not an interim answer");
  if (version_ < 11) co_return Result<void>();  // HTTP/1.0 knows none (RFC 9110 section 15.2)
  const ResponseContext context;
  Result<Framing> written = write_response(outbox_.buffer(), head, http::Body::none(), context);
  if (!written.ok()) co_return written.error();
  if (head.status == 100) expects_continue_ = false;
  outbox_.cork();
  // A client that does not read must not make them pile up here.
  if (outbox_.buffer().size() <= Outbox::kCorkBytes) co_return Result<void>();
  Task<Result<void>> draining = outbox_.drain(TimePoint::max());
  co_return co_await draining;
}

bool ServerExchange::shall_close(const http::ResponseHead& head) const {
  const bool body_unwelcome = expects_continue_ && !in_.complete();  // the client may or may not send it now
  return closing_ || !request_.keep_alive || in_.fault() || body_unwelcome ||
         head.fields.has_token("connection", "close");
}

Task<Result<void>> ServerExchange::respond(const http::ResponseHead& head, http::Body body) {
  if (aborted()) co_return error();
  if (responded_ || head.status < 200) co_return Error(Error::Kind::internal, "not the one final answer");
  ResponseContext context;
  context.to_http10 = version_ < 11;
  context.to_head = request_.head.method == "HEAD";
  context.to_connect = request_.head.is_connect();
  context.to_post = request_.head.method == "POST" && request_.body.kind == http::Body::Kind::unknown;
  // What was a tunnel carries no other request, as with CONNECT.
  context.close = shall_close(head) || body.kind == http::Body::Kind::tunnel;
  Result<Framing> framing = write_response(outbox_.buffer(), head, body, context);
  if (!framing.ok()) co_return framing.error();
  responded_ = true;
  close_ = context.close || *framing == Framing::until_end;
  out_.start(*framing, body.length);
  if (*framing == Framing::tunnel) in_.start(Framing::tunnel, 0, context_.limits);
  if (body.kind == http::Body::Kind::none) set_write_side(WriteSide::finished);
  outbox_.cork();
  open_gates();
  if (outbox_.failed()) co_return transport_.error();
  co_return Result<void>();
}

}  // namespace tunnel::h1
