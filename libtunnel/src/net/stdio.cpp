// SPDX-License-Identifier: Apache-2.0
#include "net/stdio.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "stream/socket_stream.hpp"
#include "stream/stdio_stream.hpp"

namespace tunnel::net {
namespace {

int socket_option(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// What makes it useless, with the remedy; empty if nothing does.
std::string fault_of(int fd) {
  const int type = socket_option(fd, SO_TYPE);
  if (type < 0) return "";  // no socket
  if (type != SOCK_STREAM) return "is a socket of datagrams; give a pipe, a file, a terminal or a stream socket";
  if (socket_option(fd, SO_ACCEPTCONN) == 1) return "is a listening socket; give the connection (inetd: nowait)";
  return "";
}

bool is_one_socket(const Stdio& stdio) {
  struct stat input{};
  struct stat output{};
  return ::fstat(stdio.input.get(), &input) == 0 && ::fstat(stdio.output.get(), &output) == 0 &&
         S_ISSOCK(input.st_mode) && input.st_dev == output.st_dev && input.st_ino == output.st_ino;
}

}  // namespace

Result<Stdio> take_stdio() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO})
    if (const std::string fault = fault_of(fd); !fault.empty())
      return Error(Error::Kind::internal, (fd == STDIN_FILENO ? "standard input " : "standard output ") + fault);
  Stdio stdio{Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)),
              Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1))};
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!stdio.input || !stdio.output || !null || ::dup2(null.get(), STDIN_FILENO) < 0 ||
      ::dup2(null.get(), STDOUT_FILENO) < 0)
    return error_from_errno(errno, "cannot take standard input and output");
  return stdio;
}

void accept_stdio(EpollLoop& loop, const Context& context, Stdio stdio, Acceptor& acceptor) {
  ConnectionInfo info;
  info.downstream = info.local_name = "stdio";
  if (!is_one_socket(stdio)) {
    auto stream = std::make_unique<StdioStream>(loop, context, std::move(stdio.input), std::move(stdio.output));
    acceptor.accepted(std::move(stream), std::move(info));
    return;
  }
  // As inetd starts us: a connection like one we accepted.
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  SocketKind kind = SocketKind::local;
  if (::getpeername(stdio.input.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
      (peer.ss_family == AF_INET || peer.ss_family == AF_INET6)) {
    kind = SocketKind::tcp;
    set_socket_options(stdio.input.get(), context.limits);
    info.remote = SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&peer));
    info.local = SocketAddress::local_of(stdio.input.get());
    info.downstream = info.remote.to_string();
  }
  auto stream = std::make_unique<SocketStream>(loop, context.counters, stdio.input.release(), kind);
  stream->may_block();
  acceptor.accepted(std::move(stream), std::move(info));
}

}  // namespace tunnel::net
