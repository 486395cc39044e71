// SPDX-License-Identifier: Apache-2.0
#include "http/h1_body.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::h1 {
namespace {

constexpr std::size_t kReadBytes = 65536;
constexpr std::size_t kWriteBytes = 65536;
const http::Fields kNoTrailers;

}  // namespace

void Inbound::start(Framing framing, std::uint64_t length, const Limits& limits) {
  framing_ = framing;
  left_ = framing == Framing::length ? length : UINT64_MAX;
  complete_ = framing == Framing::none || left_ == 0;
  if (framing == Framing::chunked) decoder_ = std::make_unique<ChunkDecoder>(limits);
}

const http::Fields& Inbound::trailers() const { return decoder_ ? decoder_->trailers() : kNoTrailers; }

bool Inbound::ready() const { return complete_ || error_ || (!starved_ && !input_.empty()); }

Io Inbound::fail(Error error) {
  error_ = std::move(error);
  return {Io::State::failed, 0};
}

Io Inbound::read(Stream& transport, Buffer& into, std::size_t max) {
  if (error_) return {Io::State::failed, 0};
  if (complete_) return {Io::State::ended, 0};
  return framing_ == Framing::chunked ? read_chunked(transport, into, max) : read_counted(transport, into, max);
}

Io Inbound::read_counted(Stream& transport, Buffer& into, std::size_t max) {
  const Io io = transport.try_read(into, static_cast<std::size_t>(std::min<std::uint64_t>(max, left_)));
  switch (io.state) {
    case Io::State::done:
      if (framing_ != Framing::length) break;
      left_ -= io.bytes;
      complete_ = left_ == 0;
      break;
    case Io::State::ended:
      if (framing_ == Framing::length) return fail(truncated_);
      complete_ = true;
      break;
    case Io::State::failed:
      return fail(transport.error());
    case Io::State::would_block:
      break;
  }
  return io;
}

// A request's fault is the client's; a response's is told to our client as 502.
Error Inbound::broken_coding() const {
  const bool of_request = truncated_.status == 400;
  Error error(Error::Kind::protocol, fault_.what);
  error.with(of_request ? fault_.status : std::uint16_t{502},
             of_request ? "http_request_error" : "http_protocol_error");
  return error.on(truncated_.side);
}

Io Inbound::read_chunked(Stream& transport, Buffer& into, std::size_t max) {
  const std::size_t before = into.size();
  for (;;) {
    starved_ = false;
    switch (decoder_->decode(input_, into, max)) {
      case ChunkDecoder::Step::data:
        return {Io::State::done, into.size() - before};
      case ChunkDecoder::Step::end:
        complete_ = true;
        transport.unread(std::move(input_));
        return {Io::State::ended, 0};
      case ChunkDecoder::Step::fault:
        fault_ = decoder_->fault();
        return fail(broken_coding());
      case ChunkDecoder::Step::need_more:
        break;
    }
    starved_ = true;
    const Io io = transport.try_read(input_, kReadBytes);
    if (io.state == Io::State::would_block) return io;
    if (io.state == Io::State::failed) return fail(transport.error());
    if (io.state == Io::State::ended) return fail(truncated_);
  }
}

void Outbound::start(Framing framing, std::uint64_t length) {
  started_ = true;
  framing_ = framing;
  left_ = length;
  complete_ = framing == Framing::none || (framing == Framing::length && length == 0);
}

Io Outbound::write(Outbox& outbox, Stream& transport, Buffer& from) {
  if (outbox.failed()) {
    error_ = transport.error();
    return {Io::State::failed, 0};
  }
  switch (framing_) {
    case Framing::none: {
      const std::size_t dropped = from.size();
      from.clear();
      return {Io::State::done, dropped};
    }
    case Framing::chunked:
      return write_chunked(outbox, from);
    case Framing::length:
      if (from.size() > left_) {
        error_ = Error(Error::Kind::internal, "more body bytes than announced");
        return {Io::State::failed, 0};
      }
      break;
    case Framing::until_end:
    case Framing::tunnel:
      break;
  }
  const Io io = write_plain(outbox, transport, from);
  if (io.state == Io::State::failed) error_ = transport.error();
  if (framing_ == Framing::length) {
    left_ -= io.bytes;
    complete_ = left_ == 0;
  }
  return io;
}

Io Outbound::write_plain(Outbox& outbox, Stream& transport, Buffer& from) {
  if (outbox.empty()) return transport.try_write(from, More::no);
  if (outbox.stuck()) return {Io::State::would_block, 0};
  // Together with the head that still waits there.
  const std::size_t n = from.move_to(outbox.buffer(), std::min(from.size(), kWriteBytes));
  outbox.push();
  return {Io::State::done, n};
}

Io Outbound::write_chunked(Outbox& outbox, Buffer& from) {
  if (outbox.stuck() || (outbox.buffer().size() > Outbox::kCorkBytes && !outbox.push()))
    return {Io::State::would_block, 0};
  const std::size_t n = std::min(from.size(), kWriteBytes);
  write_chunk(outbox.buffer(), from, n);
  outbox.cork();
  return {Io::State::done, n};
}

Result<void> Outbound::finish(Outbox& outbox, const http::Fields& trailers) {
  if (framing_ == Framing::length && left_ > 0) return Error(Error::Kind::internal, "fewer body bytes than announced");
  if (framing_ == Framing::chunked) {
    write_last_chunk(outbox.buffer(), trailers);
    outbox.cork();
  }
  complete_ = true;
  return {};
}

}  // namespace tunnel::h1
