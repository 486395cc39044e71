// SPDX-License-Identifier: Apache-2.0
#include "net/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/log.hpp"
#include "net/original_destination.hpp"
#include "net/unix_socket.hpp"

namespace tunnel::net {
namespace {

// The first descriptor number accepting must leave alone: every connection needs a second one for its upstream.
int first_reserved_descriptor() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  return static_cast<int>(limit.rlim_cur - std::min<rlim_t>(limit.rlim_cur / 8, 64));
}

SocketKind kind_of(int fd) {
  int domain = AF_UNSPEC;
  socklen_t length = sizeof domain;
  (void)::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  return domain == AF_UNIX ? SocketKind::local : SocketKind::tcp;
}

enum class Bind { alone, shared, probe };  // probe: says whether it could be bound, and listens to nobody

Result<Fd> bind_one(const SocketAddress& address, Bind how, const Limits& limits) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return error_from_errno(errno, "socket for " + address.to_string());
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (how == Bind::shared) (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.family() == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  set_socket_options(fd.get(), limits);
  if (::bind(fd.get(), address.data(), address.length()) != 0 ||
      (how != Bind::probe && ::listen(fd.get(), kBacklog) != 0)) {
    Error error = error_from_errno(errno, "cannot listen on " + address.to_string());
    if (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT) error.kind = Error::Kind::unreachable;
    return error;
  }
  return fd;
}

// Without sharing first: with SO_REUSEPORT on all, a second process would quietly take half of the connections.
Result<BoundAddress> bind_all(SocketAddress address, std::size_t sockets, const Limits& limits) {
  BoundAddress bound;
  {
    Result<Fd> probe = bind_one(address, sockets == 1 ? Bind::alone : Bind::probe, limits);
    if (!probe.ok()) return probe.error();
    if (sockets == 1) {
      bound.address = SocketAddress::local_of(probe->get());
      bound.sockets.push_back(std::move(*probe));
      return bound;
    }
    address = SocketAddress::local_of(probe->get());
  }
  for (std::size_t i = 0; i < sockets; ++i) {
    Result<Fd> socket = bind_one(address, Bind::shared, limits);
    if (!socket.ok()) return socket.error();
    bound.sockets.push_back(std::move(*socket));
  }
  bound.address = address;
  return bound;
}

bool no_such_family(const Error& error) { return error.kind == Error::Kind::unreachable; }

}  // namespace

Result<std::vector<BoundAddress>> bind_addresses(const plan::Tcp& address, std::size_t sockets, const Limits& limits) {
  std::vector<SocketAddress> wanted;
  if (address.host.empty() || address.host == "localhost") {
    wanted = {*SocketAddress::from_literal("127.0.0.1", address.port),
              *SocketAddress::from_literal("::1", address.port)};
  } else if (address.host == "*") {
    wanted = {*SocketAddress::from_literal("0.0.0.0", address.port), *SocketAddress::from_literal("::", address.port)};
  } else if (const auto literal = SocketAddress::from_literal(address.host, address.port)) {
    wanted = {*literal};
  } else {
    return Error(Error::Kind::unreachable,
                 "cannot listen on " + address.host + ": give an IP address, \"*\" or a bare port");
  }
  std::vector<BoundAddress> all;
  for (SocketAddress& one : wanted) {
    if (one.port() == 0 && !all.empty()) one.set_port(all.front().address.port());
    Result<BoundAddress> bound = bind_all(one, sockets, limits);
    // The second of a pair is IPv6, which a host may lack; a busy port is an error on either.
    if (!bound.ok() && wanted.size() > 1 && one.family() == AF_INET6 && no_such_family(bound.error())) continue;
    if (!bound.ok()) return bound.error();
    all.push_back(std::move(*bound));
  }
  return all;
}

