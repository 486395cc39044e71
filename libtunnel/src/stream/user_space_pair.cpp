// SPDX-License-Identifier: Apache-2.0
#include "stream/user_space_pair.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "stream/flush_wait.hpp"

namespace tunnel {
namespace {

class PairEnd;

// What both ends share; freed by the second one to go.
struct PairCore {
  PairCore(const Context& in, std::size_t high) : context(in), high_mark(high), guard(in.counters, Gauge::pairs) {}
  Context context;
  std::size_t high_mark;
  GaugeGuard guard;
  std::array<PairEnd*, 2> ends{};  // nullptr: destroyed
};

class PairEnd final : public Stream {
 public:
  PairEnd(PairCore& core, std::size_t index) : Stream(core.context.loop), core_(core), index_(index) {
    core.ends[index] = this;
  }
  ~PairEnd() override;

  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override;
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override;
  bool silent_since(TimePoint since) const override {
    return peer() != nullptr && peer()->beyond_ != nullptr && peer()->beyond_->silent_since(since);
  }
  void leads_to(const Stream* beyond) override { beyond_ = beyond; }

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override;

 private:
  enum class PeerFate : std::uint8_t { alive, closed, reset };

  PairEnd* peer() const { return core_.ends[1 - index_]; }
  void wake(Slot*& slot) noexcept {
    if (Slot* waiting = std::exchange(slot, nullptr)) loop().post(*waiting);
  }
  void wake_all() noexcept;
  void peer_is_gone(PeerFate fate, const Error& reason) noexcept;
  void after_drain() noexcept;

