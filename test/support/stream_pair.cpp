// SPDX-License-Identifier: Apache-2.0
#include "support/stream_pair.hpp"

#include <utility>

#include "base/epoll_loop.hpp"
#include "stream/socket_stream.hpp"
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

class TcpPair final : public StreamPair {
 public:
  TcpPair() {
    auto [first, second] = tcp_socket_pair();
    set_socket_options(first, limits_);
    set_socket_options(second, limits_);
    a = std::make_unique<SocketStream>(loop_, counters_, first);
    b = std::make_unique<SocketStream>(loop_, counters_, second);
  }
  ~TcpPair() override {
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

}  // namespace

std::unique_ptr<StreamPair> make_simulated_pair(std::uint64_t seed, std::size_t high_mark, bool ragged) {
  return std::make_unique<SimulatedPair>(seed, high_mark, ragged);
}

std::unique_ptr<StreamPair> make_tcp_pair() { return std::make_unique<TcpPair>(); }

}  // namespace tunnel::test
