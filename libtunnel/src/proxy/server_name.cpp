// SPDX-License-Identifier: Apache-2.0
#include "proxy/server_name.hpp"

#include <string_view>

#include "http/peek.hpp"
#include "net/client_hello.hpp"

namespace tunnel::proxy {
namespace {

class Hello final : public http::Beginning {
 public:
  bool seen(std::string_view bytes) override {
    const std::string_view fresh = bytes.substr(taken_);
    taken_ = bytes.size();
    return hello_.take(fresh) != net::ClientHello::State::incomplete;
  }
  const std::string& server_name() const { return hello_.server_name(); }

 private:
  net::ClientHello hello_;
  std::size_t taken_ = 0;
};

}  // namespace

Task<Result<std::string>> requested_server_name(const Context& context, Stream& stream, Cancel& cancel) {
  const Error late = Error(Error::Kind::timeout, "no whole TLS ClientHello came in time (--limit head-time)")
                         .on(Error::Side::downstream);
  Cancel timed(cancel, context.limits.head_time, late);
  http::ReadWait wait(stream);
  Hello hello;
  Task<Result<http::Peeked>> peeking = http::peek(stream, wait, hello, context.limits.hello_bytes, timed);
  Result<http::Peeked> peeked = co_await peeking;
  if (peeked.ok() && *peeked != http::Peeked::full) co_return hello.server_name();
  Error error =
      peeked.ok()
          ? Error(Error::Kind::protocol, "its TLS ClientHello is too long (--limit hello)").on(Error::Side::downstream)
          : peeked.error();
  if (peeked.ok()) context.counters.add(Counter::hellos_too_large);
  if (timed.cancelled() && !cancel.cancelled()) context.counters.add(Counter::head_timeouts);
  stream.abort(error);
  Task<void> settling = wait.settle();
  co_await settling;
  co_return error;
}

}  // namespace tunnel::proxy
