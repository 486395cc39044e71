// SPDX-License-Identifier: Apache-2.0
#include "net/unix_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <thread>
#include <utility>

#include "net/listener.hpp"
#include "net/unix_address.hpp"

namespace tunnel::net {
namespace {

Fd new_socket() { return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

Error cannot_listen(const std::string& path, std::string_view why) {
  return Error(Error::Kind::unreachable, fmt::format("cannot listen on unix:{}: {}", path, why));
}

Error cannot_listen(const std::string& path, int number) {
  std::string why(error_from_errno(number).text());
  if (number == ENOENT || number == ENOTDIR) why += "; create its directory first or choose another path";
  if (number == EACCES || number == EPERM || number == EROFS) why += "; choose a directory this user may write to";
  return cannot_listen(path, why);
}

// Between looking at a stale file and having bound its successor, so that two processes that start at once do not
// remove each other's. Held on the directory, which needs no file of its own; where it cannot be had in short time
// (others lock directories too) things go on without.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& path) {
    std::string folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    fd_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; fd_ && i < kTries && ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0; ++i)
      std::this_thread::sleep_for(kPause);
  }

 private:
  static constexpr int kTries = 50;
  static constexpr std::chrono::milliseconds kPause{10};
  Fd fd_;  // closing it unlocks
};

// Makes `path` free to bind to, or says why it is not.
Result<void> make_room(const std::string& path, const UnixAddress& address) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0) return errno == ENOENT ? Result<void>() : cannot_listen(path, errno);
  if (!S_ISSOCK(file.st_mode))
    return cannot_listen(path, "the file there is no socket; remove it or choose another path");
  const Fd probe = new_socket();
  if (!probe) return cannot_listen(path, errno);
  const int number = ::connect(probe.get(), address.data(), address.length) == 0 ? 0 : errno;
  if (number == 0 || number == EAGAIN || number == EPROTOTYPE) {
    ucred who{};
    socklen_t length = sizeof who;
    const bool known = number == 0 && ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) == 0;
    return cannot_listen(path,
                         fmt::format("{} listens there already; stop it or choose another path",
                                     known && who.pid > 0 ? fmt::format("process {}", who.pid) : "another process"));
  }
  if (number != ECONNREFUSED) {
    return cannot_listen(path, fmt::format("whether somebody listens on the socket that is there cannot be told ({}); "
                                           "remove it if nobody does",
                                           error_from_errno(number).text()));
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return cannot_listen(path, fmt::format("the socket that is there is nobody's, but cannot be removed ({}); remove "
                                           "it or choose another path",
                                           error_from_errno(errno).text()));
  }
  return {};
}

// Never through a symbolic link that has taken the file's place meanwhile, where the system can do that.
bool set_mode(const std::string& path, unsigned mode) {
  if (::fchmodat(AT_FDCWD, path.c_str(), mode, AT_SYMLINK_NOFOLLOW) == 0) return true;
  return (errno == EOPNOTSUPP || errno == ENOSYS) && ::chmod(path.c_str(), mode) == 0;
}

Result<BoundUnix> bind_file(const plan::Unix& wanted, const UnixAddress& address, Fd socket) {
  const DirectoryLock lock(wanted.path);
  if (Result<void> room = make_room(wanted.path, address); !room.ok()) return room.error();
  // The kernel gives the file the socket's own mode less the umask: never more than `mode`, not for a moment. Nobody
  // can connect before listen() either.
  (void)::fchmod(socket.get(), wanted.mode);
  if (::bind(socket.get(), address.data(), address.length) != 0) return cannot_listen(wanted.path, errno);
  BoundUnix bound{std::move(socket), SocketFile(wanted.path)};
  if (!set_mode(wanted.path, wanted.mode) || ::listen(bound.socket.get(), kBacklog) != 0)
    return cannot_listen(wanted.path, errno);
  return bound;
}

}  // namespace

SocketFile::SocketFile(std::string path) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0) return;
  path_ = std::move(path);
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

void SocketFile::remove() noexcept {
  if (path_.empty()) return;
  struct stat file{};
  const bool ours = ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_;
  if (ours) (void)::unlink(path_.c_str());
  path_.clear();
}

Result<BoundUnix> bind_unix(const plan::Unix& wanted) {
  const UnixAddress address = unix_address(wanted.path);
  if (address.length == 0) return cannot_listen(wanted.path, ENAMETOOLONG);
  Fd socket = new_socket();
  if (!socket) return cannot_listen(wanted.path, errno);
  if (wanted.path.front() != '@') return bind_file(wanted, address, std::move(socket));
  if (::bind(socket.get(), address.data(), address.length) != 0) {
    if (errno != EADDRINUSE) return cannot_listen(wanted.path, errno);
    return cannot_listen(wanted.path, "another process listens there already; stop it or choose another name");
  }
  if (::listen(socket.get(), kBacklog) != 0) return cannot_listen(wanted.path, errno);
  return BoundUnix{std::move(socket), SocketFile()};
}

std::string unix_name_of(int fd) {
  sockaddr_un storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "unix:";
  return "unix:" + unix_path(storage, length);
}

std::string unix_peer_of(int fd) {
  ucred who{};
  socklen_t length = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return "unix:";
  return fmt::format("unix:pid={},uid={}", who.pid, who.uid);
}

}  // namespace tunnel::net
