// SPDX-License-Identifier: Apache-2.0
#include "proxy/forward.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.hpp"
#include "base/turn.hpp"

namespace tunnel::proxy {
namespace {

constexpr std::size_t kReadBytes = 65536;

// One attempt: two pumps side by side and the heads between them.
class Forwarding {
 public:
  Forwarding(Handler& handler, http::ServerExchange& server, http::ClientExchange& client, Cancel& cancel,
             const FlowTimeouts& timeouts, Live& live)
      : handler_(handler),
        server_(server),
        client_(client),
        cancel_(cancel),
        timeouts_(timeouts),
        live_(live),
        flow_(handler.context(), of_a_response(timeouts), &Forwarding::expired, this, &live.traffic),
        shown_(live.flow, flow_),
        grace_(handler.context().loop, &Forwarding::grace_over, this),
        grace_time_(handler.context().limits.linger_time),
        hook_(cancel, &Forwarding::cancelled, this) {
    flow_.read_ahead(handler.read_ahead());
  }

  Task<Forwarded> run(const http::RequestHead& head) {
    Result<void> sent = co_await client_.send(head, server_.request_body());
    if (!sent.ok()) {
      result_.error = sent.error();
      co_return std::move(result_);
    }
    Task<void> up = send_request();
    Task<void> down = send_response();
    co_await join(up, down);
    flow_.stop();
    result_.bytes_received = flow_.bytes(Direction::up);
    result_.bytes_sent = flow_.bytes(Direction::down);
    co_return std::move(result_);
  }

  // A CONNECT passed on: no byte of the client moves before the next proxy's 2xx, and then bytes are relayed.
  Task<Forwarded> run_connect(const http::RequestHead& head) {
    request_done_ = true;
    Result<void> sent = co_await client_.send(head, http::Body::tunnel());
    if (!sent.ok()) {
      result_.error = sent.error();
      co_return std::move(result_);
    }
    co_await pass_response();
    flow_.stop();
    result_.bytes_sent = flow_.bytes(Direction::down);
    if (result_.error || client_.response_body().kind != http::Body::Kind::tunnel) co_return std::move(result_);
    Relay relay(handler_.context(), timeouts_, server_, client_, &live_.traffic);
    relay.flow().read_ahead(handler_.read_ahead());
    settle_end(relay, handler_);
    const ShownFlow shown(live_.flow, relay.flow());
    const RelayEnd end = co_await relay.run();
    result_.error = end.error;
    result_.bytes_received = relay.flow().bytes(Direction::up);
    result_.bytes_sent = relay.flow().bytes(Direction::down);
    co_return std::move(result_);
  }

 private:
  // Between request and response a server may think for as long as a stream may be idle.
  static FlowTimeouts of_a_response(FlowTimeouts timeouts) {
    timeouts.half_close = timeouts.idle;
    return timeouts;
  }
  static void expired(void* self, const Error& reason) noexcept { static_cast<Forwarding*>(self)->cut(reason); }
  static void cancelled(void* self) noexcept {
    auto& forwarding = *static_cast<Forwarding*>(self);
    forwarding.cut(forwarding.cancel_.reason());
  }
  static void grace_over(void* self) noexcept {
    auto& forwarding = *static_cast<Forwarding*>(self);
    forwarding.stop_request_ = true;
    forwarding.client_.abort(Error(Error::Kind::cancelled, "the response has ended"));
    forwarding.server_.interrupt_read();
  }
  // Both directions end now: an answer under way breaks off visibly.
  void cut(const Error& reason) noexcept {
    if (!result_.error) result_.error = reason;
    stop_request_ = true;
    client_.abort(reason);
    if (responded_) server_.abort(reason);
    server_.interrupt_read();
  }

