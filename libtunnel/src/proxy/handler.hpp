// SPDX-License-Identifier: Apache-2.0
// What every handler of a listener shares: admission, timeouts and the access record. A handler serves a listener's TCP
// connections (Acceptor) and is what an internal connect opens (InternalListener). One object a listener and worker; it
// outlives its connections.
#pragma once
#include <memory>
#include <string>

#include "net/listener.hpp"
#include "proxy/cluster.hpp"
#include "proxy/environment.hpp"
#include "stream/pump.hpp"

namespace tunnel::proxy {

class Handler : public net::Acceptor, public net::InternalListener {
 public:
  Handler(Environment& environment, const plan::Listener& plan) : environment_(environment), plan_(plan) {}
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
  const plan::Listener& plan() const { return plan_; }
  Environment& environment() const { return environment_; }
  const Context& context() const { return environment_.context; }

  // A place among the listener's connections and, unless it came over an internal hop, the process's; given back when
  // destroyed.
  class Admission {
   public:
    Admission(Handler& handler, const ConnectionInfo& info);
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    ~Admission();
    // kind none, or the limit that was reached. What is refused still counts while it is told so.
    const Error& refusal() const { return refusal_; }

   private:
    Environment& environment_;
    std::atomic<std::uint64_t>& listener_;
    bool entered_;  // from outside: has a descriptor
    GaugeGuard gauge_;
    Error refusal_;
  };

  // Fills what is known at the start.
  AccessRecord start_record(AccessRecord::Kind kind, const ConnectionInfo& info) const;
  // Takes the end, adds the duration, counts the bytes and hands the record to the log.
  void finish_record(AccessRecord& record, const Flow* flow, const Error& error) const;
  // A line for the log about `peer`; a flood of them is merged. `what` it asked for is escaped already.
  void tell(const std::string& peer, const Error& reason, std::string_view what = {}) const;
  FlowTimeouts tunnel_timeouts() const { return {plan_.idle_timeout, plan_.half_close_timeout}; }

 protected:
  std::pair<StreamPtr, StreamPtr> make_pair() const;

 private:
  Environment& environment_;
  plan::Listener plan_;
};

// The handler `plan` asks for. Its clusters must be in the environment.
std::unique_ptr<Handler> make_handler(Environment& environment, const plan::Listener& plan);

}  // namespace tunnel::proxy
