// SPDX-License-Identifier: Apache-2.0
#include "proxy/endpoint_race.hpp"

#include <string>
#include <utility>

namespace tunnel::proxy {
namespace {

void set(void* notify) noexcept { static_cast<Notify*>(notify)->set(); }

}  // namespace

EndpointRace::EndpointRace(const Context& context, EndpointSet& endpoints, EndpointDialer& dialer, Duration patience,
                           ConnectRequest& request)
    : context_(context),
      endpoints_(endpoints),
      dialer_(dialer),
      patience_(patience),
      request_(request),
      news_(context.loop),
      next_due_(context.loop, &set, &news_),
      tried_(endpoints.size()) {}

Task<Result<EndpointRace::Dialed>> EndpointRace::run() {
  const Cancel::Hook hook(request_.cancel, &set, &news_);
  while (!winner_ && !request_.cancel.cancelled()) {
    if ((running_ == 0 || failed_ || !next_due_.armed()) && start_next()) continue;
    if (running_ == 0) break;
    co_await news_.wait();
  }
  for (Attempt& attempt : attempts_) {
    judge(attempt);
    attempt.cancel.cancel(Error(Error::Kind::cancelled, "another endpoint answered"));
  }
  while (running_ > 0) co_await news_.wait();
  if (request_.cancel.cancelled() && request_.cancel.reason().kind != Error::Kind::timeout)
    co_return request_.cancel.reason();
  if (winner_) co_return std::move(*winner_);
  co_return failure();
}

bool EndpointRace::start_next() {
  failed_ = false;
  std::optional<EndpointSet::Pick> pick = endpoints_.pick(tried_);
  if (!pick) return false;
  Attempt& started = attempts_.emplace_back(std::move(*pick), request_);
  ++running_;
  next_due_.arm_after(patience_);
  spawn(try_endpoint(started));
  return true;
}

Task<void> EndpointRace::try_endpoint(Attempt& attempt) {
  Task<Result<Dialed>> dialling = dialer_.dial_endpoint(attempt.pick.index, attempt.request);
  Result<Dialed> dialed = co_await dialling;
  --running_;
  news_.set();
  if (dialed.ok()) {
    attempt.judged = true;
    endpoints_.succeeded(attempt.pick);
    if (winner_ || request_.cancel.cancelled()) co_return;
    winner_took_ = context_.loop.now() - attempt.pick.begun;
    winner_.emplace(std::move(*dialed));
    winner_->endpoint = std::move(attempt.pick.held);
    co_return;
  }
  last_error_ = dialed.error();
  if (attempt.cancel.cancelled()) co_return judge(attempt);
  attempt.judged = true;
  failed_ = true;
  endpoints_.failed(attempt.pick, dialed.error());
}

void EndpointRace::judge(Attempt& attempt) {
  if (std::exchange(attempt.judged, true)) return;
  const Duration took = context_.loop.now() - attempt.pick.begun;
  const bool out_of_time = request_.cancel.cancelled() && request_.cancel.reason().kind == Error::Kind::timeout;
  if (took < patience_ || !(winner_ ? took > winner_took_ : out_of_time)) return endpoints_.given_up(attempt.pick);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  endpoints_.failed(attempt.pick, Error(Error::Kind::timeout, "no answer in " + std::to_string(ms) + " ms"));
}

Error EndpointRace::failure() const {
  if (!last_error_) return request_.cancel.reason();
  Error error = last_error_;
  if (attempts_.size() > 1) {
    error.detail =
        std::make_shared<const std::string>("none of " + std::to_string(attempts_.size()) +
                                            " endpoints answered, the last error: " + std::string(error.text()));
  }
  return error;
}

}  // namespace tunnel::proxy