  Task<void> send_request() {
    Buffer buffer;
    Turn turn;
    const bool has_body = server_.request_body().kind != http::Body::Kind::none;
    while (has_body && !stop_request_) {
      const Io io = server_.try_read(buffer, std::min(kReadBytes, flow_.read_ahead()));
      if (io.state == Io::State::would_block) {
        turn.restart();
        co_await Readable(server_);
        continue;
      }
      if (io.state == Io::State::failed) {
        cut(Error(server_.error()).on(Error::Side::downstream));
        break;
      }
      if (io.state == Io::State::ended) {
        Result<void> finished = co_await client_.finish(server_.trailers());
        (void)finished.ok();  // the response tells what became of it
        break;
      }
      flow_.moved(Direction::up, io.bytes);
      flow_.blocked(Direction::up);
      Result<void> written = co_await client_.write(buffer);
      flow_.unblocked(Direction::up);
      // An upstream that takes no more may still answer (413, say): the response decides.
      if (!written.ok()) break;
      if (turn.over(io.bytes)) co_await yield(server_.loop());
    }
    flow_.ended(Direction::up);
    grace_.disarm();
    request_done_ = true;
  }

  Task<void> send_response() {
    co_await pass_response();
    if (result_.error || request_done_) {
      if (!request_done_) cut(result_.error);
      co_return;
    }
    grace_.arm_after(grace_time_);
  }

  Task<void> pass_response() {
    for (;;) {
      Result<http::ResponseHead> head = co_await client_.head();
      if (!head.ok()) {
        if (!result_.error) result_.error = Error(head.error()).on(Error::Side::upstream);
        co_return;
      }
      http::remove_hop_by_hop(head->fields);
      if (head->status < 200) {
        Result<void> informed = co_await server_.inform(*head);
        if (!informed.ok()) co_return fail_downstream(informed.error());
        continue;
      }
      responded_ = true;
      result_.status = head->status;
      handler_.note_response(live_.record, head->fields);
      Result<void> answered = co_await server_.respond(*head, client_.response_body());
      if (!answered.ok()) co_return fail_downstream(answered.error());
      break;
    }
    const http::Body::Kind body = client_.response_body().kind;
    if (body != http::Body::Kind::none && body != http::Body::Kind::tunnel) co_await pass_body();
  }

  Task<void> pass_body() {
    PumpEnd end = co_await pump(client_, server_, flow_, Direction::down);
    switch (end.reason) {
      case PumpEnd::Reason::ended: {
        flow_.ended(Direction::down);
        handler_.note_trailers(live_.record, client_.trailers());
        Result<void> finished = co_await server_.finish(client_.trailers());
        if (!finished.ok()) fail_downstream(finished.error());
        break;
      }
      case PumpEnd::Reason::read_failed: {
        if (!result_.error) result_.error = end.error.on(Error::Side::upstream);
        Result<void> flushed = co_await server_.flush(server_.loop().now() + flow_.timeouts().reset_flush);
        (void)flushed.ok();
        server_.abort(result_.error);
        break;
      }
      case PumpEnd::Reason::write_failed:
      case PumpEnd::Reason::write_refused:
        fail_downstream(end.error);
        break;
    }
  }

  void fail_downstream(const Error& reason) {
    if (!result_.error) result_.error = Error(reason).on(Error::Side::downstream);
    client_.abort(Error(Error::Kind::cancelled, "the client is gone"));
  }

