// SPDX-License-Identifier: Apache-2.0
// Exchange<Base>: a ServerExchange or ClientExchange on top of a StreamCore. Only passes on; what happens is in the
// core.
#pragma once
#include <utility>

#include "base/counters.hpp"
#include "http/exchange.hpp"
#include "http/h2_session.hpp"
#include "http/h2_stream.hpp"

namespace tunnel::h2 {

template <class Base>
class Exchange : public Base, private StreamOwner {
 public:
  Exchange(Session& session, StreamCore& core)
      : Base(session.context().loop),
        session_(session),
        core_(core),
        gauge_(session.context().counters, Gauge::streams) {
    core_.own(this);
  }
  ~Exchange() override { core_.disown(); }

  Task<Result<void>> shutdown_write() override { co_return done(core_.finish(nullptr)); }
  Task<Result<void>> finish(const http::Fields& trailers) override { co_return done(core_.finish(&trailers)); }
  Task<Result<void>> flush(TimePoint deadline) override { return core_.flush(deadline); }
  void abort(Error reason) noexcept override {
    this->drop_unread();
    core_.abort(reason);
  }
  void on_reset(ResetObserver* observer) override {
    observer_ = observer;
    if (was_reset_) tell_reset();
  }
  Io try_write(Buffer& from, More /*more*/) override { return core_.write(from); }
  void on_writable(Slot& slot) override { core_.on_writable(slot); }
  Io try_fill(Pipe& pipe, std::size_t max) override { return core_.fill(pipe, max); }
  std::size_t drain_bytes() const override { return core_.drain_bytes(); }
  Io try_drain(Pipe& pipe, std::size_t max) override { return core_.drain(pipe, max); }
  std::string_view protocol() const override { return "HTTP/2"; }
  const http::Fields& trailers() const override { return core_.trailers(); }

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override { return core_.read(into, max); }
  void do_on_readable(Slot& slot) override { core_.on_readable(slot); }
  bool do_can_fill() const override { return core_.can_fill(); }
  Session& session() const { return session_; }
  StreamCore& core() const { return core_; }
  Result<void> done(Result<void> result) {
    session_.touch();
    return result;
  }

 private:
  void sides_changed(ReadSide read, WriteSide write, const Error& error) noexcept override {
    this->set_read_side(read);
    this->set_write_side(write);
    if (error) this->set_error(error);
  }
  void tell_reset() noexcept override {
    was_reset_ = true;
    if (ResetObserver* observer = std::exchange(observer_, nullptr)) observer->on_stream_reset(*this);
  }

  Session& session_;
  StreamCore& core_;
  GaugeGuard gauge_;
  ResetObserver* observer_ = nullptr;
  bool was_reset_ = false;
};

}  // namespace tunnel::h2
