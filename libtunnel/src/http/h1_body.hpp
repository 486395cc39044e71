// SPDX-License-Identifier: Apache-2.0
// One body each way of an HTTP/1.1 exchange, over a transport that belongs to somebody else. Identity bodies and
// tunnels pass from stream to stream by count; only chunk framing is parsed. Holds at most one read of bytes.
#pragma once
#include <cstdint>
#include <memory>

#include "http/h1_outbox.hpp"
#include "http/h1_parser.hpp"
#include "http/h1_writer.hpp"

namespace tunnel::h1 {

class Inbound {
 public:
  // `truncated` is the error of a body that stops short.
  explicit Inbound(Error truncated) : truncated_(std::move(truncated)) {}
  void start(Framing framing, std::uint64_t length, const Limits& limits);

  // As Stream::try_read; after `failed` see error().
  Io read(Stream& transport, Buffer& into, std::size_t max);
  // read() would not only wait for the transport.
  bool ready() const;
  bool complete() const { return complete_; }  // to the last byte of framing
  bool is_open_tunnel() const { return framing_ == Framing::tunnel && !complete_ && !error_; }
  const Error& error() const { return error_; }
  const http::Fault& fault() const { return fault_; }  // of the chunked coding
  const http::Fields& trailers() const;

 private:
  Io read_counted(Stream& transport, Buffer& into, std::size_t max);
  Io read_chunked(Stream& transport, Buffer& into, std::size_t max);
  Io fail(Error error);
  Error broken_coding() const;

  Error truncated_;
  Error error_;
  http::Fault fault_;
  Framing framing_ = Framing::none;
  std::uint64_t left_ = 0;  // until_end, tunnel: never reached
  std::unique_ptr<ChunkDecoder> decoder_;
  Buffer input_;  // chunked, not yet decoded
  bool starved_ = true;
  bool complete_ = false;
};

class Outbound {
 public:
  void start(Framing framing, std::uint64_t length);
  bool started() const { return started_; }
  Framing framing() const { return framing_; }
  // As Stream::try_write. Bytes for a message that carries none (HEAD, 204, 304) are dropped.
  Io write(Outbox& outbox, Stream& transport, Buffer& from);
  // Ends a message; fails if bytes announced are missing. Not for tunnels.
  Result<void> finish(Outbox& outbox, const http::Fields& trailers);
  bool complete() const { return complete_; }
  const Error& error() const { return error_; }

 private:
  Io write_plain(Outbox& outbox, Stream& transport, Buffer& from);
  Io write_chunked(Outbox& outbox, Buffer& from);

  Error error_;
  Framing framing_ = Framing::none;
  std::uint64_t left_ = 0;
  bool started_ = false;
  bool complete_ = false;
};

}  // namespace tunnel::h1
