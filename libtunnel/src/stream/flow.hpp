// SPDX-License-Identifier: Apache-2.0
// Flow: the accounting and the timers of one relayed connection, whoever moves its bytes: a relay, or the record of an
// internal hop that has no pump of its own. Bytes only store a time stamp; the one timer is lazy and looks when it
// fires.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/context.hpp"
#include "base/error.hpp"

namespace tunnel {

// As seen from the side that connected to us.
enum class Direction : std::uint8_t { up, down };  // downstream -> upstream, upstream -> downstream
constexpr Direction opposite(Direction d) { return d == Direction::up ? Direction::down : Direction::up; }

struct FlowTimeouts {
  Duration idle;
  Duration half_close;
  // After a reset of the source, how long bytes read before it may take to leave for a stalled sink.
  Duration reset_flush = std::chrono::seconds(5);
};

class Flow {
 public:
  // Called from the loop when a timeout ran out. The counter is added to the first time only; later calls mean that
  // what was done about it did not end the flow.
  using Expired = void (*)(void* context, const Error& reason) noexcept;

  Flow(const Context& context, const FlowTimeouts& timeouts, Expired expired, void* expired_context);

  void moved(Direction direction, std::size_t bytes) {
    Way& way = ways_[static_cast<std::size_t>(direction)];
    way.bytes += bytes;
    last_move_ = context_.loop.now();
  }
  void ended(Direction direction);
  // The sink of `direction` takes no bytes, or takes them again.
  void blocked(Direction direction);
  void unblocked(Direction direction);
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
  std::array<Way, 2> ways_{};
  TimePoint last_move_;
  Timer timer_;
  bool fired_ = false;
  bool stopped_ = false;
};

}  // namespace tunnel
