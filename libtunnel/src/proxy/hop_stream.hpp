// SPDX-License-Identifier: Apache-2.0
// The record of an internal hop that only relays: the upstream stream itself, with the hop's own timers, byte counts,
// place among the connections and log line around it. It stands where a user-space pair, two pumps and a coroutine
// would.
#pragma once
#include "proxy/handler.hpp"
#include "proxy/lifetime.hpp"

namespace tunnel::proxy {

class HopStream final : public Stream, private ResetObserver, private Connection {
 public:
  HopStream(Handler& handler, const ConnectionInfo& info, std::string_view cluster);
  ~HopStream() override;

  const Error& refusal() const { return admission_.refusal(); }
  // The upstream is there: from now on this is a stream.
  void attach(Cluster::Dialed upstream);
  // There will be none: the log line says why.
  void fail(const Error& reason);
  AccessRecord& record() { return record_; }

  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override { return upstream_->flush(deadline); }
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override { return written_to_upstream(upstream_->try_write(from, more)); }
  void on_writable(Slot& slot) override { upstream_->on_writable(slot); }
  Io try_fill(Pipe& pipe, std::size_t max) override { return read_from_upstream(upstream_->try_fill(pipe, max)); }
  std::size_t drain_bytes() const override { return upstream_->drain_bytes(); }
  Io try_drain(Pipe& pipe, std::size_t max) override { return written_to_upstream(upstream_->try_drain(pipe, max)); }
  bool silent_since(TimePoint since) const override { return upstream_->silent_since(since); }

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override { return read_from_upstream(upstream_->try_read(into, max)); }
  void do_on_readable(Slot& slot) override { upstream_->on_readable(slot); }
  bool do_can_fill() const override { return upstream_->can_fill(); }

 private:
  // Take into account what a call on the upstream stream did.
  Io read_from_upstream(Io io);
  Io written_to_upstream(Io io);
  void on_stream_reset(Stream& stream) noexcept override;
  void drain() noexcept override {}
  void abort(const Error& reason) noexcept override;
  void describe(Listing& into) const override { into.add(record_, flow_ ? &*flow_ : nullptr); }
  static void expired(void* self, const Error& reason) noexcept;
  void take_failure() noexcept;

  Handler& handler_;
  Handler::Admission admission_;
  AccessRecord record_;
  std::shared_ptr<const void> endpoint_;
  StreamPtr upstream_;
  const http::ClientExchange* tunnel_ = nullptr;  // the same, see Dialed
  std::optional<Flow> flow_;
  ResetObserver* observer_ = nullptr;
  std::unique_ptr<Lifetime> lifetime_;
  Error why_;
  bool upstream_reset_ = false;
  bool parted_ = false;  // let go of after our direction had ended
};

}  // namespace tunnel::proxy
