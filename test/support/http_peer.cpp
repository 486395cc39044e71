// SPDX-License-Identifier: Apache-2.0
#include "support/http_peer.hpp"

#include <utility>

namespace tunnel::test {
namespace {

Task<void> send_content(http::ClientExchange& exchange, std::string content, http::Fields trailers) {
  if (content.empty()) co_return;
  Buffer body(content);
  Result<void> written = co_await exchange.write(body);
  if (!written.ok()) co_return;
  Result<void> finished = co_await exchange.finish(trailers);
  (void)finished.ok();
}

Task<void> receive(http::ClientExchange& exchange, Answer& answer) {
  for (;;) {
    Result<http::ResponseHead> head = co_await exchange.head();
    if (!head.ok()) {
      answer.error = head.error();
      co_return;
    }
    if (head->status >= 200) {
      answer.head = std::move(*head);
      break;
    }
    answer.interim.push_back(std::move(*head));
  }
  if (exchange.response_body().kind == http::Body::Kind::none) {
    answer.ended = true;
    co_return;
  }
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await exchange.read(buffer, 65536);
    answer.body += buffer.to_string();
    buffer.clear();
    if (!n.ok()) answer.error = n.error();
    if (n.ok() && *n == 0) answer.ended = true;
    if (!n.ok() || *n == 0) break;
  }
  answer.trailers = exchange.trailers();
}

}  // namespace

http::RequestHead get(const std::string& authority, const std::string& path, const std::string& method) {
  http::RequestHead head;
  head.method = method;
  head.scheme = "http";
  head.authority = authority;
  head.path = path;
  return head;
}

http::RequestHead connect_request(const std::string& authority) {
  http::RequestHead head;
  head.method = "CONNECT";
  head.authority = authority;
  return head;
}

Task<Answer> ask(std::unique_ptr<http::ClientExchange> exchange, http::RequestHead head, std::string content,
                 http::Fields trailers) {
  Answer answer;
  http::Body body = http::Body::none();
  if (head.is_connect())
    body = http::Body::tunnel();
  else if (!trailers.empty())
    body = http::Body::unknown();
  else if (!content.empty())
    body = http::Body::of(content.size());
  Result<void> sent = co_await exchange->send(head, body);
  if (!sent.ok()) {
    answer.error = sent.error();
    co_return answer;
  }
  Task<void> up = send_content(*exchange, std::move(content), std::move(trailers));
  Task<void> down = receive(*exchange, answer);
  co_await join(up, down);
  co_return answer;
}

HttpClient::HttpClient(World& world, plan::Http version, StreamPtr stream)
    : loop_(world.loop),
      connection_(version == plan::Http::h2 ? h2::make_client(world.outside, std::move(stream))
                                            : h1::make_client(world.outside, std::move(stream))) {
  spawn(connection_->run());
}

HttpClient::~HttpClient() {
  connection_->abort(Error(Error::Kind::cancelled, "the test is over"));
  loop_.run();
}

HttpServer::HttpServer(World& world, const std::string& address, plan::Http version, Serve serve)
    : world_(world), address_(address), version_(version), serve_(std::move(serve)) {
  world.network.at(address).serve = [this](StreamPtr stream) {
    auto connection = std::make_shared<Connection>();
    connection->stream = std::move(stream);
    const http::ServerOptions options;
    connection->server = version_ == plan::Http::h2
                             ? h2::make_server(world_.outside, *connection->stream, *this, options)
                             : h1::make_server(world_.outside, *connection->stream, *this, options);
    connections_.push_back(connection);
    spawn(run(connection));
  };
}

HttpServer::~HttpServer() {
  world_.network.at(address_).serve = nullptr;
  for (const auto& connection : connections_)
    if (!connection->ended) connection->server->abort(Error(Error::Kind::cancelled, "the test is over"));
  world_.loop.run();
}

std::size_t HttpServer::open_connections() const {
  std::size_t open = 0;
  for (const auto& connection : connections_) open += connection->ended ? 0 : 1;
  return open;
}

Task<void> HttpServer::run(std::shared_ptr<Connection> connection) {
  co_await connection->server->run();
  connection->ended = true;
  connection->server.reset();
  connection->stream.reset();
}

Task<void> HttpServer::serve(http::ServerExchange& exchange) {
  requests_.push_back(exchange.request());
  co_await serve_(exchange);
}

Task<void> reply(http::ServerExchange& exchange, std::uint16_t status, std::string body, http::Fields fields) {
  http::ResponseHead head;
  head.status = status;
  head.fields = std::move(fields);
  Result<void> sent = co_await exchange.respond(head, body.empty() ? http::Body::none() : http::Body::of(body.size()));
  if (!sent.ok() || body.empty()) co_return;
  Buffer buffer(body);
  Result<void> written = co_await exchange.write(buffer);
  if (!written.ok()) co_return;
  Result<void> finished = co_await exchange.shutdown_write();
  (void)finished.ok();
}

Task<void> no_answer(http::ServerExchange& exchange) {
  struct Watch final : ResetObserver {
    explicit Watch(Loop& loop) : told(loop) {}
    void on_stream_reset(Stream&) noexcept override { told.set(); }
    Notify told;
  } watch(exchange.loop());
  exchange.on_reset(&watch);
  co_await watch.told.wait();
  exchange.on_reset(nullptr);
}

Task<void> echo_tunnel(http::ServerExchange& exchange) {
  const http::ResponseHead accepted{200, {}};
  Result<void> opened = co_await exchange.respond(accepted, http::Body::tunnel());
  if (!opened.ok()) co_return;
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await exchange.read(buffer, 65536);
    if (!n.ok() || *n == 0) break;
    Result<void> written = co_await exchange.write(buffer);
    if (!written.ok()) co_return;
  }
  Result<void> finished = co_await exchange.shutdown_write();
  (void)finished.ok();
}

}  // namespace tunnel::test
