// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "net/unix_address.hpp"
#include "net/unix_socket.hpp"
#include "stream/socket_stream.hpp"

namespace tunnel::net {
namespace {

constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{50};

Error connect_error(int number, const std::string& path) {
  Error error = error_from_errno(number, "connect to unix:" + path);
  std::string text(error.text());
  if (number == ENOENT) text += " (nobody listens there)";
  if (number == ECONNREFUSED) text += " (the file is there, but nobody listens)";
  if (number == EACCES)
    text += " (connecting needs write permission on the socket and search permission on its folders)";
  const bool ours = number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS;
  error = Error(ours ? Error::Kind::internal : Error::Kind::refused, text);
  return error;
}

// 0 or what connecting failed with; EAGAIN: the server's queue is full.
int try_connect(Fd& fd, const UnixAddress& address) {
  fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  return ::connect(fd.get(), address.data(), address.length) == 0 ? 0 : errno;
}

}  // namespace

Task<Result<StreamPtr>> connect_unix(EpollLoop& loop, const Context& context, std::string path, Cancel& cancel) {
  if (cancel.cancelled()) co_return cancel.reason();
  const UnixAddress address = unix_address(path);
  if (address.length == 0) co_return connect_error(ENAMETOOLONG, path);
  const auto wake = [](void* notify) noexcept { static_cast<Notify*>(notify)->set(); };
  Notify over(loop);
  const Cancel::Hook hook(cancel, wake, &over);
  Timer pause(loop, wake, &over);
  Fd fd;
  int number = try_connect(fd, address);
  // The kernel has no event for room in the server's queue.
  for (Duration next = kFirstPause; number == EAGAIN; next = std::min<Duration>(next * 2, kLongestPause)) {
    pause.arm_after(next);
    co_await over.wait();
    if (cancel.cancelled()) co_return cancel.reason();
    number = try_connect(fd, address);
  }
  if (number == EMFILE || number == ENFILE) context.counters.add(Counter::fd_exhausted);
  if (number != 0) co_return connect_error(number, path);
  try {
    StreamPtr stream = std::make_unique<SocketStream>(loop, context.counters, fd.release(), SocketKind::local);
    co_return stream;
  } catch (const std::system_error& error) {
    co_return Error(Error::Kind::internal, error.what());
  }
}

}  // namespace tunnel::net
