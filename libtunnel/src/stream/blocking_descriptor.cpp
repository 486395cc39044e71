// SPDX-License-Identifier: Apache-2.0
#include "stream/blocking_descriptor.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace tunnel {
namespace {

constexpr std::size_t kPieceBytes = 65536;  // as much as a pipe holds
// One write takes no more, so that a slow reader shows progress at least this often.
constexpr std::size_t kWriteBytes = 16384;

Fd make_event() {
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) throw std::system_error(errno, std::generic_category(), "eventfd");
  return event;
}

void set(const Fd& event) noexcept {
  const std::uint64_t one = 1;
  (void)!::write(event.get(), &one, sizeof one);
}

void clear(const Fd& event) noexcept {
  std::uint64_t count = 0;
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): an eventfd that does not block
  (void)!::read(event.get(), &count, sizeof count);
}

void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

// What poll() says of the first of two descriptors, the second being watched for input too.
short poll_beside(int fd, short events, const Fd& event) {
  std::array<pollfd, 2> watched{{{fd, events, 0}, {event.get(), POLLIN, 0}}};
  while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  return watched[0].revents;
}

}  // namespace

// --- input

BlockingInput::BlockingInput(EpollLoop& loop, Fd fd, std::function<void()> changed)
    : fd_(std::move(fd)), stop_event_(make_event()), loop_(loop.remote()), changed_(std::move(changed)) {}

std::shared_ptr<BlockingInput> BlockingInput::start(EpollLoop& loop, Fd fd, std::function<void()> changed) {
  std::shared_ptr<BlockingInput> input(new BlockingInput(loop, std::move(fd), std::move(changed)));
  std::thread([input] { input->serve(); }).detach();
  return input;
}

void BlockingInput::serve() {
  std::vector<char> batch;
  while (wait_readable()) {
    batch.resize(kPieceBytes);
    // Nothing is locked here, whatever hand_over() did before.
    // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
    const ssize_t n = ::read(fd_.get(), batch.data(), batch.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (!hand_over(batch, n > 0 ? static_cast<std::size_t>(n) : 0, n < 0 ? errno : 0)) break;
  }
  fd_.reset(-1);
}

// False if it shall stop.
bool BlockingInput::wait_readable() const {
  poll_beside(fd_.get(), POLLIN, stop_event_);
  pollfd stop{stop_event_.get(), POLLIN, 0};
  return ::poll(&stop, 1, 0) == 0;
}

// Waits until what was handed over before has been taken. False if nothing more is wanted or will come.
bool BlockingInput::hand_over(std::vector<char>& batch, std::size_t bytes, int error) {
  std::unique_lock lock(mutex_);
  taken_.wait(lock, [this] { return stopped_ || begin_ == ready_.size(); });
  if (stopped_) return false;
  batch.resize(bytes);
  ready_.swap(batch);
  begin_ = 0;
  error_ = error;
  ended_ = bytes == 0 && error == 0;
  if (std::exchange(waiting_, false)) loop_->post(changed_);
  return bytes > 0;
}

BlockingInput::Taken BlockingInput::take(Buffer& into, std::size_t max) {
  const std::scoped_lock lock(mutex_);
  const std::size_t n = std::min(max, ready_.size() - begin_);
  if (n > 0) {
    into.append(std::string_view(ready_.data() + begin_, n));
    begin_ += n;
    if (begin_ == ready_.size()) taken_.notify_one();
    return {Taken::State::done, n, 0};
  }
  if (error_ != 0) return {Taken::State::failed, 0, error_};
  return {ended_ ? Taken::State::ended : Taken::State::empty, 0, 0};
}

bool BlockingInput::wait() {
  const std::scoped_lock lock(mutex_);
  if (begin_ < ready_.size() || ended_ || error_ != 0) return true;
  waiting_ = true;
  return false;
}

void BlockingInput::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    waiting_ = false;
  }
  taken_.notify_one();
  set(stop_event_);
}

// --- output

BlockingOutput::BlockingOutput(EpollLoop& loop, Fd fd, std::function<void()> changed)
    : fd_(std::move(fd)), event_(make_event()), loop_(loop.remote()), changed_(std::move(changed)) {}

