// SPDX-License-Identifier: Apache-2.0
#include "base/epoll_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <span>
#include <system_error>
#include <utility>

#include "base/fd.hpp"

namespace tunnel {
namespace {

// How often what became ready may make more ready before the sockets are looked at again.
constexpr int kRounds = 8;

Fd checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return Fd(fd);
}

}  // namespace

struct EpollLoop::Impl {
  Fd epoll = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  Fd event =
      checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");  // wakes the loop for calls from other threads
  bool stopped = false;

  void watch(int fd, unsigned events, void* data) const {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.ptr = data;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &wanted) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
};

EpollLoop::EpollLoop() : impl_(std::make_unique<Impl>()), remote_(new Remote(*this)) {
  impl_->watch(impl_->event.get(), EPOLLIN, nullptr);
}

EpollLoop::~EpollLoop() {
  std::vector<std::function<void()>> dropped;  // here, not with the last owner of the way in, whoever that is
  const std::scoped_lock lock(remote_->mutex_);
  remote_->loop_ = nullptr;
  dropped.swap(remote_->calls_);
}

void EpollLoop::Remote::post(std::function<void()> call) {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr) return;
  calls_.push_back(std::move(call));
  const std::uint64_t one = 1;
  (void)!::write(loop_->impl_->event.get(), &one, sizeof one);
}

void EpollLoop::run_remote_calls() {
  std::uint64_t count = 0;
  (void)!::read(impl_->event.get(), &count, sizeof count);
  std::vector<std::function<void()>> calls;
  {
    const std::scoped_lock lock(remote_->mutex_);
    calls.swap(remote_->calls_);
  }
  for (const std::function<void()>& call : calls) call();
}

int EpollLoop::wait_time_ms() const {
  if (ready_count() > 0) return 0;
  if (!has_timer()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest() - now()).count();
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left, 0, INT_MAX));
}

void EpollLoop::run() {
  std::array<epoll_event, 128> events;
  impl_->stopped = false;
  while (!impl_->stopped) {
    set_now(Clock::now());
    fire_due_timers();
    // Each round runs what is ready now, not what becomes ready meanwhile.
    for (int round = 0; round < kRounds && !impl_->stopped; ++round)
      for (std::size_t n = ready_count(); n > 0 && run_one_ready(); --n) {
      }
    if (impl_->stopped) break;
    const int n = ::epoll_wait(impl_->epoll.get(), events.data(), static_cast<int>(events.size()), wait_time_ms());
    bool called = false;
    for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(std::max(n, 0)))) {
      if (event.data.ptr != nullptr)
        static_cast<Readiness*>(event.data.ptr)->event(event.events);
      else
        called = true;
    }
    // Last: a call may destroy what the events were about.
    if (called) {
      set_now(Clock::now());  // they arm timers, and the wait may have been long
      run_remote_calls();
    }
  }
}

void EpollLoop::stop() { impl_->stopped = true; }

Readiness::Readiness(EpollLoop& loop, int fd) : loop_(loop), fd_(fd) {
  loop.impl_->watch(fd, EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET, this);
}

Readiness::~Readiness() { release(); }

void Readiness::release() noexcept {
  epoll_event event{};
  if (fd_ >= 0) ::epoll_ctl(loop_.impl_->epoll.get(), EPOLL_CTL_DEL, fd_, &event);
  fd_ = -1;
}

void Readiness::wait_readable(Waiter& slot) {
  if (readable)
    loop_.post(slot);
  else
    read_slot_ = &slot;
}

void Readiness::wait_writable(Waiter& slot) {
  if (writable)
    loop_.post(slot);
  else
    write_slot_ = &slot;
}

void Readiness::wake() noexcept {
  if (Waiter* slot = std::exchange(read_slot_, nullptr)) loop_.post(*slot);
  if (Waiter* slot = std::exchange(write_slot_, nullptr)) loop_.post(*slot);
}

void Readiness::event(unsigned events) noexcept {
  const bool news = ((events & EPOLLERR) != 0 && !failed) || ((events & EPOLLHUP) != 0 && !hung_up);
  if ((events & EPOLLERR) != 0) failed = true;
  if ((events & EPOLLHUP) != 0) hung_up = true;
  if (news && error_call_ != nullptr) error_call_(error_context_);
  if ((events & EPOLLRDHUP) != 0) peer_ended = true;
  if ((events & EPOLLPRI) != 0) urgent = true;
  if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable = true;
    if (Waiter* slot = std::exchange(read_slot_, nullptr)) loop_.post(*slot);
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
    writable = true;
    if (Waiter* slot = std::exchange(write_slot_, nullptr)) loop_.post(*slot);
  }
}

}  // namespace tunnel
