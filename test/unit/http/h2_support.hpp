// SPDX-License-Identifier: Apache-2.0
// For the tests of HTTP/2: our client and server joined by a user-space pair, and RawPeer, which writes frames byte by
// byte and so may break any rule.
#pragma once
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.hpp"
#include "stream/user_space_pair.hpp"
#include "support/h2_bytes.hpp"
#include "support/sim_loop.hpp"

namespace tunnel::test {

using Serve = std::function<Task<void>(http::ServerExchange&)>;

class Handler final : public http::ExchangeHandler {
 public:
  explicit Handler(Serve serve) : serve_(std::move(serve)) {}
  Task<void> serve(http::ServerExchange& exchange) override {
    ++served;
    return serve_(exchange);
  }
  void rejected(std::string_view /*protocol*/, std::uint16_t status, std::size_t /*body_bytes*/,
                std::string_view detail) override {
    rejections.emplace_back(status, detail);
  }
  int served = 0;
  std::vector<std::pair<int, std::string>> rejections;

 private:
  Serve serve_;
};

inline http::RequestHead get(std::string path = "/") {
  http::RequestHead head;
  head.method = "GET";
  head.scheme = "http";
  head.authority = "example.test";
  head.path = std::move(path);
  return head;
}

inline http::RequestHead post() {
  http::RequestHead head = get("/upload");
  head.method = "POST";
  return head;
}

inline http::RequestHead connect_to(std::string authority = "target.test:443") {
  http::RequestHead head;
  head.method = "CONNECT";
  head.authority = std::move(authority);
  return head;
}

inline http::ResponseHead status(std::uint16_t code) {
  http::ResponseHead head;
  head.status = code;
  return head;
}

// Bytes that differ everywhere, so that a lost or doubled piece shows.
inline std::string pattern(std::size_t bytes, std::uint32_t seed = 1) {
  std::string text(bytes, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& c : text) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

inline Task<std::string> read_all(Stream& stream, Error* failure = nullptr) {
  std::string text;
  for (;;) {
    Buffer piece;
    Result<std::size_t> n = co_await stream.read(piece, 65536);
    if (!n.ok()) {
      if (failure != nullptr) *failure = n.error();
      break;
    }
    if (*n == 0) break;
    text += piece.to_string();
  }
  co_return text;
}

inline Task<std::string> read_exactly(Stream& stream, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    Buffer piece;
    Result<std::size_t> n = co_await stream.read(piece, bytes - text.size());
    if (!n.ok() || *n == 0) break;
    text += piece.to_string();
  }
  co_return text;
}

inline Task<Result<void>> write_text(Stream& stream, std::string text) {
  Buffer bytes;
  std::string_view left = text;
  while (!left.empty()) {
    bytes.append(left.substr(0, 100000));
    left.remove_prefix(std::min<std::size_t>(left.size(), 100000));
    Result<void> written = co_await stream.write(bytes);
    if (!written.ok()) co_return written;
  }
  co_return Result<void>();
}

inline Task<void> write_all(Stream& stream, std::string text, bool end = true) {
  Result<void> written = co_await write_text(stream, std::move(text));
  if (written.ok() && end) {
    Result<void> finished = co_await stream.shutdown_write();
    (void)finished.ok();
  }
}

struct Reply {
  Error error;
  std::vector<http::ResponseHead> heads;
  std::string body;
  http::Fields trailers;
  std::uint16_t status() const { return heads.empty() ? 0 : heads.back().status; }
};

inline Task<void> receive(http::ClientExchange& exchange, Reply& reply) {
  for (;;) {
    Result<http::ResponseHead> head = co_await exchange.head();
    if (!head.ok()) {
      reply.error = head.error();
      co_return;
    }
    reply.heads.push_back(*head);
    if (head->status >= 200) break;
  }
  Task<std::string> reading = read_all(exchange, &reply.error);
  reply.body = co_await reading;
  reply.trailers = exchange.trailers();
}

// Sends a request with its body while the answer is received.
inline Task<Reply> fetch(http::ClientExchange& exchange, http::RequestHead head, std::string body = {},
                         bool announce = true) {
  Reply reply;
  http::Body kind = announce ? http::Body::of(body.size()) : http::Body::unknown();
  Result<void> sent = co_await exchange.send(head, kind);
  if (!sent.ok()) {
    reply.error = sent.error();
    co_return reply;
  }
  Task<void> writing = write_all(exchange, std::move(body));
  Task<void> reading = receive(exchange, reply);
  co_await join(writing, reading);
  co_return reply;
}

inline Task<void> echo(http::ServerExchange& exchange) {
  const http::Body body = exchange.request().is_connect() ? http::Body::tunnel() : http::Body::unknown();
  Result<void> responded = co_await exchange.respond(status(200), body);
  while (responded.ok()) {
    Buffer piece;
    Result<std::size_t> n = co_await exchange.read(piece, 65536);
    if (!n.ok()) co_return;
    if (*n == 0) break;
    Result<void> written = co_await exchange.write(piece);
    if (!written.ok()) co_return;
  }
  Result<void> finished = co_await exchange.shutdown_write();
  (void)finished.ok();
}

inline Task<void> answer(http::ServerExchange& exchange, std::uint16_t code, std::string body) {
  Result<void> responded = co_await exchange.respond(status(code), http::Body::of(body.size()));
  if (!responded.ok() || body.empty()) co_return;
  Task<void> writing = write_all(exchange, std::move(body));
  co_await writing;
}

inline Serve answering(std::uint16_t code, std::string body = {}) {
  return [code, body](http::ServerExchange& exchange) { return answer(exchange, code, body); };
}

// Our client and our server. Ends both when destroyed.
class Joined {
 public:
  explicit Joined(Serve serve, std::size_t pair_bytes = 65536, std::uint64_t seed = 0)
      : Joined(serve, {}, pair_bytes, seed) {}
  Joined(Serve serve, const std::function<void(Limits&)>& change, std::size_t pair_bytes = 65536,
         std::uint64_t seed = 0)
      : world(seed), handler(std::move(serve)) {
    if (change) change(world.limits);
    auto [near, far] = make_user_space_pair(world.context, pair_bytes);
    transport = near.get();
    server_transport = std::move(far);
    server = h2::make_server(world.context, *server_transport, handler, options);
    client = h2::make_client(world.context, std::move(near));
    server_run.emplace(start(server->run()));
    client_run.emplace(start(client->run()));
    world.loop.run();
  }
  ~Joined() {
    if (client) client->abort(Error(Error::Kind::shutdown));
    if (server) server->abort(Error(Error::Kind::shutdown));
    world.loop.run();
    EXPECT_TRUE(!client || client_run->done());
    EXPECT_TRUE(!server || server_run->done());
    client.reset();
    server.reset();
    server_transport.reset();
    EXPECT_TRUE(world.gauges_are_zero());
  }
  Reply fetch_one(http::RequestHead head, std::string body = {}) {
    auto exchange = client->open();
    Reply reply = world.await(fetch(*exchange, std::move(head), std::move(body)));
    exchange.reset();
    world.loop.run();
    return reply;
  }
  // A tunnel that stands.
  std::unique_ptr<http::ClientExchange> tunnel() {
    auto exchange = client->open();
    EXPECT_TRUE(world.await(exchange->send(connect_to(), http::Body::tunnel())).ok());
    Result<http::ResponseHead> head = world.await(exchange->head());
    EXPECT_TRUE(head.ok() && head->status == 200);
    return exchange;
  }
  std::uint64_t count(Counter counter) const { return world.counters.value(counter); }

