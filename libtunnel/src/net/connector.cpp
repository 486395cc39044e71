// SPDX-License-Identifier: Apache-2.0
#include "net/connector.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "base/fd.hpp"
#include "stream/socket_stream.hpp"

namespace tunnel::net {
namespace {

constexpr std::chrono::milliseconds kStagger{250};

// What the attempts of one connect share; kept alive by whichever of them ends last.
struct Race {
  explicit Race(EpollLoop& on) : loop(on), news(on) {}
  EpollLoop& loop;
  Notify news;
  std::vector<Readiness*> waiting;
  Fd winner;
  SocketAddress address;
  Error last_error;
  std::size_t running = 0;
  bool failed = false;  // an attempt failed since the last one was started
  bool over = false;
};

class UntilWritable {
 public:
  explicit UntilWritable(Readiness& ready) : ready_(ready) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot_.handle = caller;
    ready_.wait_writable(slot_);
  }
  void await_resume() const noexcept {}

 private:
  Readiness& ready_;
  Slot slot_;
};

Task<void> attempt(std::shared_ptr<Race> race, SocketAddress address, Fd fd, std::unique_ptr<Readiness> ready) {
  ready->writable = false;
  race->waiting.push_back(ready.get());
  co_await UntilWritable(*ready);
  std::erase(race->waiting, ready.get());
  ready.reset();
  --race->running;
  if (race->over) co_return;
  int number = 0;
  socklen_t length = sizeof number;
  (void)::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &number, &length);
  if (number != 0) {
    race->last_error = error_from_errno(number, "connect to " + address.to_string());
    race->failed = true;
  } else if (!race->winner) {
    race->winner = std::move(fd);
    race->address = address;
  }
  race->news.set();
}

// IPv6 and IPv4 in turns, the family of the system's first choice first.
std::vector<SocketAddress> interleave(const std::vector<SocketAddress>& addresses) {
  std::vector<SocketAddress> first;
  std::vector<SocketAddress> second;
  for (const SocketAddress& address : addresses)
    (address.family() == addresses.front().family() ? first : second).push_back(address);
  std::vector<SocketAddress> order;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) order.push_back(first[i]);
    if (i < second.size()) order.push_back(second[i]);
  }
  return order;
}

// False if it failed at once.
bool start_attempt(const std::shared_ptr<Race>& race, const Context& context, const SocketAddress& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    race->last_error = error_from_errno(errno, "socket for " + address.to_string());
    if (errno == EMFILE || errno == ENFILE) context.counters.add(Counter::fd_exhausted);
    return false;
  }
  set_socket_options(fd.get(), context.limits);
  if (::connect(fd.get(), address.data(), address.length()) != 0 && errno != EINPROGRESS) {
    race->last_error = error_from_errno(errno, "connect to " + address.to_string());
    return false;
  }
  std::unique_ptr<Readiness> ready;
  try {
    ready = std::make_unique<Readiness>(race->loop, fd.get());
  } catch (const std::system_error& error) {
    race->last_error = Error(Error::Kind::internal, error.what());
    return false;
  }
  ++race->running;
  spawn(attempt(race, address, std::move(fd), std::move(ready)));
  return true;
}

}  // namespace

Task<Result<Connected>> connect_tcp(EpollLoop& loop, const Context& context, std::vector<SocketAddress> addresses,
                                    Cancel& cancel, bool wants_local) {
  if (cancel.cancelled()) co_return cancel.reason();
  auto race = std::make_shared<Race>(loop);
  race->last_error = Error(Error::Kind::unreachable, "no address to connect to");
  const auto wake = [](void* self) noexcept { static_cast<Race*>(self)->news.set(); };
  const Cancel::Hook hook(cancel, wake, race.get());
  Timer stagger(loop, wake, race.get());
  const std::vector<SocketAddress> order = addresses.empty() ? addresses : interleave(addresses);
  std::size_t next = 0;
  while (!race->winner && !cancel.cancelled()) {
    const bool may_try = next < order.size() && next < context.limits.connect_tries;
    if (may_try && (race->running == 0 || race->failed || !stagger.armed())) {
      race->failed = false;
      stagger.disarm();
      if (start_attempt(race, context, order[next++])) stagger.arm_after(kStagger);
      continue;
    }
    if (race->running == 0) break;
    co_await race->news.wait();
  }
  if (!race->winner && next < order.size() && next == context.limits.connect_tries)
    context.counters.add(Counter::connect_tries_cut);
  race->over = true;
  for (Readiness* ready : race->waiting) ready->wake();
  // First: who was cancelled in the turn of the success watches for nothing any more.
  if (cancel.cancelled()) co_return cancel.reason();
  if (!race->winner) co_return race->last_error;
  try {
    const SocketAddress local = wants_local ? SocketAddress::local_of(race->winner.get()) : SocketAddress();
    auto stream = std::make_unique<SocketStream>(loop, context.counters, race->winner.release());
    co_return Connected{std::move(stream), race->address, local};
  } catch (const std::system_error& error) {
    co_return Error(Error::Kind::internal, error.what());
  }
}

}  // namespace tunnel::net
