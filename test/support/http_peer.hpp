// SPDX-License-Identifier: Apache-2.0
// The test's own ends of HTTP connections, over the codecs of the library: a client connection and a server.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.hpp"
#include "support/world.hpp"

namespace tunnel::test {

// What came back for a request.
struct Answer {
  std::vector<http::ResponseHead> interim;
  http::ResponseHead head{0, {}};  // status 0: none came
  std::string body;
  http::Fields trailers;
  bool ended = false;  // the body came to its end
  Error error;
  std::string field(std::string_view name) const {
    const std::string* value = head.fields.find(name);
    return value == nullptr ? "" : *value;
  }
};

http::RequestHead get(const std::string& authority, const std::string& path = "/", const std::string& method = "GET");
http::RequestHead connect_request(const std::string& authority);

// Sends a request with `content` as its body while it reads the answer.
Task<Answer> ask(std::unique_ptr<http::ClientExchange> exchange, http::RequestHead head, std::string content,
                 http::Fields trailers = {});

class HttpClient {
 public:
  HttpClient(World& world, plan::Http version, StreamPtr stream);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  // Exchanges must be gone, or be those of ask().
  ~HttpClient();
  std::unique_ptr<http::ClientExchange> open() { return connection_->open(); }
  Started<Answer> ask(http::RequestHead head, std::string content = {}) {
    return start(test::ask(open(), std::move(head), std::move(content)));
  }
  http::ClientConnection& connection() { return *connection_; }

 private:
  SimLoop& loop_;
  std::unique_ptr<http::ClientConnection> connection_;
};

// Serves what connects to a place: `handler` is called for every exchange.
class HttpServer final : private http::ExchangeHandler {
 public:
  using Serve = std::function<Task<void>(http::ServerExchange&)>;
  HttpServer(World& world, const std::string& address, plan::Http version, Serve serve);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();
  std::size_t connections() const { return connections_.size(); }
  std::size_t open_connections() const;
  http::ServerConnection& connection(std::size_t n) { return *connections_.at(n)->server; }
  Stream& stream(std::size_t n) { return *connections_.at(n)->stream; }
  const std::vector<http::RequestHead>& requests() const { return requests_; }

 private:
  struct Connection {
    StreamPtr stream;
    std::unique_ptr<http::ServerConnection> server;
    bool ended = false;
  };
  Task<void> serve(http::ServerExchange& exchange) override;
  void rejected(std::string_view, std::uint16_t, std::size_t, std::string_view) override {}
  Task<void> run(std::shared_ptr<Connection> connection);
  World& world_;
  std::string address_;
  plan::Http version_;
  Serve serve_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::vector<http::RequestHead> requests_;
};

// Answers with a status and a text.
Task<void> reply(http::ServerExchange& exchange, std::uint16_t status, std::string body, http::Fields fields = {});
// Says nothing until the exchange is reset.
Task<void> no_answer(http::ServerExchange& exchange);
// Accepts a CONNECT and echoes its bytes until its end.
Task<void> echo_tunnel(http::ServerExchange& exchange);

}  // namespace tunnel::test