  SimWorld world;
  Handler handler;
  http::ServerOptions options;
  Stream* transport = nullptr;  // the client's
  StreamPtr server_transport;
  std::unique_ptr<http::ServerConnection> server;
  std::unique_ptr<http::ClientConnection> client;
  std::optional<Started<void>> server_run;
  std::optional<Started<void>> client_run;
};

// A handler that opens the tunnel and gives its exchange to the test, which ends it.
struct Far {
  explicit Far(Loop& loop) : released(loop) {}
  http::ServerExchange* exchange = nullptr;
  Notify released;
};

struct Tunnels {
  std::vector<std::unique_ptr<Far>> far;
  Serve serve() {
    return [this](http::ServerExchange& exchange) { return hold(exchange); };
  }
  Task<void> hold(http::ServerExchange& exchange) {
    far.push_back(std::make_unique<Far>(exchange.loop()));
    Far& mine = *far.back();
    mine.exchange = &exchange;
    Result<void> responded = co_await exchange.respond(status(200), http::Body::tunnel());
    EXPECT_TRUE(responded.ok());
    co_await mine.released.wait();
    mine.exchange = nullptr;
  }
  http::ServerExchange& operator[](std::size_t i) { return *far.at(i)->exchange; }
  void release() {
    for (auto& one : far) one->released.set();
  }
};

struct Told final : ResetObserver {
  void on_stream_reset(Stream& /*stream*/) noexcept override { ++times; }
  int times = 0;
};

struct Frame {
  int type = 0;
  int flags = 0;
  std::int32_t id = 0;
  std::string payload;
  std::uint32_t number(std::size_t at = 0) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4 && at + i < payload.size(); ++i)
      value = value << 8 | static_cast<std::uint8_t>(payload[at + i]);
    return value;
  }
};

