// SPDX-License-Identifier: Apache-2.0
#include "stream/pump.hpp"

#include <algorithm>
#include <utility>

#include "base/turn.hpp"
#include "stream/pipe.hpp"

namespace tunnel {
namespace {

// This many large reads in a row are bulk: from then on bytes stay in the kernel, if both sides can do that. Small
// pieces end it, as a message is cheaper to copy; not a single one behind many large ones, which is the rest of
// something.
constexpr std::size_t kBulkBytes = 65536;
constexpr int kBulkReads = 4;
constexpr std::size_t kSmallBytes = 16384;
// A sink that refuses more ends nothing: what the source still sends is read and dropped, up to this, while answers
// flow.
constexpr std::size_t kDiscardBytes = 65536;

}  // namespace

Task<PumpEnd> pump(Stream& from, Stream& to, Flow& flow, Direction direction) {
  Buffer buffer;
  Pipe pipe;
  const std::size_t read_ahead = flow.read_ahead();
  const std::size_t pipe_bytes = std::min(flow.context().limits.pipe_bytes, read_ahead);
  Turn turn;
  int bulk_reads = 0;
  PumpEnd end;
  while (!flow.has_ended(direction)) {  // by whoever looks after the flow
    Io in{Io::State::would_block, 0};
    const std::size_t most = bulk_reads >= kBulkReads && from.can_fill() ? std::min(pipe_bytes, to.drain_bytes()) : 0;
    if (most > 0 && pipe.open(pipe_bytes)) in = from.try_fill(pipe, most);
    if (in.state == Io::State::done)
      flow.context().counters.add(Counter::spliced_bytes, in.bytes);
    else
      in = from.try_read(buffer, read_ahead);
    if (in.state == Io::State::would_block) {
      pipe.close();
      turn.restart();
      co_await Readable(from);
      continue;
    }
    if (in.state == Io::State::ended) break;
    if (in.state == Io::State::failed) {
      end.reason = PumpEnd::Reason::read_failed;
      end.error = from.error();
      break;
    }
    flow.moved(direction, in.bytes);
    if (in.bytes < kSmallBytes)
      bulk_reads /= 2;
    else if (in.bytes >= kBulkBytes && bulk_reads < 2 * kBulkReads && pipe_bytes > 0)
      ++bulk_reads;
    while (!buffer.empty() || !pipe.empty()) {
      const Io out = pipe.empty() ? to.try_write(buffer, More::no) : to.try_drain(pipe, pipe.size());
      if (out.state == Io::State::done) {
        flow.unblocked(direction);
        continue;
      }
      if (out.state != Io::State::would_block) {
        flow.unblocked(direction);
        const bool refused = to.write_side() == WriteSide::refused && to.read_side() != ReadSide::reset;
        end.reason = refused ? PumpEnd::Reason::write_refused : PumpEnd::Reason::write_failed;
        end.error = to.error();
        co_return end;
      }
      flow.blocked(direction);
      co_await Writable(to);
    }
    if (turn.over(in.bytes)) co_await yield(from.loop());
  }
  co_return end;
}

Relay::Relay(const Context& context, const FlowTimeouts& timeouts, Stream& downstream, Stream& upstream,
             Traffic* traffic)
    : downstream_(downstream),
      upstream_(upstream),
      flow_(context, timeouts, &Relay::expired, this, traffic),
      changed_(context.loop),
      linger_(context.loop, &Relay::lingered, this) {
  downstream_.on_reset(this);
  upstream_.on_reset(this);
  downstream_.leads_to(&upstream_);
}

Relay::~Relay() = default;

Task<RelayEnd> Relay::run() {
  Task<void> up = run_direction(Direction::up);
  Task<void> down = run_direction(Direction::down);
  co_await join(up, down);
  flow_.stop();
  linger_.disarm();
  downstream_.on_reset(nullptr);
  upstream_.on_reset(nullptr);
  downstream_.leads_to(nullptr);
  if (end_.error) {
    downstream_.abort(end_.error);
    upstream_.abort(end_.error);
  }
  co_return end_;
}

Task<void> Relay::run_direction(Direction direction) {
  PumpEnd end = co_await pump(source(direction), sink(direction), flow_, direction);
  co_await end_direction(direction, std::move(end));
}

// Not inlined: what an end needs would else be part of every frame that waits for one.
[[gnu::noinline]] Task<void> Relay::end_direction(Direction direction, PumpEnd end) {
  const auto index = static_cast<std::size_t>(direction);
  const auto other_done = [this, direction] { return done_[static_cast<std::size_t>(opposite(direction))]; };
  switch (end.reason) {
    case PumpEnd::Reason::ended: {
      flow_.ended(direction);
      Result<void> finished = co_await sink(direction).shutdown_write();
      // A sink that is gone tells the pump that reads from it; if that one has ended in order the sink was reset since.
      if (!finished.ok() && other_done() && sink(direction).read_side() != ReadSide::ended) fail(finished.error());
      done_[index] = true;
      changed_.set();
      if (direction == Direction::down && interrupt_ != nullptr) end_downstream();
      if (source(direction).write_side() == WriteSide::refused) source_gone_[index] = true;
      co_await outlive(direction);
      break;
    }
    case PumpEnd::Reason::read_failed:
      co_await pass_reset(direction,
                          end.error.on(direction == Direction::up ? Error::Side::downstream : Error::Side::upstream));
      break;
    case PumpEnd::Reason::write_refused:
      source_is_gone(opposite(direction));
      if (!source_reset_[static_cast<std::size_t>(opposite(direction))] || !other_done()) {
        co_await discard(direction);
        break;
      }
      [[fallthrough]];
    case PumpEnd::Reason::write_failed:
      // The other pump reads from the stream that failed and passes the reset on behind the bytes it still has; if it
      // has already ended it sees to the rest, see outlive().
      if (other_done())
        fail(end.error.on(direction == Direction::up ? Error::Side::upstream : Error::Side::downstream));
      source_is_gone(opposite(direction));
      break;
  }
  done_[index] = left_[index] = true;
  changed_.set();
}

// `direction` has ended in order and its end was passed on. As long as its source takes bytes the other direction may
// run for ever. A source that takes none has closed or gone: the other direction has nowhere to go, but its sender is
// not reset before it had the time to read to the end and to leave by itself. After a reset it is, once it has it all.
Task<void> Relay::outlive(Direction direction) {
  const auto index = static_cast<std::size_t>(direction);
  const auto other = static_cast<std::size_t>(opposite(direction));
  while (!done_[other] && !source_gone_[index]) co_await changed_.wait();
  if (done_[other] && !end_.error) co_return;
  Stream& to = sink(direction);
  const Error::Side side = direction == Direction::up ? Error::Side::downstream : Error::Side::upstream;
  const bool given_up = end_.error && !source_reset_[index];
  const Duration patience = given_up ? flow_.timeouts().reset_flush : flow_.timeouts().half_close;
  Result<void> flushed = co_await to.flush(to.loop().now() + patience);
  if (!flushed.ok()) fail(flushed.error());
  left_[index] = true;
  if (source_reset_[index]) {
    Error reason = source(direction).error();
    fail(reason.on(side));
  }
  if (!end_.error) {
    // A relay before us that parts has lingered: waiting again would add up over the hops of a chain.
    if (!is_parting(source(direction).error())) {
      linger_.arm_after(flow_.context().limits.linger_time);
      while (!done_[other] && !linger_over_ && !end_.error) co_await changed_.wait();
      if (done_[other]) co_return;
      flow_.context().counters.add(Counter::linger_cut);
    }
    parting_ = true;
  }
  to.abort(end_.error ? end_.error : Error(Error::Kind::cancelled, "the other side has closed").on(side));
}

// The other pump takes this for the end of its source. Where it waits for upstream to take bytes they are lost, too.
void Relay::end_downstream() noexcept {
  if (done_[static_cast<std::size_t>(Direction::up)]) return;
  parting_ = true;
  if (flow_.is_blocked(Direction::up)) upstream_.abort(Error(Error::Kind::cancelled, "it has ended"));
  flow_.ended(Direction::up);
  interrupt_(downstream_);
}

void Relay::source_is_gone(Direction direction) noexcept {
  source_gone_[static_cast<std::size_t>(direction)] = true;
  changed_.set();
}

void Relay::lingered(void* context) noexcept {
  auto& self = *static_cast<Relay*>(context);
  self.linger_over_ = true;
  self.changed_.set();
}

// The source of `direction` is gone. What was read from it is with the sink: let it leave, then reset the sink too.
Task<void> Relay::pass_reset(Direction direction, Error reason) {
  fail(reason);
  source(direction).abort(reason);
  Stream& to = sink(direction);
  if (to.write_side() == WriteSide::open || to.write_side() == WriteSide::finished) {
    Result<void> flushed = co_await to.flush(to.loop().now() + flow_.timeouts().reset_flush);
    (void)flushed.ok();  // past the deadline the reset goes out all the same
  }
  to.abort(reason);
}

// The sink takes no more but still answers: closing the source before it has the answer would reset that away, so its
// bytes are dropped.
Task<void> Relay::discard(Direction direction) {
  Buffer dropped;
  std::size_t total = 0;
  Turn turn;
  Stream& from = source(direction);
  while (total < kDiscardBytes || !left_[static_cast<std::size_t>(opposite(direction))]) {
    Result<std::size_t> n = co_await from.read(dropped, plan::kMostReadAhead);
    if (!n.ok()) fail(n.error());
    if (!n.ok() || *n == 0) break;
    total += *n;
    dropped.clear();
    if (turn.over(*n)) co_await yield(from.loop());
  }
  flow_.ended(direction);
}

void Relay::abort(const Error& reason) noexcept {
  fail(reason);
  upstream_.abort(reason);
  downstream_.abort(reason);
}

void Relay::on_stream_reset(Stream& stream) noexcept {
  // Whoever reads from it will meet the reset behind the queued bytes; only if that pump is stuck in a write must a
  // timer help.
  const Direction direction = &stream == &downstream_ ? Direction::up : Direction::down;
  flow_.source_reset(direction);
  // A close, also one that another relay passes on, is an end for both sides and no failure.
  const Error& why = stream.error();
  const bool closed = why.kind == Error::Kind::closed || is_parting(why);
  if (!closed) source_reset_[static_cast<std::size_t>(direction)] = true;
  source_is_gone(direction);
}

void Relay::expired(void* context, const Error& reason) noexcept {
  auto& self = *static_cast<Relay*>(context);
  self.fail(reason);
  // The upstream first: the downstream pump then passes the reset on behind the bytes it has. If that pump cannot, cut
  // both.
  self.upstream_.abort(reason);
  if (self.flow_.is_blocked(Direction::down) || self.done_[static_cast<std::size_t>(Direction::down)])
    self.downstream_.abort(reason);
}

}  // namespace tunnel
