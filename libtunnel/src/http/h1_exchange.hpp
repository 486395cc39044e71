// SPDX-License-Identifier: Apache-2.0
// What server and client exchanges over HTTP/1.1 have in common: the verbs of Stream over a transport with framing. The
// connection owns the transport and its Outbox; an exchange has them for as long as it lives.
#pragma once
#include <utility>

#include "base/context.hpp"
#include "http/exchange.hpp"
#include "http/h1_body.hpp"

namespace tunnel::h1 {

template <class Interface>
class ExchangeBase : public Interface, private ResetObserver {
 public:
  ExchangeBase(const Context& context, Stream& transport, Outbox& outbox, Error truncated)
      : Interface(context.loop),
        context_(context),
        transport_(transport),
        outbox_(outbox),
        in_(std::move(truncated)),
        guard_(context.counters, Gauge::streams) {}
  ~ExchangeBase() override { transport_.on_reset(nullptr); }

  Task<Result<void>> shutdown_write() override {
    const http::Fields none;
    Task<Result<void>> finishing = finish(none);
    co_return co_await finishing;
  }
  Task<Result<void>> finish(const http::Fields& trailers) override;
  Task<Result<void>> flush(TimePoint deadline) override;
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override {
    observer_ = observer;
    transport_.on_reset(observer == nullptr ? nullptr : this);
  }
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override;
  // A tunnel's bytes are the transport's as they are.
  Io try_fill(Pipe& pipe, std::size_t max) override { return transport_.try_fill(pipe, max); }
  std::size_t drain_bytes() const override {
    const bool passes = !aborted_ && this->write_side() == WriteSide::open && may_write() &&
                        out_.framing() == Framing::tunnel && outbox_.empty() && !outbox_.failed();
    return passes ? transport_.drain_bytes() : 0;
  }
  Io try_drain(Pipe& pipe, std::size_t max) override {
    const Io io = transport_.try_drain(pipe, max);
    if (io.state == Io::State::failed) {
      this->set_error(transport_.error());
      this->set_write_side(WriteSide::refused);
    }
    return io;
  }
  bool silent_since(TimePoint since) const override { return transport_.silent_since(since); }
  const http::Fields& trailers() const override { return in_.trailers(); }
  bool aborted() const { return aborted_; }

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override;
  bool do_can_fill() const override { return !aborted_ && may_read() && in_.is_open_tunnel() && transport_.can_fill(); }
  // The transport's read side, and the moment from which bytes may pass.
  virtual void wait_transport(Slot& slot) { transport_.on_readable(slot); }
  virtual bool may_read() const = 0;
  virtual bool may_write() const = 0;
  // Posts whoever waits in on_readable() for may_read().
  void open_read_gate() noexcept {
    if (Slot* slot = std::exchange(read_gate_, nullptr)) this->loop().post(*slot);
  }
  // The answer of may_read() or may_write() changed, or the exchange was aborted.
  void open_gates() noexcept {
    open_read_gate();
    if (Slot* slot = std::exchange(write_gate_, nullptr)) this->loop().post(*slot);
  }

  Context context_;
  Stream& transport_;
  Outbox& outbox_;
  Inbound in_;
  Outbound out_;

 private:
  struct WriteGate;
  void on_stream_reset(Stream&) noexcept override {
    this->set_error(transport_.error());
    if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
  }

