// SPDX-License-Identifier: Apache-2.0
#include "support/tcp_pair.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/fd.hpp"
#include "support/sim_loop.hpp"

namespace tunnel::test {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

}  // namespace

std::pair<int, int> tcp_socket_pair() {
  const Fd listener(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  checked(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), "bind");
  checked(::listen(listener.get(), 1), "listen");
  checked(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  Fd client(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  checked(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), "connect");
  Fd server(checked(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), "accept"));
  checked(::fcntl(client.get(), F_SETFL, O_NONBLOCK), "fcntl");
  return {client.release(), server.release()};
}

std::pair<int, int> local_socket_pair() {
  std::array<int, 2> ends{};
  checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), "socketpair");
  return {ends[0], ends[1]};
}

bool run_on(EpollLoop& loop, Task<void> task, Duration patience) {
  Started<void> started = start(std::move(task), [&loop] { loop.post_remote([&loop] { loop.stop(); }); });
  Timer watchdog(loop, [](void* context) noexcept { static_cast<EpollLoop*>(context)->stop(); }, &loop);
  watchdog.arm(Clock::now() + patience);
  loop.run();
  if (started.done()) started.value();
  return started.done();
}

}  // namespace tunnel::test
