// SPDX-License-Identifier: Apache-2.0
// What the HTTP/1.1 tests share: a raw peer that writes and collects bytes, a handler made of a function, a server over
// a user-space pair, and a go-between that passes bytes on in small pieces.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.hpp"
#include "stream/user_space_pair.hpp"
#include "support/sim_loop.hpp"

namespace tunnel::test::http1 {

// The far end of a connection, speaking bytes.
class RawPeer {
 public:
  RawPeer(SimWorld& world, StreamPtr stream) : world_(world), stream_(std::move(stream)) {
    reading_.emplace(start(collect()));
  }
  ~RawPeer() {
    if (stream_) drop();
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  // Writes all at once, or byte by byte with everything else run in between. Returns false once the peer refuses.
  bool write(std::string_view bytes, bool ragged = false) {
    if (!ragged) return write_piece(bytes);
    for (const char& byte : bytes)
      if (!write_piece(std::string_view(&byte, 1))) return false;
    return true;
  }
  void finish() {
    (void)world_.await(stream_->shutdown_write()).ok();
    world_.loop.run();
  }
  void drop() {
    stream_->abort(Error(Error::Kind::cancelled, "the test is over"));
    world_.loop.run();
    stream_.reset();
    world_.loop.run();
  }
  const std::string& received() const { return received_; }
  std::string take() { return std::exchange(received_, {}); }
  bool ended() const { return ended_; }
  bool reset() const { return reset_; }
  Stream& stream() { return *stream_; }

 private:
  bool write_piece(std::string_view bytes) {
    Buffer buffer(bytes);
    Started<Result<void>> writing = start(stream_->write(buffer));
    world_.loop.run();
    if (!writing.done()) {
      ADD_FAILURE() << "a write waits for ever";
      drop();
      return false;
    }
    return writing.value().ok();
  }
  Task<void> collect() {
    Buffer buffer;
    for (;;) {
      Result<std::size_t> n = co_await stream_->read(buffer, 65536);
      if (!n.ok() || *n == 0) {
        (n.ok() ? ended_ : reset_) = true;
        co_return;
      }
      received_ += buffer.to_string();
      buffer.clear();
    }
  }
  SimWorld& world_;
  StreamPtr stream_;
  std::optional<Started<void>> reading_;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
};

inline Task<Result<std::string>> read_all(Stream& stream) {
  std::string text;
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await stream.read(buffer, 65536);
    if (!n.ok()) co_return n.error();
    if (*n == 0) co_return text;
    text += buffer.to_string();
    buffer.clear();
  }
}

inline Task<Result<void>> write_text(Stream& stream, std::string text) {
  Buffer buffer(text);
  co_return co_await stream.write(buffer);
}

// Answers 200 with the request in one line and the body it came with.
inline Task<void> echo_request(http::ServerExchange& exchange) {
  Result<std::string> body = co_await read_all(exchange);
  if (!body.ok()) {
    exchange.abort(body.error());
    co_return;
  }
  const http::RequestHead& head = exchange.request();
  const std::string text =
      head.method + " " + head.scheme + " " + head.authority + " " + head.path + " [" + *body + "]";
  http::ResponseHead answer;
  const http::Body length = http::Body::of(text.size());
  (void)(co_await exchange.respond(answer, length)).ok();
  (void)(co_await write_text(exchange, text)).ok();
  (void)(co_await exchange.shutdown_write()).ok();
}

struct TestHandler final : http::ExchangeHandler {
  using Serve = std::function<Task<void>(http::ServerExchange&)>;
  explicit TestHandler(Serve function = echo_request) : serving(std::move(function)) {}
  Task<void> serve(http::ServerExchange& exchange) override {
    requests.push_back(exchange.request().method + " " + exchange.request().authority + exchange.request().path);
    co_await serving(exchange);
  }
  void rejected(std::string_view, std::uint16_t status, std::size_t, std::string_view detail) override {
    rejections.emplace_back(status, std::string(detail));
  }
  Serve serving;
  std::vector<std::string> requests;
  std::vector<std::pair<std::uint16_t, std::string>> rejections;
};

// A server on one end of a pair. When its connection has ended the stream is destroyed, as an owner would.
class TestServer {
 public:
  TestServer(SimWorld& world, StreamPtr stream, http::ExchangeHandler& handler, http::ServerOptions options = {})
      : stream_(std::move(stream)),
        connection_(h1::make_server(world.context, *stream_, handler, options)),
        running_(start(drive())) {}
  bool done() const { return running_.done(); }
  http::ServerConnection& connection() { return *connection_; }

 private:
  Task<void> drive() {
    co_await connection_->run();
    orderly = stream_->write_side() == WriteSide::finished;
    connection_.reset();
    stream_.reset();
  }
  StreamPtr stream_;
  std::unique_ptr<http::ServerConnection> connection_;
  Started<void> running_;

 public:
  bool orderly = false;
};

// Passes bytes on in pieces of 1 to `most` bytes until the end or a reset, which it passes on too.
inline Task<void> pass_ragged(Stream& from, Stream& to, std::size_t most, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await from.read(buffer, 1 + random() % most);
    if (!n.ok()) {
      (void)(co_await to.flush(to.loop().now() + std::chrono::hours(1))).ok();
      to.abort(n.error());
      co_return;
    }
    if (*n == 0) {
      (void)(co_await to.shutdown_write()).ok();
      co_return;
    }
    Result<void> written = co_await to.write(buffer);
    if (!written.ok()) {
      from.abort(written.error());
      co_return;
    }
  }
}

// Two streams joined by a go-between.
class RaggedPath {
 public:
  RaggedPath(SimWorld& world, std::size_t most, std::size_t high_mark, std::uint64_t seed) : world_(world) {
    auto [a, near] = make_user_space_pair(world.context, high_mark);
    auto [far, b] = make_user_space_pair(world.context, high_mark);
    left = std::move(a);
    right = std::move(b);
    near_ = std::move(near);
    far_ = std::move(far);
    up_.emplace(start(pass_ragged(*near_, *far_, most, seed)));
    down_.emplace(start(pass_ragged(*far_, *near_, most, seed + 1)));
  }
  ~RaggedPath() {
    left.reset();
    right.reset();
    world_.loop.run();
    near_->abort(Error(Error::Kind::cancelled));
    far_->abort(Error(Error::Kind::cancelled));
    world_.loop.run();
  }
  RaggedPath(const RaggedPath&) = delete;
  RaggedPath& operator=(const RaggedPath&) = delete;
  StreamPtr left;
  StreamPtr right;

 private:
  SimWorld& world_;
  StreamPtr near_;
  StreamPtr far_;
  std::optional<Started<void>> up_;
  std::optional<Started<void>> down_;
};

inline std::string status_line(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }
inline std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : answer.substr(end + 4);
}
inline std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

// Bytes that show where they come from.
inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

}  // namespace tunnel::test::http1