// The other end of a connection of ours, byte by byte. It reads everything at once and answers nothing by itself.
class RawPeer {
 public:
  enum class Role : std::uint8_t { client, server };
  // Role::client talks to our server, Role::server to our client.
  RawPeer(Role role, Serve serve, const std::function<void(Limits&)>& change = {},
          const http::ClientOptions& client_options = {}, const http::ServerOptions& server_options = {})
      : handler(std::move(serve)), options(server_options) {
    if (change) change(world.limits);
    auto [near, far] = make_user_space_pair(world.context, std::size_t{1} << 20);
    wire = std::move(near);
    nghttp2_hd_inflate_new(&inflater_);
    if (role == Role::client) {
      transport = std::move(far);
      server = h2::make_server(world.context, *transport, handler, options);
      run.emplace(start(server->run()));
      send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0));
    } else {
      client = h2::make_client(world.context, std::move(far), client_options);
      run.emplace(start(client->run()));
      world.loop.run();
      send(frame(kSettings, 0, 0));
    }
    send(frame(kSettings, kAck, 0));
  }
  ~RawPeer() {
    if (server) server->abort(Error(Error::Kind::shutdown));
    if (client) client->abort(Error(Error::Kind::shutdown));
    world.loop.run();
    EXPECT_TRUE(run->done());
    client.reset();
    server.reset();
    transport.reset();
    wire.reset();
    nghttp2_hd_inflate_del(inflater_);
    EXPECT_TRUE(world.gauges_are_zero());
  }

  // Writes as much as is taken, and reads what came.
  void send(std::string_view bytes) {
    Buffer buffer;
    buffer.append(bytes);
    while (!buffer.empty()) {
      const Io io = wire->try_write(buffer, More::no);
      world.loop.run();
      if (deaf) {
        if (io.state != Io::State::done) break;
        continue;
      }
      take();
      if (io.state == Io::State::failed) break;
    }
    world.loop.run();
    if (!deaf) take();
  }
  void headers(std::int32_t id, const Pairs& fields, int flags = kEndHeaders) {
    const std::string block = hpack(fields);
    std::string bytes = frame(kHeaders, block.size() > 16384 ? flags & kEndStream : flags | kEndHeaders, id,
                              std::string_view(block).substr(0, 16384));
    if (block.size() > 16384) bytes += frame(kContinuation, kEndHeaders, id, std::string_view(block).substr(16384));
    send(bytes);
  }
  // Reads what is there; true if the connection has ended.
  bool take() {
    Buffer bytes;
    for (;;) {
      const Io io = wire->try_read(bytes, 65536);
      if (io.state != Io::State::done) {
        ended = ended || io.state != Io::State::would_block;
        break;
      }
      world.loop.run();
    }
    input_ += bytes.to_string();
    if (client && !preface_seen_ && input_.size() >= 24) {
      input_.erase(0, 24);
      preface_seen_ = true;
    }
    while (input_.size() >= 9) {
      Frame f;
      std::size_t length = 0;
      for (int i = 0; i < 3; ++i) length = length << 8 | static_cast<std::uint8_t>(input_[static_cast<std::size_t>(i)]);
      if (input_.size() < 9 + length) break;
      f.type = static_cast<std::uint8_t>(input_[3]);
      f.flags = static_cast<std::uint8_t>(input_[4]);
      f.payload = input_.substr(5, 4);
      f.id = static_cast<std::int32_t>(f.number());
      f.payload = input_.substr(9, length);
      input_.erase(0, 9 + length);
      if (f.type == kHeaders) decoded.emplace_back(f.id, inflate(f.payload));
      frames.push_back(std::move(f));
    }
    return ended;
  }

  const Frame* find(int type, std::int32_t id = -1) const {
    for (const Frame& f : frames)
      if (f.type == type && (id < 0 || f.id == id)) return &f;
    return nullptr;
  }
  std::size_t number_of(int type, std::int32_t id = -1) const {
    return static_cast<std::size_t>(std::count_if(
        frames.begin(), frames.end(), [&](const Frame& f) { return f.type == type && (id < 0 || f.id == id); }));
  }
  std::string data(std::int32_t id) const {
    std::string text;
    for (const Frame& f : frames)
      if (f.type == kData && f.id == id) text += f.payload;
    return text;
  }
  // Code of the last RST_STREAM (GOAWAY) that came; -1: none did.
  int reset_code(std::int32_t id) const {
    const Frame* f = find(kRst, id);
    return f == nullptr ? -1 : static_cast<int>(f->number());
  }
  int goaway_code() const {
    int code = -1;
    for (const Frame& f : frames)
      if (f.type == kGoaway) code = static_cast<int>(f.number(4));
    return code;
  }
  std::string field(std::int32_t id, std::string_view name) const {
    for (const auto& [stream, fields] : decoded)
      if (stream == id)
        for (const auto& [n, v] : fields)
          if (n == name) return v;
    return {};
  }
  std::string status_of(std::int32_t id) const { return field(id, ":status"); }
  std::uint64_t count(Counter counter) const { return world.counters.value(counter); }

  SimWorld world;
  Handler handler;
  http::ServerOptions options;
  StreamPtr wire;
  StreamPtr transport;
  std::unique_ptr<http::ServerConnection> server;
  std::unique_ptr<http::ClientConnection> client;
  std::optional<Started<void>> run;
  std::vector<Frame> frames;
  std::vector<std::pair<std::int32_t, Pairs>> decoded;
  bool ended = false;
  bool deaf = false;  // does not read

 private:
  Pairs inflate(const std::string& block) {
    Pairs fields;
    const auto* in = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv nv;
      int flags = 0;
      const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, in, left, 1);
      if (n < 0) break;
      in += n;
      left -= static_cast<std::size_t>(n);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
        fields.emplace_back(std::string(reinterpret_cast<const char*>(nv.name), nv.namelen),
                            std::string(reinterpret_cast<const char*>(nv.value), nv.valuelen));
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      if (left == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string input_;
  bool preface_seen_ = false;
};

}  // namespace tunnel::test