std::shared_ptr<BlockingOutput> BlockingOutput::start(EpollLoop& loop, Fd fd, std::function<void()> changed) {
  std::shared_ptr<BlockingOutput> output(new BlockingOutput(loop, std::move(fd), std::move(changed)));
  std::thread([output] { output->serve(); }).detach();
  return output;
}

void BlockingOutput::serve() {
  block_sigpipe();
  std::vector<char> batch;
  for (Step step = next(batch); step == Step::write || step == Step::idle; step = next(batch)) {
    if (step == Step::idle)
      watch_reader();
    else if (!write_all(batch))
      break;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (finishing_ && !stopped_) (void)::shutdown(fd_.get(), SHUT_WR);
  }
  fd_.reset(-1);
}

BlockingOutput::Step BlockingOutput::next(std::vector<char>& batch) {
  const std::scoped_lock lock(mutex_);
  clear(event_);
  if (stopped_ || error_ != 0) return Step::stop;
  idle_ = queue_.empty() && !finishing_;
  if (idle_) return Step::idle;
  if (queue_.empty()) return Step::finish;
  batch.clear();
  batch.swap(queue_);
  if (std::exchange(waiting_for_room_, false)) loop_->post(changed_);
  return Step::write;
}

// Nothing to write: waits for something, or for the reader to go.
void BlockingOutput::watch_reader() {
  const short seen = poll_beside(fd_.get(), 0, event_);
  if ((seen & (POLLERR | POLLHUP)) != 0) fail(EPIPE);
}

// False if it shall stop.
bool BlockingOutput::wait_writable() {
  for (;;) {
    const short seen = poll_beside(fd_.get(), POLLOUT, event_);
    {
      const std::scoped_lock lock(mutex_);
      clear(event_);  // may be left from before
      if (stopped_) return false;
    }
    if (seen != 0) return true;
  }
}

// False if there is nothing more to do.
bool BlockingOutput::write_all(const std::vector<char>& batch) {
  std::string_view rest(batch.data(), batch.size());
  while (!rest.empty()) {
    if (!wait_writable()) return false;
    const ssize_t n = ::write(fd_.get(), rest.data(), std::min(rest.size(), kWriteBytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) {
      fail(n < 0 ? errno : EIO);
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
    wrote(static_cast<std::size_t>(n));
  }
  return true;
}

void BlockingOutput::wrote(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  pending_ -= bytes;
  if (pending_ == 0 && std::exchange(waiting_for_none_, false)) loop_->post(changed_);
}

void BlockingOutput::fail(int error) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  error_ = error;
  queue_.clear();
  pending_ = 0;
  loop_->post(changed_);
}

std::size_t BlockingOutput::put(Buffer& from) {
  const std::scoped_lock lock(mutex_);
  if (error_ != 0 || finishing_ || stopped_) return 0;
  std::size_t total = 0;
  while (!from.empty() && queue_.size() < kPieceBytes) {
    const std::string_view piece = from.front().substr(0, kPieceBytes - queue_.size());
    queue_.insert(queue_.end(), piece.begin(), piece.end());
    total += piece.size();
    from.consume(piece.size());
  }
  pending_ += total;
  wake_idle();
  return total;
}

bool BlockingOutput::wait_for_room() {
  const std::scoped_lock lock(mutex_);
  if (error_ != 0 || queue_.size() < kPieceBytes) return true;
  waiting_for_room_ = true;
  return false;
}

std::size_t BlockingOutput::pending(bool wait) {
  const std::scoped_lock lock(mutex_);
  waiting_for_none_ = wait && pending_ > 0;
  return pending_;
}

int BlockingOutput::error() {
  const std::scoped_lock lock(mutex_);
  return error_;
}

void BlockingOutput::finish() noexcept {
  const std::scoped_lock lock(mutex_);
  finishing_ = true;
  wake_idle();
}

void BlockingOutput::stop() noexcept {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  set(event_);
}

void BlockingOutput::wake_idle() noexcept {
  if (std::exchange(idle_, false)) set(event_);
}

}  // namespace tunnel