bool is_of_this_machine(const SocketAddress& address) {
  if (address.is_loopback() || address.is_unspecified()) return true;
  // Only an address of ours can be bound to; the port does not matter.
  SocketAddress any_port = address;
  any_port.set_port(0);
  const Fd probe(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return probe && ::bind(probe.get(), any_port.data(), any_port.length()) == 0;
}

bool adopt(EpollLoop& loop, const Context& context, Accepted accepted, Acceptor& acceptor) {
  StreamPtr stream;
  try {
    stream = std::make_unique<SocketStream>(loop, context.counters, accepted.fd.release(), accepted.kind);
  } catch (const std::system_error&) {
    return false;
  }
  acceptor.accepted(std::move(stream), std::move(accepted.info));
  return true;
}

Listener::Listener(EpollLoop& loop, const Context& context, Fd socket, Acceptor& acceptor, HandOver hand_over,
                   bool inherited)
    : loop_(loop),
      context_(context),
      socket_(std::move(socket)),
      kind_(kind_of(socket_.get())),
      name_(kind_ == SocketKind::local ? unix_name_of(socket_.get())
                                       : SocketAddress::local_of(socket_.get()).to_string()),
      acceptor_(acceptor),
      hand_over_(std::move(hand_over)),
      inherited_(inherited),
      wants_original_(acceptor.wants_original()),
      ready_(std::make_unique<Readiness>(loop, socket_.get())),
      wake_(std::make_unique<Wake>(*this)),
      sleep_(
          loop, [](void* self) noexcept { static_cast<Listener*>(self)->turn(); }, this),
      highest_fd_(first_reserved_descriptor()) {
  ready_->readable = false;
  ready_->wait_readable(*wake_);
}

Listener::~Listener() { close(); }

void Listener::turn() noexcept {
  if (!socket_) return;
  if (starved_ && short_of_descriptors()) {
    rest();
    return;
  }
  starved_ = false;
  switch (accept_some(context_.limits.accepts_per_wakeup)) {
    case Turn::starved:
      starved_ = true;
      rest();
      return;
    case Turn::more:
      context_.counters.add(Counter::accept_bursts);
      break;
    case Turn::empty:
      ready_->readable = false;
      break;
  }
  ready_->wait_readable(*wake_);
}

Listener::Turn Listener::accept_some(std::size_t most) {
  for (std::size_t i = 0; i < most; ++i) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    Fd fd(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) return Turn::starved;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return Turn::empty;
      if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK || errno == EOPNOTSUPP) {
        log::warning("{} listens no more: whoever shares the socket has shut it down", name_);
        return Turn::empty;
      }
      continue;  // that connection is gone already; the next may be fine
    }
    const bool last = fd.get() >= highest_fd_;
    if (inherited_ && kind_ == SocketKind::tcp) set_socket_options(fd.get(), context_.limits);
    ConnectionInfo info = describe(fd.get(), reinterpret_cast<sockaddr*>(&storage));
    Accepted one{std::move(fd), kind_, std::move(info)};
    const bool elsewhere = hand_over_ && hand_over_(one);
    if (!elsewhere && !adopt(loop_, context_, std::move(one), acceptor_)) return Turn::starved;
    if (last) return Turn::starved;
  }
  return Turn::more;
}

ConnectionInfo Listener::describe(int fd, const sockaddr* from) const {
  ConnectionInfo info;
  if (kind_ == SocketKind::local) {
    info.downstream = unix_peer_of(fd);
    info.local_name = name_;
    return info;
  }
  info.remote = SocketAddress::from_sockaddr(from);
  info.local = SocketAddress::local_of(fd);
  if (wants_original_) info.original = original_destination(fd, info.local);
  info.downstream = info.remote.to_string();
  info.local_name = info.local.to_string();
  return info;
}

// The kernel gives the lowest free number, so one look tells how many are in use.
bool Listener::short_of_descriptors() const {
  const Fd probe(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  return !probe || probe.get() >= highest_fd_;
}

void Listener::rest() {
  context_.counters.add(Counter::fd_exhausted);
  if (loop_.now() - last_complaint_ >= std::chrono::seconds(1)) {
    last_complaint_ = loop_.now();
    log::warning("out of descriptors: {} accepts nothing for {} ms (raise `ulimit -n` or lower --max-conns)", name_,
                 context_.limits.accept_sleep.count());
  }
  sleep_.arm_after(context_.limits.accept_sleep);
}

void Listener::close() {
  if (!socket_) return;
  while (accept_some(context_.limits.accepts_per_wakeup) == Turn::more) {
  }
  sleep_.disarm();
  ready_.reset();
  socket_.reset(-1);
}

}  // namespace tunnel::net
