// SPDX-License-Identifier: Apache-2.0
// pump() moves every byte of the program; relay() is two pumps with the closing table between them.
#pragma once
#include <array>
#include <cstdint>

#include "stream/flow.hpp"
#include "tunnel/stream.hpp"

namespace tunnel {

// Why a pump stopped.
struct PumpEnd {
  enum class Reason : std::uint8_t {
    ended,          // `from` ended and everything read was written; `to` has not been told
    read_failed,    // `from` was reset; everything read before was written
    write_failed,   // `to` is gone
    write_refused,  // `to` takes no more, `from` is fine
  };
  Reason reason = Reason::ended;
  Error error;
};

// Moves bytes from one stream to another until one of them stops it, counting them in `flow`. One operation is
// outstanding at a time, so a slow sink stops the source; it gives way to others after 256 KiB or 16 rounds.
Task<PumpEnd> pump(Stream& from, Stream& to, Flow& flow, Direction direction);

// What a relay aborts a side with when nothing went wrong but nobody is left on the other one.
inline bool is_parting(const Error& error) {
  return error.kind == Error::Kind::cancelled && error.side != Error::Side::us;
}

struct RelayEnd {
  Error error;  // kind none: both directions ended in order
};

// Moves bytes both ways until both directions have ended or the connection was reset: an end of one side is passed on
// as an end, a reset as a reset once the bytes before it have left. Once one side has ended and takes no more either,
// the other has the linger time to end by itself. When run() has returned no call is pending on
// either stream and both may be destroyed: after an orderly end that closes them; after anything else they have been
// aborted.
class Relay final : private ResetObserver {
 public:
  // `traffic` as for a Flow.
  Relay(const Context& context, const FlowTimeouts& timeouts, Stream& downstream, Stream& upstream,
        Traffic* traffic = nullptr);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();
  // The streams may be gone once run() has returned.
  Task<RelayEnd> run();
  // Before run(): once upstream has ended, and that is passed on, downstream has ended, too; what it still sends is
  // lost. `interrupt` makes whoever reads from downstream look again.
  using Interrupt = void (*)(Stream& downstream) noexcept;
  void ends_with_upstream(Interrupt interrupt) { interrupt_ = interrupt; }
  // Resets both streams: run() returns with this error.
  void abort(const Error& reason) noexcept;
  const Flow& flow() const { return flow_; }
  Flow& flow() { return flow_; }

 private:
  Stream& source(Direction d) { return d == Direction::up ? downstream_ : upstream_; }
  Stream& sink(Direction d) { return d == Direction::up ? upstream_ : downstream_; }
  Task<void> run_direction(Direction direction);
  Task<void> end_direction(Direction direction, PumpEnd end);
  Task<void> pass_reset(Direction direction, Error reason);
  Task<void> discard(Direction direction);
  Task<void> outlive(Direction direction);
  void end_downstream() noexcept;
  void on_stream_reset(Stream& stream) noexcept override;
  void source_is_gone(Direction direction) noexcept;
  static void lingered(void* self) noexcept;
  static void expired(void* self, const Error& reason) noexcept;
  void fail(const Error& reason) noexcept {
    if (!end_.error && !parting_) end_.error = reason;
  }

  Stream& downstream_;
  Stream& upstream_;
  Flow flow_;
  RelayEnd end_;
  std::array<bool, 2> done_{};          // the direction's task does nothing any more
  std::array<bool, 2> left_{};          // and what it moved is with the far end
  std::array<bool, 2> source_gone_{};   // the direction's source takes nothing any more
  std::array<bool, 2> source_reset_{};  // and said so by a reset
  Notify changed_;                      // of either
  Timer linger_;
  bool linger_over_ = false;
  Interrupt interrupt_ = nullptr;
  bool parting_ = false;  // both ends are told all there was: what fails now is nobody's loss
};

}  // namespace tunnel
