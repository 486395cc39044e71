// SPDX-License-Identifier: Apache-2.0
#include "support/tcp_peer.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tunnel::test {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

Fd bound_socket(const char* ip, SocketAddress& address) {
  const auto wanted = SocketAddress::from_literal(ip, 0);
  Fd fd(::socket(wanted->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), wanted->data(), wanted->length()) != 0) fail("bind");
  address = SocketAddress::local_of(fd.get());
  return fd;
}

}  // namespace

TcpServer::TcpServer(const char* ip, int backlog) : fd_(bound_socket(ip, address_)) {
  if (::listen(fd_.get(), backlog) != 0) fail("listen");
}

std::size_t TcpServer::accept_all() {
  std::size_t count = 0;
  for (;;) {
    Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return count;
    accepted_.push_back(std::move(fd));
    ++count;
  }
}

BlackHole::BlackHole() : server_("127.0.0.1", 0) {
  for (int i = 0; i < 3; ++i) fill_.push_back(connect_to(server_.address()));
}

Refusing::Refusing() : fd_(bound_socket("127.0.0.1", address_)) {}

Fd connect_to(const SocketAddress& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket");
  if (::connect(fd.get(), address.data(), address.length()) != 0 && errno != EINPROGRESS) fail("connect");
  return fd;
}

NoDescriptors::NoDescriptors() {
  if (::getrlimit(RLIMIT_NOFILE, &before_) != 0) fail("getrlimit");
  // The lowest free number is what the next descriptor would get.
  const Fd probe(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  rlimit lowered = before_;
  lowered.rlim_cur = static_cast<rlim_t>(probe.get());
  if (::setrlimit(RLIMIT_NOFILE, &lowered) != 0) fail("setrlimit");
}

NoDescriptors::~NoDescriptors() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }

}  // namespace tunnel::test
