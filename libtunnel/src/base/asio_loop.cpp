// SPDX-License-Identifier: Apache-2.0
#include "base/asio_loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tunnel {
namespace asio = boost::asio;

struct AsioLoop::Impl {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::posix::stream_descriptor epoll_set{io};
  asio::steady_timer timer{io};
  TimePoint timer_at = TimePoint::max();
  bool watching = false;
  bool harvest = false;
  bool stopped = false;
  int fd = -1;

  void watch() {
    if (watching) return;
    watching = true;
    epoll_set.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      watching = false;
      if (!error) harvest = true;
    });
  }
};

AsioLoop::AsioLoop() : impl_(std::make_unique<Impl>()), remote_(new Remote(*this)) {
  impl_->fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (impl_->fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  impl_->epoll_set.assign(impl_->fd);
}

AsioLoop::~AsioLoop() {
  const std::scoped_lock lock(remote_->mutex_);
  remote_->loop_ = nullptr;
}

void AsioLoop::run() {
  std::array<epoll_event, 128> events;
  impl_->stopped = false;
  while (!impl_->stopped) {
    set_now(Clock::now());
    fire_due_timers();
    // What is ready now, not what becomes ready meanwhile: a busy pair must not keep the sockets waiting.
    for (std::size_t n = ready_count(); n > 0 && run_one_ready(); --n) {
    }
    if (impl_->stopped) break;
    if (ready_count() > 0) {
      impl_->watch();
      impl_->io.poll();
    } else {
      if (has_timer() && earliest() < impl_->timer_at) {
        impl_->timer_at = earliest();
        impl_->timer.expires_at(impl_->timer_at);
        impl_->timer.async_wait([this](const boost::system::error_code& error) {
          if (!error) impl_->timer_at = TimePoint::max();
        });
      }
      impl_->watch();
      impl_->io.run_one();
    }
    if (!impl_->harvest) continue;
    impl_->harvest = false;
    int n = 0;
    do {
      n = ::epoll_wait(impl_->fd, events.data(), static_cast<int>(events.size()), 0);
      for (int i = 0; i < n; ++i)
        static_cast<Readiness*>(events[static_cast<std::size_t>(i)].data.ptr)
            ->event(events[static_cast<std::size_t>(i)].events);
    } while (n == static_cast<int>(events.size()));
  }
}

void AsioLoop::stop() { impl_->stopped = true; }

void AsioLoop::Remote::post(std::function<void()> call) {
  const std::scoped_lock lock(mutex_);
  if (loop_ != nullptr) asio::post(loop_->impl_->io, std::move(call));
}

void AsioLoop::timers_changed() noexcept {}

Readiness::Readiness(AsioLoop& loop, int fd) : loop_(loop), fd_(fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
  event.data.ptr = this;
  if (::epoll_ctl(loop.impl_->fd, EPOLL_CTL_ADD, fd, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

Readiness::~Readiness() {
  epoll_event event{};
  ::epoll_ctl(loop_.impl_->fd, EPOLL_CTL_DEL, fd_, &event);
}

void Readiness::wait_readable(Waiter& slot) {
  if (readable) {
    loop_.post(slot);
  } else {
    assert((read_slot_ == nullptr || read_slot_ == &slot) && "a second read is pending");
    read_slot_ = &slot;
  }
}

void Readiness::wait_writable(Waiter& slot) {
  if (writable) {
    loop_.post(slot);
  } else {
    assert((write_slot_ == nullptr || write_slot_ == &slot) && "a second write is pending");
    write_slot_ = &slot;
  }
}

void Readiness::wake() noexcept {
  if (Waiter* slot = std::exchange(read_slot_, nullptr)) loop_.post(*slot);
  if (Waiter* slot = std::exchange(write_slot_, nullptr)) loop_.post(*slot);
}

void Readiness::event(unsigned events) noexcept {
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
  if ((events & EPOLLERR) != 0 && !failed) {
    failed = true;
    if (error_call_ != nullptr) error_call_(error_context_);
  }
}

}  // namespace tunnel
