// SPDX-License-Identifier: Apache-2.0
// The serving process as its admin server sees it: figures to read, questions to ask, one thing to do. Nothing of a
// worker is touched from outside: a question is a message to it, the answer a copy.
#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proxy/live_record.hpp"
#include "runtime/figures.hpp"
#include "tunnel/address.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

// Called from the admin thread.
class AdminSource {
 public:
  virtual const plan::Plan& plan() const = 0;
  virtual Figures figures() const = 0;
  virtual bool draining() const = 0;
  // Asks every worker for at most `most` of what it has under way, the youngest first. Each calls a copy of `told` on
  // its own thread, or drops it when it ends.
  virtual void list(std::size_t most, const std::function<void(proxy::Listing)>& told) = 0;
  // False: whoever runs this plan does not let it be drained from here.
  virtual bool may_drain() const = 0;
  // Begins a drain, as SIGTERM does; once one has begun, nothing.
  virtual void drain() = 0;
  // The IP addresses a listener is bound to.
  virtual std::vector<SocketAddress> addresses(const std::string& listener) const = 0;
  // False once stop_listening() or a drain has closed the listeners' sockets.
  virtual bool listening() const = 0;
  // Closes the listeners' sockets after `after`; none: never. What is connected goes on; `ask`: clients of HTTP are
  // asked to finish, now and when the sockets close.
  virtual void stop_listening(std::optional<std::chrono::milliseconds> after, bool ask) = 0;
  // Ends the process at once, in order. Only if may_drain().
  virtual void quit() = 0;

 protected:
  ~AdminSource() = default;
};

}  // namespace tunnel::runtime