  GaugeGuard guard_;
  ResetObserver* observer_ = nullptr;
  Slot* read_gate_ = nullptr;
  Slot* write_gate_ = nullptr;
  bool aborted_ = false;
};

template <class Interface>
struct ExchangeBase<Interface>::WriteGate {
  explicit WriteGate(ExchangeBase& of) : exchange(of) {}
  bool await_ready() const noexcept { return exchange.may_write() || exchange.aborted_; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot.handle = caller;
    exchange.write_gate_ = &slot;
  }
  void await_resume() const noexcept {}
  ExchangeBase& exchange;
  Slot slot;
};

template <class Interface>
Io ExchangeBase<Interface>::do_try_read(Buffer& into, std::size_t max) {
  if (aborted_) return this->failed();
  if (!may_read()) return {Io::State::would_block, 0};
  const Io io = in_.read(transport_, into, max);
  if (io.state == Io::State::ended) this->set_read_side(ReadSide::ended);
  if (io.state == Io::State::failed && this->read_side() == ReadSide::open) {
    if (in_.fault().flood) context_.counters.add(Counter::framing_floods);
    if (in_.fault().status == 431) context_.counters.add(Counter::heads_too_large);
    this->set_error(in_.error());
    this->set_read_side(ReadSide::reset);
    if (transport_.write_side() == WriteSide::refused && this->write_side() == WriteSide::open)
      this->set_write_side(WriteSide::refused);
  }
  return io;
}

template <class Interface>
void ExchangeBase<Interface>::do_on_readable(Slot& slot) {
  if (aborted_ || (may_read() && in_.ready()))
    this->loop().post(slot);
  else if (!may_read())
    read_gate_ = &slot;
  else
    wait_transport(slot);
}

template <class Interface>
Io ExchangeBase<Interface>::try_write(Buffer& from, More /*more*/) {
  if (from.empty()) return {Io::State::done, 0};
  if (aborted_ || this->write_side() != WriteSide::open) {
    this->set_error(Error(Error::Kind::closed, "write after the end"));
    return this->failed();
  }
  if (!may_write()) return {Io::State::would_block, 0};
  const Io io = out_.write(outbox_, transport_, from);
  if (io.state == Io::State::failed) {
    this->set_error(out_.error());
    this->set_write_side(WriteSide::refused);
  }
  return io;
}

template <class Interface>
void ExchangeBase<Interface>::on_writable(Slot& slot) {
  if (aborted_ || this->write_side() != WriteSide::open)
    this->loop().post(slot);
  else if (!may_write())
    write_gate_ = &slot;
  else
    outbox_.on_writable(slot);
}

template <class Interface>
Task<Result<void>> ExchangeBase<Interface>::finish(const http::Fields& trailers) {
  if (!aborted_ && this->write_side() == WriteSide::open) {
    WriteGate gate(*this);
    co_await gate;
  }
  if (aborted_ || this->write_side() == WriteSide::refused) co_return this->error();
  if (this->write_side() == WriteSide::finished) co_return Result<void>();
  if (out_.framing() == Framing::tunnel) {
    Task<Result<void>> draining = outbox_.drain(TimePoint::max());
    Result<void> drained = co_await draining;
    if (!drained.ok()) co_return drained.error();
    this->set_write_side(WriteSide::finished);
    Task<Result<void>> ending = transport_.shutdown_write();
    co_return co_await ending;
  }
  Result<void> finished = out_.finish(outbox_, trailers);
  if (!finished.ok()) {
    // Closing now would pass a part off as the whole.
    abort(finished.error());
    co_return finished;
  }
  this->set_write_side(WriteSide::finished);
  co_return finished;
}

template <class Interface>
Task<Result<void>> ExchangeBase<Interface>::flush(TimePoint deadline) {
  if (aborted_) co_return this->error();
  Task<Result<void>> draining = outbox_.drain(deadline);
  Result<void> drained = co_await draining;
  if (!drained.ok()) co_return drained;
  Task<Result<void>> flushing = transport_.flush(deadline);
  co_return co_await flushing;
}

template <class Interface>
void ExchangeBase<Interface>::abort(Error reason) noexcept {
  if (aborted_) return;
  aborted_ = true;
  this->set_error(reason);
  this->set_read_side(ReadSide::reset);
  this->set_write_side(WriteSide::refused);
  this->drop_unread();
  outbox_.clear();
  transport_.abort(std::move(reason));
  open_gates();
}

}  // namespace tunnel::h1