  PairCore& core_;
  std::size_t index_;
  Buffer queue_;  // written by the peer, read here
  const Stream* beyond_ = nullptr;
  ResetObserver* observer_ = nullptr;
  Slot* read_slot_ = nullptr;
  Slot* write_slot_ = nullptr;
  FlushWait* flushing_ = nullptr;
  PeerFate peer_fate_ = PeerFate::alive;
  bool peer_finished_ = false;  // the end stands behind queue_
  bool paused_ = false;         // the peer may not write until queue_ is at the low mark
  bool aborted_ = false;
};

PairEnd::~PairEnd() {
  assert(read_slot_ == nullptr && write_slot_ == nullptr && flushing_ == nullptr && "a call is pending");
  observer_ = nullptr;  // the peer's observer may abort the peer, which must not call back here
  if (!aborted_) {
    if (write_side() == WriteSide::finished) {
      PairEnd* other = peer();
      core_.ends[index_] = nullptr;
      if (other != nullptr) {
        const bool unread = !queue_.empty();
        other->peer_is_gone(unread ? PeerFate::reset : PeerFate::closed,
                            Error(unread ? Error::Kind::reset : Error::Kind::closed,
                                  unread ? "closed with bytes unread" : "closed by the peer"));
      }
    } else {
      abort(Error(Error::Kind::reset, "dropped by the peer"));
    }
  }
  core_.ends[index_] = nullptr;
  if (peer() == nullptr) delete &core_;
}

Io PairEnd::do_try_read(Buffer& into, std::size_t max) {
  if (aborted_) return failed();
  if (!queue_.empty()) {
    const std::size_t n = queue_.move_to(into, max);
    after_drain();
    return {Io::State::done, n};
  }
  if (read_side() == ReadSide::reset) return failed();
  if (read_side() == ReadSide::ended) return {Io::State::ended, 0};  // whatever the peer does after its end
  if (peer_fate_ == PeerFate::reset) {
    set_read_side(ReadSide::reset);
    return failed();
  }
  if (!peer_finished_) return {Io::State::would_block, 0};
  set_read_side(ReadSide::ended);
  return {Io::State::ended, 0};
}

void PairEnd::after_drain() noexcept {
  PairEnd* other = peer();
  if (other == nullptr) return;
  if (paused_ && queue_.capacity_held() <= core_.high_mark / 2) {
    paused_ = false;
    other->wake(other->write_slot_);
  }
  if (queue_.empty() && other->flushing_ != nullptr) other->flushing_->finish();
}

void PairEnd::do_on_readable(Slot& slot) {
  if (!queue_.empty() || peer_finished_ || aborted_ || peer_fate_ != PeerFate::alive) {
    loop().post(slot);
  } else {
    assert((read_slot_ == nullptr || read_slot_ == &slot) && "a second read is pending");
    read_slot_ = &slot;
  }
}

Io PairEnd::try_write(Buffer& from, More /*more*/) {
  if (from.empty()) return {Io::State::done, 0};
  if (write_side() != WriteSide::open) {
    if (!error()) set_error(Error(Error::Kind::closed, "write after shutdown"));
    return failed();
  }
  PairEnd& other = *peer();
  if (other.paused_) return {Io::State::would_block, 0};
  const bool was_empty = other.queue_.empty();
  const std::size_t n = from.move_to_within(other.queue_, from.size(), core_.high_mark);
  if (other.queue_.capacity_held() >= core_.high_mark || n == 0) {
    other.paused_ = true;
    core_.context.counters.add(Counter::internal_paused);
  }
  if (n == 0) return {Io::State::would_block, 0};
  if (was_empty) other.wake(other.read_slot_);
  return {Io::State::done, n};
}

void PairEnd::on_writable(Slot& slot) {
  if (write_side() != WriteSide::open || peer() == nullptr || !peer()->paused_) {
    loop().post(slot);
  } else {
    assert((write_slot_ == nullptr || write_slot_ == &slot) && "a second write is pending");
    write_slot_ = &slot;
  }
}

Task<Result<void>> PairEnd::shutdown_write() {
  if (write_side() == WriteSide::finished) co_return Result<void>();
  if (peer_fate_ == PeerFate::closed && !aborted_) {
    // Nobody is left to read an end, and nothing was lost by that.
    set_write_side(WriteSide::finished);
    co_return Result<void>();
  }
  if (write_side() == WriteSide::refused) co_return error();
  set_write_side(WriteSide::finished);
  peer()->peer_finished_ = true;
  peer()->wake(peer()->read_slot_);
  co_return Result<void>();
}

Task<Result<void>> PairEnd::flush(TimePoint deadline) {
  for (;;) {
    if (aborted_) co_return error();
    PairEnd* other = peer();
    if (peer_fate_ == PeerFate::reset) co_return error();
    if (other == nullptr || other->queue_.empty()) co_return Result<void>();
    if (loop().now() >= deadline) co_return Error(Error::Kind::timeout, "bytes could not be flushed in time");
    FlushWait wait(loop(), flushing_, deadline);
    co_await wait;
  }
}

void PairEnd::wake_all() noexcept {
  wake(read_slot_);
  wake(write_slot_);
  if (flushing_ != nullptr) flushing_->finish();
}

void PairEnd::peer_is_gone(PeerFate fate, const Error& reason) noexcept {
  if (peer_fate_ != PeerFate::alive || aborted_) return;
  peer_fate_ = fate;
  set_error(reason);
  if (write_side() == WriteSide::open) set_write_side(WriteSide::refused);
  wake_all();
  if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
}

void PairEnd::abort(Error reason) noexcept {
  if (aborted_) return;
  aborted_ = true;
  set_error(reason);
  set_read_side(ReadSide::reset);
  set_write_side(WriteSide::refused);
  drop_unread();
  queue_.clear();
  wake_all();
  if (PairEnd* other = peer()) {
    other->queue_.clear();
    other->peer_is_gone(PeerFate::reset, reason);
  }
}

void PairEnd::on_reset(ResetObserver* observer) {
  observer_ = observer;
  if (observer_ != nullptr && peer_fate_ != PeerFate::alive && !aborted_)
    std::exchange(observer_, nullptr)->on_stream_reset(*this);
}

}  // namespace

std::pair<StreamPtr, StreamPtr> make_user_space_pair(const Context& context, std::size_t high_mark_bytes) {
  // Room for one small chunk a direction, or nothing could ever be written.
  auto* core = new PairCore(context, std::max<std::size_t>(high_mark_bytes, 1024));
  auto first = std::make_unique<PairEnd>(*core, 0);
  auto second = std::make_unique<PairEnd>(*core, 1);
  return {std::move(first), std::move(second)};
}

}  // namespace tunnel