  Handler& handler_;
  http::ServerExchange& server_;
  http::ClientExchange& client_;
  Cancel& cancel_;
  FlowTimeouts timeouts_;
  Live& live_;
  Forwarded result_;
  Flow flow_;
  ShownFlow shown_;
  Timer grace_;
  Duration grace_time_;
  Cancel::Hook hook_;
  bool stop_request_ = false;
  bool request_done_ = false;
  bool responded_ = false;
};

// What the next hop gets: the request as it came, without what concerned only our connection.
http::RequestHead onward(const http::RequestHead& request, const ConnectionInfo& info) {
  http::RequestHead head = request;
  // HTTP/1.0 may come without Host; every version we speak onwards needs one.
  if (head.authority.empty()) head.authority = parse_authority(info.local_name) ? info.local_name : "localhost";
  http::remove_hop_by_hop(head.fields);
  return head;
}

// What is left of the timeout of a route for a request that is complete since `begun`; zero: it has none.
Duration left_of(Duration timeout, TimePoint begun, const Context& context) {
  if (timeout == Duration::zero()) return timeout;
  return std::max<Duration>(begun + timeout - context.loop.now(), std::chrono::milliseconds(1));
}

// Over a connection newer than `newest`, which is then that of this try.
Task<Forwarded> try_forward(Handler& handler, Cluster& cluster, http::Pool& pool, http::ServerExchange& server,
                            ConnectRequest& request, FlowTimeouts timeouts, TimePoint begun, std::uint64_t& newest,
                            Live& live) {
  Forwarded result;
  // A request without a body is complete, and its time runs, while the connection is made.
  const bool complete = server.request_body().kind == http::Body::Kind::none;
  const auto left = [&] { return complete ? left_of(timeouts.response, begun, handler.context()) : timeouts.response; };
  const Duration whole = cluster.plan().connect_timeout;
  const bool sooner = complete && left() > Duration::zero() && left() < whole;
  Cancel connecting(request.cancel, sooner ? left() : whole, sooner ? response_timeout() : cluster.timeout_error());
  ConnectRequest timed{request.info, connecting, request.authority};
  Task<Result<http::Pool::Acquired>> acquiring = pool.acquire(timed, newest);
  Result<http::Pool::Acquired> acquired = co_await acquiring;
  live.record.far_state = acquired.ok() ? acquired->far_state : acquired.error().far_state;
  if (!acquired.ok()) {
    if (acquired.error().kind == Error::Kind::timeout && connecting.cancelled() && !request.cancel.cancelled())
      handler.context().counters.add(sooner ? Counter::response_timeouts : Counter::connect_timeouts);
    result.error = acquired.error();
    co_return result;
  }
  newest = acquired->newest;
  // Cancelled in the same turn as the connection came: nobody would tell us any more.
  if (request.cancel.cancelled()) {
    result.error = request.cancel.reason();
    co_return result;
  }
  const http::RequestHead head = onward(server.request(), request.info);
  {
    timeouts.response = left();
    Forwarding forwarding(handler, server, *acquired->exchange, request.cancel, timeouts, live);
    Task<Forwarded> running = head.is_connect() ? forwarding.run_connect(head) : forwarding.run(head);
    result = co_await running;
  }
  result.upstream = std::move(acquired->address);
  result.upstream_local = acquired->local;
  co_return result;
}

}  // namespace

void settle_end(Relay& relay, const Handler& handler) {
  if (!handler.environment().behaviour.ends_with_upstream) return;
  relay.ends_with_upstream(
      [](Stream& client) noexcept { static_cast<http::ServerExchange&>(client).interrupt_read(); });
}

Task<Forwarded> forward(Handler& handler, Cluster& cluster, http::ServerExchange& server, ConnectRequest& request,
                        const FlowTimeouts& timeouts, Live& live) {
  Result<std::shared_ptr<http::Pool>> pool = cluster.pool_for(request);
  if (!pool.ok()) {
    Forwarded nowhere;
    nowhere.error = pool.error();
    co_return nowhere;
  }
  const TimePoint begun = handler.context().loop.now();
  std::uint64_t newest = 0;
  for (unsigned tries = 0;; ++tries) {
    Task<Forwarded> trying = try_forward(handler, cluster, **pool, server, request, timeouts, begun, newest, live);
    Forwarded result = co_await trying;
    result.attempts = tries + 1;
    const bool again = result.status == 0 && result.error.retry_safe && result.bytes_received == 0 &&
                       tries < handler.context().limits.retries && !request.cancel.cancelled();
    if (!again) co_return result;
    handler.context().counters.add(Counter::retries);
    log::debug("{} {} again over a fresh connection: {}", server.request().method, log::escape(server.request().path),
               result.error.text());
  }
}

}  // namespace tunnel::proxy
