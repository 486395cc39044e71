// SPDX-License-Identifier: Apache-2.0
// Cancel: the reason to give up an operation that is under way, handed down to whoever waits for it: its client left,
// its time ran out, the listener it asked for was taken away. A child is cancelled with its parent. Of one worker.
#pragma once
#include <optional>

#include "tunnel/error.hpp"
#include "tunnel/loop.hpp"

namespace tunnel {

class Cancel {
 public:
  // Called once, inline from cancel(): note it and wake somebody, do not destroy the Cancel. Unhooks when destroyed.
  // Not called for what was cancelled before: look at cancelled() first.
  class Hook {
   public:
    using Call = void (*)(void* context) noexcept;
    Hook(Cancel& cancel, Call call, void* context);
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;
    ~Hook();

   private:
    friend class Cancel;
    Cancel* cancel_;
    Call call_;
    void* context_;
    Hook* next_;
    Hook** previous_;
  };

  explicit Cancel(Loop& loop) : loop_(loop) {}
  // Cancelled with `parent`.
  explicit Cancel(Cancel& parent);
  // The same, or after `timeout` with `timeout_error`.
  Cancel(Cancel& parent, Duration timeout, const Error& timeout_error);
  Cancel(const Cancel&) = delete;
  Cancel& operator=(const Cancel&) = delete;
  ~Cancel();

  void cancel(const Error& reason) noexcept;
  bool cancelled() const { return static_cast<bool>(reason_); }
  const Error& reason() const { return reason_; }
  Loop& loop() const { return loop_; }

 private:
  static void parent_cancelled(void* self) noexcept;
  static void timed_out(void* self) noexcept;
  Loop& loop_;
  Error reason_;
  Error timeout_error_;
  Hook* hooks_ = nullptr;
  Cancel* parent_ = nullptr;
  std::optional<Hook> parent_hook_;
  std::optional<Timer> timer_;
};

}  // namespace tunnel
