// SPDX-License-Identifier: Apache-2.0
// Probe: is the peer of an HTTP/2 connection still there? It is asked by a PING: with a request over a connection that
// was silent for ping_after; when it left bytes it should react to without a reaction for a quarter of ping_wait; and
// after every `interval` of silence. Whatever it sends is an answer; none within ping_wait is the verdict. A peer that
// has not said its first byte is not judged: the connect timeout does that.
#pragma once
#include "base/context.hpp"

namespace tunnel::h2 {

class Probe {
 public:
  class Owner {
   public:
    virtual void send_ping() noexcept = 0;
    // The verdict. Once, until heard().
    virtual void no_answer() noexcept = 0;

   protected:
    ~Owner() = default;
  };
  // `interval` 0: a silence alone is no reason to ask.
  Probe(const Context& context, Owner& owner, Duration interval);

  void request_sent() noexcept;
  void bytes_sent() noexcept;
  void heard() noexcept;
  // Asks nothing any more.
  void stop() noexcept;
  bool asking() const { return asked_at_ != kNever; }
  bool doubtful() const { return doubtful_; }
  // As Stream::silent_since().
  bool silent_since(TimePoint since) const;

 private:
  static constexpr TimePoint kNever = TimePoint::max();
  TimePoint due() const;
  void look() noexcept;
  void ask() noexcept;
  void rearm() noexcept {
    if (const TimePoint when = due(); when != kNever) timer_.arm_at_latest(when);
  }

  Context context_;
  Owner& owner_;
  Duration interval_;
  Timer timer_;  // lazy: it looks when it fires
  TimePoint last_heard_ = kNever;
  TimePoint unanswered_since_ = kNever;  // bytes left, and nothing came since
  TimePoint asked_at_ = kNever;
  bool doubtful_ = false;
  bool stopped_ = false;
};

}  // namespace tunnel::h2
