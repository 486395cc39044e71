// SPDX-License-Identifier: Apache-2.0
#include "proxy/hop_stream.hpp"

#include <utility>

#include "proxy/kept_response.hpp"

namespace tunnel::proxy {

HopStream::HopStream(Handler& handler, const ConnectionInfo& info, std::string_view cluster)
    : Stream(handler.context().loop),
      Connection(handler.environment().connections),
      handler_(handler),
      admission_(handler, info),
      record_(handler.start_record(AccessRecord::Kind::connection, admission_, info, cluster)) {}

HopStream::~HopStream() {
  if (!upstream_) return;
  flow_->stop();
  upstream_->on_reset(nullptr);
  const bool orderly = parted_ || (read_side() == ReadSide::ended && write_side() != WriteSide::open);
  if (!why_ && !orderly)
    why_ = error() ? error() : Error(Error::Kind::reset, "dropped by the peer").on(Error::Side::downstream);
  if (tunnel_ != nullptr) record_.state = with_trailers(record_.state, *tunnel_);
  upstream_.reset();
  handler_.finish_record(record_, &*flow_, why_);
}

void HopStream::attach(Cluster::Dialed upstream) {
  endpoint_ = std::move(upstream.endpoint);
  tunnel_ = upstream.tunnel;
  upstream_ = std::move(upstream.stream);
  record_.upstream = std::move(upstream.address);
  record_.upstream_local = upstream.local;
  flow_.emplace(handler_.context(), handler_.tunnel_timeouts(), &HopStream::expired, this, &handler_.traffic(record_));
  flow_->on_silence(
      [](void* self) noexcept {
        const auto& hop = *static_cast<HopStream*>(self);
        hop.handler_.tell_silence(hop.record_);
      },
      this);
  upstream_->on_reset(this);
  lifetime_ = Lifetime::of(handler_, *this, record_.downstream_remote, record_.begin);
}

void HopStream::fail(const Error& reason) { handler_.finish_record(record_, nullptr, reason); }

Io HopStream::read_from_upstream(Io io) {
  switch (io.state) {
    case Io::State::done:
      flow_->moved(Direction::down, io.bytes);
      break;
    case Io::State::ended:
      flow_->ended(Direction::down);
      set_read_side(ReadSide::ended);
      break;
    case Io::State::failed:
      take_failure();
      set_read_side(ReadSide::reset);
      break;
    case Io::State::would_block:
      break;
  }
  return io;
}

Io HopStream::written_to_upstream(Io io) {
  switch (io.state) {
    case Io::State::done:
      flow_->moved(Direction::up, io.bytes);
      flow_->unblocked(Direction::up);
      break;
    case Io::State::would_block:
      flow_->blocked(Direction::up);
      break;
    default:
      // An upstream that only takes no more may still answer in order: that alone is no failure.
      if (upstream_->write_side() == WriteSide::refused && upstream_->read_side() != ReadSide::reset)
        set_error(upstream_->error());
      else
        take_failure();
      set_write_side(upstream_->write_side());
      set_read_side(upstream_->read_side());
      break;
  }
  return io;
}

void HopStream::take_failure() noexcept {
  Error reason = upstream_->error();
  if (!why_) why_ = Error(reason).on(Error::Side::upstream);
  set_error(reason);
}

Task<Result<void>> HopStream::shutdown_write() {
  flow_->ended(Direction::up);
  Result<void> done = co_await upstream_->shutdown_write();
  set_write_side(upstream_->write_side());
  if (!done.ok()) {
    set_error(done.error());
    if (upstream_->read_side() == ReadSide::reset) take_failure();
  }
  co_return done;
}

void HopStream::abort(Error reason) noexcept {
  // A relay that lets go of us after one side finished and left; see Relay::outlive().
  if (is_parting(reason) && (write_side() == WriteSide::finished || read_side() == ReadSide::ended)) parted_ = true;
  const bool over = read_side() == ReadSide::ended && write_side() == WriteSide::finished;
  if (!why_ && !parted_ && !over) {
    if (upstream_reset_ && upstream_->error().kind != Error::Kind::closed)
      why_ = Error(upstream_->error()).on(Error::Side::upstream);
    else
      why_ = Error(reason).on(Error::Side::downstream);
  }
  set_error(reason);
  set_read_side(ReadSide::reset);
  set_write_side(WriteSide::refused);
  drop_unread();
  if (upstream_) upstream_->abort(std::move(reason));
}

void HopStream::abort(const Error& reason) noexcept {
  if (!why_) why_ = reason;
  if (upstream_) upstream_->abort(reason);
}

void HopStream::on_reset(ResetObserver* observer) {
  observer_ = observer;
  if (observer_ != nullptr && upstream_reset_ && read_side() != ReadSide::reset)
    std::exchange(observer_, nullptr)->on_stream_reset(*this);
}

// No failure yet: bytes and an end may stand before it, and whoever reads or writes meets it.
void HopStream::on_stream_reset(Stream& /*stream*/) noexcept {
  upstream_reset_ = true;
  set_error(upstream_->error());
  if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
}

void HopStream::expired(void* context, const Error& reason) noexcept {
  auto& self = *static_cast<HopStream*>(context);
  // The timers of all hops may be due at once; then each says so, whoever came first.
  if (!self.why_ || self.why_.kind == Error::Kind::timeout) self.why_ = reason;
  self.upstream_->abort(reason);
}

}  // namespace tunnel::proxy
