// SPDX-License-Identifier: Apache-2.0
// Unix sockets: listening on a path or an abstract name ("@name"), connecting to one, and what logs call both ends.
#pragma once
#include <sys/types.h>

#include <string>

#include "base/cancel.hpp"
#include "base/context.hpp"
#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel::net {

// A socket file of this process: removed when this is destroyed, if it is still the file that was made. To be destroyed
// before the socket itself is closed: until then nobody else's file can have its inode number.
class SocketFile {
 public:
  SocketFile() = default;
  // The file at `path`, made just now.
  explicit SocketFile(std::string path);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) noexcept;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile() { remove(); }

 private:
  void remove() noexcept;
  std::string path_;  // empty: nothing to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

struct BoundUnix {
  Fd socket;        // listening, non-blocking
  SocketFile file;  // destroyed first; of an abstract name there is none
};

// Listens. The file is never accessible to more than `mode` says, whatever the umask. A socket file nobody listens on
// is replaced; one somebody listens on is an error, and so is any other file. The error is a sentence with cause and
// remedy.
Result<BoundUnix> bind_unix(const plan::Unix& address);

// A server whose queue is full is asked again until `cancel`. Errors: refused (nobody listens, no such file, no
// permission), internal (out of descriptors), or the reason of `cancel`.
Task<Result<StreamPtr>> connect_unix(EpollLoop& loop, const Context& context, std::string path, Cancel& cancel);

// "unix:/run/app.sock" for a socket bound there, "unix:" for one bound to nothing.
std::string unix_name_of(int fd);
// Who is at the other end, as far as the kernel says: "unix:pid=4711,uid=1000".
std::string unix_peer_of(int fd);

}  // namespace tunnel::net
