// SPDX-License-Identifier: Apache-2.0
#include "stream/pipe.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace tunnel {
namespace {

struct Ends {
  Fd read;
  Fd write;
};

// Making one takes three system calls; a bulk transfer opens and closes its pipe at every pause.
struct Kept {
  static constexpr std::size_t kMost = 4;
  std::array<Ends, kMost> pipes;
  std::size_t count = 0;
};
thread_local Kept kept;

// Stalled transfers keep theirs: more than this would eat into the descriptors that connections count on.
constexpr std::size_t kMostOpen = 16;
thread_local std::size_t open_pipes = 0;
constexpr std::size_t kTakenBytes = 65536;  // a chunk's worth

// splice(2) knows no MSG_NOSIGNAL. The signal goes to the thread that wrote, so only this one has to block it.
void block_sigpipe() noexcept {
  thread_local bool blocked = false;
  if (std::exchange(blocked, true)) return;
  sigset_t set;
  (void)::sigemptyset(&set);
  (void)::sigaddset(&set, SIGPIPE);
  (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

bool Pipe::open(std::size_t capacity) noexcept {
  if (read_end_) return true;
  if (open_pipes >= kMostOpen) return false;
  if (kept.count > 0) {
    Ends& ends = kept.pipes[--kept.count];
    read_end_ = std::move(ends.read);
    write_end_ = std::move(ends.write);
    ++open_pipes;
    return true;
  }
  block_sigpipe();
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  Fd read(ends[0]);
  Fd write(ends[1]);
  // Refused once the user's pipes hold as much as he may have. A pipe of the initial 16 pages or less moves less a call
  // than copying does.
  if (::fcntl(write.get(), F_SETPIPE_SZ, static_cast<int>(capacity)) < 0) return false;
  read_end_ = std::move(read);
  write_end_ = std::move(write);
  ++open_pipes;
  return true;
}

bool Pipe::few_are_open() noexcept { return open_pipes < kMostOpen / 2; }

void Pipe::close() noexcept {
  if (!read_end_) return;
  --open_pipes;
  if (size_ == 0 && kept.count < Kept::kMost) {
    Ends& ends = kept.pipes[kept.count++];
    ends.read = std::move(read_end_);
    ends.write = std::move(write_end_);
    return;
  }
  read_end_.reset(-1);
  write_end_.reset(-1);
  size_ = 0;
}

ssize_t Pipe::fill(int socket, std::size_t max) noexcept {
  const ssize_t n = ::splice(socket, nullptr, write_end_.get(), nullptr, max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) size_ += static_cast<std::size_t>(n);
  return n;
}

ssize_t Pipe::drain(int socket, std::size_t max) noexcept {
  const ssize_t n =
      ::splice(read_end_.get(), nullptr, socket, nullptr, std::min(size_, max), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) size_ -= static_cast<std::size_t>(n);
  return n;
}

std::size_t Pipe::take(Buffer& into, std::size_t max) {
  std::size_t taken = 0;
  while (taken < max && size_ > 0) {
    const std::span<char> room = into.prepare(std::min({size_, max - taken, kTakenBytes}));
    const ssize_t n = ::read(read_end_.get(), room.data(), std::min(room.size(), max - taken));
    into.commit(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    taken += static_cast<std::size_t>(n);
    size_ -= static_cast<std::size_t>(n);
  }
  return taken;
}

void Pipe::swap(Pipe& other) noexcept {
  std::swap(read_end_, other.read_end_);
  std::swap(write_end_, other.write_end_);
  std::swap(size_, other.size_);
}

}  // namespace tunnel
