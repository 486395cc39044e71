// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <utility>

#include "http/exchange.hpp"
#include "stream/user_space_pair.hpp"
#include "support/sim_loop.hpp"
#include "support/stream_pair.hpp"
#include "support/wrapped_stream.hpp"

namespace tunnel::test {
namespace {

// The server's exchange belongs to its connection, which takes it back when the handler returns: when this is
// destroyed.
class LentExchange final : public WrappedStream {
 public:
  LentExchange(Stream& exchange, Notify& returned) : WrappedStream(exchange), returned_(returned) {}
  ~LentExchange() override { returned_.set(); }

 private:
  Notify& returned_;
};

class TunnelPair final : public StreamPair, private http::ExchangeHandler {
 public:
  TunnelPair(std::uint64_t seed, HttpVersion version) : world_(seed), returned_(world_.loop) {
    auto pair = make_user_space_pair(world_.context, 65536);
    server_stream_ = std::move(pair.second);
    if (version == HttpVersion::h1) {
      server_ = h1::make_server(world_.context, *server_stream_, *this, {});
      client_ = h1::make_client(world_.context, std::move(pair.first));
    } else {
      server_ = h2::make_server(world_.context, *server_stream_, *this, {});
      client_ = h2::make_client(world_.context, std::move(pair.first));
    }
    serving_.emplace(start(own()));
    driving_.emplace(start(client_->run()));
    world_.loop.run();
    auto exchange = client_->open();
    if (!world_.loop.await(connect(*exchange))) throw std::runtime_error("CONNECT failed");
    a = std::move(exchange);
    world_.loop.run();
    if (!b) throw std::runtime_error("no exchange arrived");
  }
  ~TunnelPair() override {
    a.reset();
    b.reset();
    if (client_ && driving_ && !driving_->done()) client_->abort(Error(Error::Kind::cancelled));
    if (server_) server_->abort(Error(Error::Kind::cancelled));
    world_.loop.run();
  }
  bool run(Task<void> task) override {
    Started<void> started = start(std::move(task));
    world_.loop.run_until([&started] { return started.done(); }, std::chrono::hours(1));
    if (started.done()) started.value();
    return started.done();
  }
  Loop& loop() override { return world_.loop; }
  bool clean() override {
    client_->close();
    world_.loop.advance(std::chrono::seconds(10));
    if (!driving_->done() || !serving_->done()) return false;
    client_.reset();
    return world_.gauges_are_zero();
  }

 private:
  // As whoever accepted the connection does.
  Task<void> own() {
    co_await server_->run();
    server_.reset();
    server_stream_.reset();
  }
  static Task<bool> connect(http::ClientExchange& exchange) {
    http::RequestHead head;
    head.method = "CONNECT";
    head.authority = "target.test:443";
    Result<void> sent = co_await exchange.send(head, http::Body::tunnel());
    if (!sent.ok()) co_return false;
    Result<http::ResponseHead> answer = co_await exchange.head();
    co_return answer.ok() && answer->status == 200 && exchange.response_body() == http::Body::tunnel();
  }
  Task<void> serve(http::ServerExchange& exchange) override {
    http::ResponseHead head;
    const http::Body body = http::Body::tunnel();
    Result<void> answered = co_await exchange.respond(head, body);
    if (!answered.ok()) co_return;
    b = std::make_unique<LentExchange>(exchange, returned_);
    co_await returned_.wait();
  }
  void rejected(std::string_view /*protocol*/, std::uint16_t /*status*/, std::size_t /*body_bytes*/,
                std::string_view /*detail*/) override {}

  SimWorld world_;
  Notify returned_;
  StreamPtr server_stream_;
  std::unique_ptr<http::ServerConnection> server_;
  std::unique_ptr<http::ClientConnection> client_;
  std::optional<Started<void>> serving_;
  std::optional<Started<void>> driving_;
};

}  // namespace

std::unique_ptr<StreamPair> make_tunnel_pair(std::uint64_t seed, HttpVersion version) {
  return std::make_unique<TunnelPair>(seed, version);
}

}  // namespace tunnel::test
