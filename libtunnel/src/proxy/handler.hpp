// SPDX-License-Identifier: Apache-2.0
// What every handler of a listener shares: admission, timeouts and the access record. A handler serves a listener's TCP
// connections (Acceptor) and is what an internal connect opens (InternalListener). One object a listener and worker; it
// outlives its connections.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "http/message.hpp"
#include "net/listener.hpp"
#include "plan/access_format.hpp"
#include "plan/connection_format.hpp"
#include "proxy/cluster.hpp"
#include "proxy/environment.hpp"
#include "stream/pump.hpp"

namespace tunnel::proxy {

class Handler : public net::Acceptor, public net::InternalListener {
 public:
  Handler(Environment& environment, const plan::Listener& plan);
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
  const plan::Listener& plan() const { return plan_; }
  Environment& environment() const { return environment_; }
  const Context& context() const { return environment_.context; }
  bool wants_original() const override;
  // What is known of a connection once this listener has looked at it, too: where an internal one was going, if that is
  // asked for and metadata or filter state says it, and the filter state that is set here. Once for each.
  void look_at(ConnectionInfo& info) const;

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
    bool entered() const { return entered_; }  // from outside the process

   private:
    Handler& handler_;
    std::atomic<std::uint64_t>& listener_;
    ListenerStats& stats_;
    bool entered_;  // from outside: has a descriptor
    GaugeGuard gauge_;
    Error refusal_;
  };

  // Fills what is known at the start and counts it as begun. `cluster` is one of the handler's; empty: none.
  AccessRecord start_record(AccessRecord::Kind kind, const Admission& admission, const ConnectionInfo& info,
                            std::string_view cluster) const;
  // What its bytes are counted in while they move: a flow does.
  Traffic& traffic(const AccessRecord& record) const { return stats_.edge(record.cluster).traffic; }
  // What of the fields of a request, of its answer, or of that one's trailers, the listener's log takes.
  void note_request(AccessRecord& record, const http::Fields& fields) const;
  void note_response(AccessRecord& record, const http::Fields& fields) const;
  void note_trailers(AccessRecord& record, const http::Fields& fields) const;
  // The bytes a record says were sent, where no flow moved them: we said them, so they are of no cluster.
  void count_sent(const AccessRecord& record) const;
  // The status a record says was answered.
  void count_answer(const AccessRecord& record) const;
  // Takes the end, adds the duration, counts it as ended and hands the record to the log.
  void finish_record(AccessRecord& record, const Flow* flow, const Error& error);
  // A line for the log about `peer`; a flood of them is merged. `what` it asked for is escaped already. Says nothing
  // over standard input and output, where the process's last words tell.
  void tell(const std::string& peer, const Error& reason, std::string_view what = {}) const;
  // What is to be known of a relay that has ended, beside its access record: a timer that ran out, or a side so slow
  // that flow control held the other one back. `entered`: it came from outside; hops behind tell the same.
  void tell_end(const AccessRecord& record, const Flow& flow, const Error& error, bool entered) const;
  // Bytes went up and none came back, see FlowTimeouts::silence.
  virtual void tell_silence(const AccessRecord& /*record*/) const {}
  // A failure of a connection over standard input and output: the first is its outcome.
  void note(const Error& error, bool established);
  FlowTimeouts tunnel_timeouts() const;
  // Of what its flows move, see Flow; 0: no bound of its own. The least that the listener and its clusters have.
  std::size_t read_ahead() const { return read_ahead_; }
  ListenerStats& stats() const { return stats_; }

 protected:
  std::pair<StreamPtr, StreamPtr> make_pair() const;
  // A line for the log about `peer`; those of one `topic` are merged when there are many. `what` and `text` are
  // escaped.
  void say(log::Level level, std::string_view topic, const std::string& peer, std::string_view what,
           std::string_view text) const;

 private:
  static void take_original(ConnectionInfo& info);

  Environment& environment_;
  plan::Listener plan_;
  plan::LoggedNames logged_;
  struct SetState {
    std::string key;
    plan::ConnectionFormat value;
    StateShare share;
  };
  std::vector<SetState> sets_;
  std::size_t read_ahead_;
  ListenerStats& stats_;
  bool on_stdio_;
  Outcome outcome_;
};

// The handler `plan` asks for. Its clusters must be in the environment.
std::unique_ptr<Handler> make_handler(Environment& environment, const plan::Listener& plan);

}  // namespace tunnel::proxy
