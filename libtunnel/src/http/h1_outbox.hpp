// SPDX-License-Identifier: Apache-2.0
// Outbox: the write side of an HTTP/1.1 connection. Heads and chunk framing are put into its buffer and leave together
// with the first body bytes, at the latest in the next step of the loop; what the transport does not take then leaves
// by itself when it can. So nothing accepted depends on another call of the handler. Owns no stream.
#pragma once
#include <string_view>

#include "tunnel/stream.hpp"

namespace tunnel::h1 {

class Outbox {
 public:
  static constexpr std::size_t kCorkBytes = 16384;  // more than this is not gathered, but written

  explicit Outbox(Stream& transport);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  Buffer& buffer() { return buffer_; }
  bool empty() const { return buffer_.empty(); }
  bool failed() const { return failed_; }
  // The transport took less than it was given: nothing more goes in until that has left.
  bool stuck() const { return writing_ && !buffer_.empty(); }
  // After something was put into buffer(): it leaves soon.
  void cork();
  // Writes what it can; true if nothing is left.
  bool push();
  // As Stream::on_writable: posts when the buffer may be empty or the transport writable. One waiter.
  void on_writable(Slot& slot);
  // Until the buffer is empty: fails with the transport's error, or a timeout at the deadline.
  Task<Result<void>> drain(TimePoint deadline);
  // Forgets what is in the buffer.
  void clear() noexcept { buffer_.clear(); }
  // Until no wake-up of ours is on its way; requires that the transport takes bytes, failed or was aborted.
  Task<void> settle();

 private:
  struct Kick final : Waiter {
    explicit Kick(Outbox& of) : Waiter(&Kick::fire), outbox(of) {}
    static void fire(Waiter& self) noexcept { static_cast<Kick&>(self).outbox.push(); }
    Outbox& outbox;
  };
  struct DrainWait;
  Task<void> write_later();
  void wake() noexcept;

  Stream& transport_;
  Buffer buffer_;
  Kick kick_;
  Slot* waiting_ = nullptr;  // of whoever waits while write_later() holds the transport's one slot
  bool writing_ = false;     // write_later() runs
  bool failed_ = false;
};

}  // namespace tunnel::h1
