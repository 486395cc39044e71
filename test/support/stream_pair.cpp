// SPDX-License-Identifier: Apache-2.0
#include "support/stream_pair.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/epoll_loop.hpp"
#include "base/fd.hpp"
#include "stream/socket_stream.hpp"
#include "stream/stdio_stream.hpp"
#include "stream/user_space_pair.hpp"
#include "support/ragged_stream.hpp"
#include "support/sim_loop.hpp"
#include "support/tcp_pair.hpp"

namespace tunnel::test {
namespace {

class SimulatedPair final : public StreamPair {
 public:
  SimulatedPair(std::uint64_t seed, std::size_t high_mark, bool ragged) : world_(seed) {
    auto pair = make_user_space_pair(world_.context, high_mark);
    a = std::move(pair.first);
    b = std::move(pair.second);
    if (!ragged) return;
    a = std::make_unique<RaggedStream>(std::move(a), seed * 2 + 1);
    b = std::make_unique<RaggedStream>(std::move(b), seed * 2 + 2);
  }
  ~SimulatedPair() override {
    a.reset();
    b.reset();
  }
  bool run(Task<void> task) override {
    Started<void> started = start(std::move(task));
    world_.loop.run_until([&started] { return started.done(); }, std::chrono::hours(1));
    if (started.done()) started.value();
    return started.done();
  }
  Loop& loop() override { return world_.loop; }
  bool clean() override {
    world_.loop.run();
    return world_.gauges_are_zero() && !world_.loop.has_timers();
  }

 private:
  SimWorld world_;
};

class SocketsPair final : public StreamPair {
 public:
  explicit SocketsPair(SocketKind kind) {
    auto [first, second] = kind == SocketKind::tcp ? tcp_socket_pair() : local_socket_pair();
    if (kind == SocketKind::tcp) {
      set_socket_options(first, limits_);
      set_socket_options(second, limits_);
    }
    a = std::make_unique<SocketStream>(loop_, counters_, first, kind);
    b = std::make_unique<SocketStream>(loop_, counters_, second, kind);
  }
  ~SocketsPair() override {
    a.reset();
    b.reset();
  }
  bool run(Task<void> task) override { return run_on(loop_, std::move(task)); }
  Loop& loop() override { return loop_; }
  bool clean() override { return true; }

 private:
  Limits limits_;
  Counters counters_;
  EpollLoop loop_;
};

class StdioPair final : public StreamPair {
 public:
  explicit StdioPair(OneWay way) {
    auto [a_input, b_output] = ends(way);
    auto [b_input, a_output] = ends(way);
    a = std::make_unique<StdioStream>(loop_, context_, std::move(a_input), std::move(a_output));
    b = std::make_unique<StdioStream>(loop_, context_, std::move(b_input), std::move(b_output));
  }
  ~StdioPair() override {
    a.reset();
    b.reset();
  }
  bool run(Task<void> task) override { return run_on(loop_, std::move(task)); }
  Loop& loop() override { return loop_; }
  bool clean() override { return true; }

 private:
  // What is written to the second is read from the first.
  static std::pair<Fd, Fd> ends(OneWay way) {
    std::array<int, 2> fds{};
    const int made = way == OneWay::pipe ? ::pipe2(fds.data(), O_CLOEXEC)
                                         : ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data());
    if (made != 0) throw std::system_error(errno, std::generic_category(), "pipe or socketpair");
    return {Fd(fds[0]), Fd(fds[1])};
  }
  Limits limits_;
  Counters counters_;
  EpollLoop loop_;
  Context context_{loop_, counters_, limits_};
};

}  // namespace

std::unique_ptr<StreamPair> make_simulated_pair(std::uint64_t seed, std::size_t high_mark, bool ragged) {
  return std::make_unique<SimulatedPair>(seed, high_mark, ragged);
}

std::unique_ptr<StreamPair> make_tcp_pair() { return std::make_unique<SocketsPair>(SocketKind::tcp); }

std::unique_ptr<StreamPair> make_local_pair() { return std::make_unique<SocketsPair>(SocketKind::local); }

std::unique_ptr<StreamPair> make_stdio_pair(OneWay way) { return std::make_unique<StdioPair>(way); }

}  // namespace tunnel::test
