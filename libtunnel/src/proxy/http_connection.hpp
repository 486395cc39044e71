// SPDX-License-Identifier: Apache-2.0
// One downstream connection of an http_proxy and what is asked on it.
#pragma once
#include <memory>
#include <string>

#include "http/status_error.hpp"
#include "proxy/http_proxy.hpp"
#include "proxy/lifetime.hpp"

namespace tunnel::proxy {

class HttpConnection final : public Connection, private http::ExchangeHandler {
 public:
  HttpConnection(HttpProxy& proxy, StreamPtr stream, ConnectionInfo info);
  // Until the connection has ended.
  Task<void> run();
  void drain() noexcept override;
  void abort(const Error& reason) noexcept override;
  void describe(Listing& into) const override;

 private:
  // A request under way; in the connection's list while it lives.
  class Request {
   public:
    Request(HttpConnection& connection, AccessRecord started);
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request();
    AccessRecord record;
    const Flow* flow = nullptr;  // who moves its bytes now
    bool answered = false;       // and counted as such

   private:
    friend class HttpConnection;
    HttpConnection& connection_;
    Request* next_;
    Request* previous_ = nullptr;
  };

  Task<void> serve(http::ServerExchange& exchange) override;
  void rejected(std::string_view protocol, std::uint16_t status, std::size_t body_bytes,
                std::string_view detail) override;
  void cut(const Error& reason) override;
  void count_request(const AccessRecord& record);
  Task<void> answer(http::ServerExchange& exchange, const plan::Route* route, Request& request);
  Task<void> respond(http::ServerExchange& exchange, const plan::Respond& action, AccessRecord& record);
  Task<void> refuse(http::ServerExchange& exchange, const Error& reason, AccessRecord& record);
  Task<void> refuse_status(http::ServerExchange& exchange, const HttpProxy::Refusal& refusal, AccessRecord& record);
  Task<void> say(http::ServerExchange& exchange, http::StatusAnswer told, AccessRecord& record);
  Task<Result<void>> send_body(http::ServerExchange& exchange, const std::string& text, AccessRecord& record);
  Task<void> terminate(http::ServerExchange& exchange, const plan::Route& route, Request& request);
  Task<Result<Cluster::Dialed>> connect(const http::RequestHead& head, Cluster& cluster, ConnectRequest& request);

  HttpProxy& proxy_;
  Handler::Admission admission_;
  StreamPtr stream_;
  ConnectionInfo info_;
  std::unique_ptr<http::ServerConnection> server_;
  Request* requests_ = nullptr;
  Cancel aborted_;  // what exchanges wait for and relay ends with it
  bool draining_ = false;
  std::unique_ptr<Lifetime> lifetime_;
};

}  // namespace tunnel::proxy
