// SPDX-License-Identifier: Apache-2.0
// The record of an internal hop that only relays: the upstream stream itself, with the hop's own timers, byte counts,
// place among the connections and log line around it. It stands where a user-space pair, two pumps and a coroutine
// would.
#pragma once
#include "proxy/handler.hpp"

namespace tunnel::proxy {

class HopStream final : public Stream, private ResetObserver, private Connection {
 public:
  HopStream(Handler& handler, const ConnectionInfo& info);
  ~HopStream() override;

  const Error& refusal() const { return admission_.refusal(); }
  // The upstream is there: from now on this is a stream.
  void attach(StreamPtr upstream, std::string address);
  // There will be none: the log line says why.
  void fail(const Error& reason);
  AccessRecord& record() { return record_; }

  Task<Result<void>> shutdown_write() override;
  Task<Result<void>> flush(TimePoint deadline) override { return upstream_->flush(deadline); }
  void abort(Error reason) noexcept override;
  void on_reset(ResetObserver* observer) override;
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override { upstream_->on_writable(slot); }

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override { upstream_->on_readable(slot); }

 private:
  void on_stream_reset(Stream& stream) noexcept override;
  void drain() noexcept override {}
  void abort(const Error& reason) noexcept override;
  std::string describe() const override { return record_.downstream_local; }
  static void expired(void* self, const Error& reason) noexcept;
  void take_failure() noexcept;

  Handler& handler_;
  Handler::Admission admission_;
  AccessRecord record_;
  StreamPtr upstream_;
  std::optional<Flow> flow_;
  ResetObserver* observer_ = nullptr;
  Error why_;
  bool upstream_reset_ = false;
  bool parted_ = false;  // let go of after our direction had ended
};

}  // namespace tunnel::proxy
