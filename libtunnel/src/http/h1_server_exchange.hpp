// SPDX-License-Identifier: Apache-2.0
// One request and its answer on an HTTP/1.1 connection of a client of ours.
#pragma once
#include "http/h1_exchange.hpp"
#include "http/policy.hpp"
#include "http/read_wait.hpp"

namespace tunnel::h1 {

class ServerExchange final : public ExchangeBase<http::ServerExchange> {
 public:
  // `wait` is the connection's one slot at the transport; `closing`: the connection shall end after this exchange;
  // looked at when the answer is written.
  ServerExchange(const Context& context, Stream& transport, Outbox& outbox, http::ReadWait& wait,
                 http::JudgedRequest request, int version, const bool& closing);

  const http::RequestHead& request() const override { return request_.head; }
  http::Body request_body() const override { return request_.body; }
  std::string_view protocol() const override { return version_ >= 11 ? "HTTP/1.1" : "HTTP/1.0"; }
  Task<Result<void>> inform(const http::ResponseHead& head) override;
  Task<Result<void>> respond(const http::ResponseHead& head, http::Body body) override;

  void interrupt_read() noexcept override {
    open_read_gate();
    wait_.release();
  }

  bool responded() const { return responded_; }
  bool is_tunnel() const { return responded_ && out_.framing() == Framing::tunnel; }
  bool request_complete() const { return in_.complete(); }
  bool response_complete() const { return responded_ && out_.complete(); }
  // No further request may follow on the connection.
  bool must_close() const { return close_; }
  const http::Fault& request_fault() const { return in_.fault(); }

 private:
  bool may_read() const override { return !request_.head.is_connect() || responded_; }
  bool may_write() const override { return responded_; }
  void wait_transport(Slot& slot) override;
  bool shall_close(const http::ResponseHead& head) const;

  http::ReadWait& wait_;
  http::JudgedRequest request_;
  int version_;
  const bool& closing_;
  bool expects_continue_;
  bool responded_ = false;
  bool close_ = false;
};

}  // namespace tunnel::h1
