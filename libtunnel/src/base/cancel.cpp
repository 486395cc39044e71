// SPDX-License-Identifier: Apache-2.0
#include "base/cancel.hpp"

#include <cassert>

namespace tunnel {

Cancel::Hook::Hook(Cancel& cancel, Call call, void* context)
    : cancel_(&cancel), call_(call), context_(context), next_(cancel.hooks_), previous_(&cancel.hooks_) {
  if (next_ != nullptr) next_->previous_ = &next_;
  cancel.hooks_ = this;
}

Cancel::Hook::~Hook() {
  if (cancel_ == nullptr) return;
  *previous_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

Cancel::Cancel(Cancel& parent) : loop_(parent.loop_), reason_(parent.reason_), parent_(&parent) {
  if (!cancelled()) parent_hook_.emplace(parent, &Cancel::parent_cancelled, this);
}

Cancel::Cancel(Cancel& parent, Duration timeout, const Error& timeout_error) : Cancel(parent) {
  if (cancelled()) return;
  timeout_error_ = timeout_error;
  timer_.emplace(loop_, &Cancel::timed_out, this);
  timer_->arm_after(timeout);
}

Cancel::~Cancel() { assert(hooks_ == nullptr && "whoever hooks into a Cancel must go first"); }

void Cancel::cancel(const Error& reason) noexcept {
  if (cancelled()) return;
  reason_ = reason;
  if (timer_) timer_->disarm();
  while (Hook* hook = hooks_) {
    hooks_ = hook->next_;
    if (hooks_ != nullptr) hooks_->previous_ = &hooks_;
    hook->cancel_ = nullptr;
    hook->call_(hook->context_);
  }
}

void Cancel::parent_cancelled(void* context) noexcept {
  auto& self = *static_cast<Cancel*>(context);
  self.cancel(self.parent_->reason_);
}

void Cancel::timed_out(void* context) noexcept {
  auto& self = *static_cast<Cancel*>(context);
  self.cancel(self.timeout_error_);
}

}  // namespace tunnel
