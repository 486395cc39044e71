// SPDX-License-Identifier: Apache-2.0
// One connect to whichever endpoint of a cluster answers. The endpoint whose turn it is goes first; when it fails, or
// has not answered for a while, the next is tried beside it, and the first answer wins. So a silent endpoint costs a
// client that while, once, and not the connect timeout; and a slow one still has all the time there is.
#pragma once
#include <list>
#include <optional>
#include <vector>

#include "base/cancel.hpp"
#include "base/context.hpp"
#include "http/dialer.hpp"
#include "proxy/endpoint_set.hpp"

namespace tunnel::proxy {

// Who connects to the endpoint that was picked, by its index in the plan.
class EndpointDialer {
 public:
  virtual Task<Result<http::Dialer::Dialed>> dial_endpoint(std::size_t endpoint, ConnectRequest& request) = 0;

 protected:
  ~EndpointDialer() = default;
};

class EndpointRace {
 public:
  using Dialed = http::Dialer::Dialed;
  // `patience`: how long an endpoint may stay silent before the next is tried beside it. References outlive run().
  EndpointRace(const Context& context, EndpointSet& endpoints, EndpointDialer& dialer, Duration patience,
               ConnectRequest& request);
  EndpointRace(const EndpointRace&) = delete;
  EndpointRace& operator=(const EndpointRace&) = delete;

  // Once. Errors: when every endpoint failed, that of the last; or the reason of request.cancel.
  Task<Result<Dialed>> run();

 private:
  struct Attempt {
    Attempt(EndpointSet::Pick of, ConnectRequest& parent)
        : pick(std::move(of)), cancel(parent.cancel), request{parent.info, cancel, parent.authority} {}
    EndpointSet::Pick pick;
    Cancel cancel;
    ConnectRequest request;
    bool judged = false;
  };

  bool start_next();
  Task<void> try_endpoint(Attempt& attempt);
  // What an attempt that was cut short says about its endpoint.
  void judge(Attempt& attempt);
  Error failure() const;

  const Context& context_;
  EndpointSet& endpoints_;
  EndpointDialer& dialer_;
  Duration patience_;
  ConnectRequest& request_;
  Notify news_;
  Timer next_due_;
  std::vector<bool> tried_;
  std::list<Attempt> attempts_;
  std::size_t running_ = 0;
  bool failed_ = false;  // an attempt failed since the last one was started
  std::optional<Dialed> winner_;
  Duration winner_took_{};
  Error last_error_;
};

}  // namespace tunnel::proxy
