// SPDX-License-Identifier: Apache-2.0
// Flow: the accounting and the timers of one relayed connection, whoever moves its bytes: a relay, or the record of an
// internal hop that has no pump of its own. Bytes only store a time stamp; the one timer is lazy and looks when it
// fires.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/context.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel {

// As seen from the side that connected to us.
enum class Direction : std::uint8_t { up, down };  // downstream -> upstream, upstream -> downstream
constexpr Direction opposite(Direction d) { return d == Direction::up ? Direction::down : Direction::up; }

// Bytes that went the same way, counted as they go: by one worker, for any thread to read.
struct Traffic {
  std::array<Cell, 2> bytes;  // by Direction
  std::uint64_t of(Direction direction) const { return bytes[static_cast<std::size_t>(direction)].value(); }
};

struct FlowTimeouts {
  Duration idle;  // zero: none
  Duration half_close;
  // After a reset of the source, how long bytes read before it may take to leave for a stalled sink.
  Duration reset_flush = std::chrono::seconds(5);
  // Bytes went up and none came down: after this, once from the start, on_silence() is told. Zero: never.
  Duration silence = Duration::zero();
  // From the end of what goes up to the end of what comes down. Zero: none.
  Duration response = Duration::zero();
};

// What expires when FlowTimeouts::response is over.
Error response_timeout();

class Flow {
 public:
  // Called from the loop when a timeout ran out. The counter is added to the first time only; later calls mean that
  // what was done about it did not end the flow.
  using Expired = void (*)(void* context, const Error& reason) noexcept;

  // What moves is also added to `traffic`, which outlives the flow.
  Flow(const Context& context, const FlowTimeouts& timeouts, Expired expired, void* expired_context,
       Traffic* traffic = nullptr);

  void moved(Direction direction, std::size_t bytes) {
    Way& way = ways_[static_cast<std::size_t>(direction)];
    way.bytes += bytes;
    context_.counters.add(direction == Direction::up ? Counter::bytes_received : Counter::bytes_sent, bytes);
    if (traffic_ != nullptr) traffic_->bytes[static_cast<std::size_t>(direction)].add(bytes);
    last_move_ = context_.loop.now();
  }
  void ended(Direction direction);
  // The sink of `direction` takes no bytes, or takes them again.
  void blocked(Direction direction);
  void unblocked(Direction direction);
  // Told by the loop at most once, see FlowTimeouts::silence. Ends nothing.
  using Silent = void (*)(void* context) noexcept;
  void on_silence(Silent call, void* context);
  // How long the sink of `direction` took no bytes, of how long the flow has lived.
  Duration stalled(Direction direction) const;
  Duration age() const { return context_.loop.now() - begun_; }
  // Of a source, before the sink has taken it; set before anything moves. At most kMostReadAhead, 0 is that.
  void read_ahead(std::size_t bytes) {
    if (bytes > 0) read_ahead_ = std::min(bytes, plan::kMostReadAhead);
  }
  std::size_t read_ahead() const { return read_ahead_; }
  // The source of `direction` was reset.
  void source_reset(Direction direction);
  // No timer from now on.
  void stop() {
    stopped_ = true;
    timer_.disarm();
  }

  std::uint64_t bytes(Direction direction) const { return ways_[static_cast<std::size_t>(direction)].bytes; }
  bool is_blocked(Direction direction) const { return ways_[static_cast<std::size_t>(direction)].blocked; }
  bool has_ended(Direction direction) const { return ways_[static_cast<std::size_t>(direction)].ended; }
  const Context& context() const { return context_; }
  const FlowTimeouts& timeouts() const { return timeouts_; }

 private:
  struct Way {
    std::uint64_t bytes = 0;
    TimePoint blocked_since{};
    TimePoint reset_at{};
    Duration stalled{};  // up to the last unblocked()
    bool blocked = false;
    bool ended = false;
    bool reset = false;
  };
  struct Due {
    TimePoint when;
    Counter counter;
    const char* text;
  };
  Due next_due() const;
  void rearm();
  void look() noexcept;

  Context context_;
  FlowTimeouts timeouts_;
  Expired expired_;
  void* expired_context_;
  Traffic* traffic_;
  std::array<Way, 2> ways_{};
  std::size_t read_ahead_ = plan::kMostReadAhead;
  Silent silent_ = nullptr;
  void* silent_context_ = nullptr;
  TimePoint begun_;
  TimePoint last_move_;
  TimePoint silence_due_ = TimePoint::max();
  TimePoint response_due_ = TimePoint::max();
  Timer timer_;
  bool fired_ = false;
  bool stopped_ = false;
};

// Points `at` to a flow while it lives, then back to what it was.
class ShownFlow {
 public:
  ShownFlow(const Flow*& at, const Flow& flow) : at_(at), before_(std::exchange(at, &flow)) {}
  ShownFlow(const ShownFlow&) = delete;
  ShownFlow& operator=(const ShownFlow&) = delete;
  ~ShownFlow() { at_ = before_; }

 private:
  const Flow*& at_;
  const Flow* before_;
};

}  // namespace tunnel
