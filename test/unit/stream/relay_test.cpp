// SPDX-License-Identifier: Apache-2.0
// pump() and Relay between two user-space pairs: client <-> downstream [relay] upstream <-> server, over smooth, ragged
// and failing streams, with the clock moved by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stream/pump.hpp"
#include "stream/user_space_pair.hpp"
#include "support/failing_stream.hpp"
#include "support/pattern.hpp"
#include "support/ragged_stream.hpp"
#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pattern;
using test::PatternReceived;
using test::read_all;
using test::read_exactly;
using test::receive_pattern;
using test::Received;
using test::send;
using test::send_pattern;
using test::SimWorld;
using test::start;
using test::Started;
using Kind = Error::Kind;

// One relay with both its neighbours. The streams of the relay are destroyed as soon as it has ended, as its owner
// would.
class Chain {
 public:
  using Wrap = std::function<StreamPtr(StreamPtr)>;
  explicit Chain(SimWorld& world, std::size_t high = 65536, const Wrap& wrap = {}) : world_(world) {
    auto left = make_user_space_pair(world.context, high);
    auto right = make_user_space_pair(world.context, high);
    client = std::move(left.first);
    server = std::move(right.second);
    downstream_ = wrap ? wrap(std::move(left.second)) : std::move(left.second);
    upstream_ = wrap ? wrap(std::move(right.first)) : std::move(right.first);
  }
  void run(FlowTimeouts timeouts = FlowTimeouts{seconds(3600), seconds(60), seconds(5)}, std::size_t read_ahead = 0) {
    relay_.emplace(world_.context, timeouts, *downstream_, *upstream_);
    relay_->flow().read_ahead(read_ahead);
    running_.emplace(start(relay_->run(), [this] {
      bytes_up = relay_->flow().bytes(Direction::up);
      bytes_down = relay_->flow().bytes(Direction::down);
    }));
  }
  // To be called after the loop ran.
  bool ended() {
    if (!running_ || !running_->done()) return false;
    if (relay_) {
      end_ = running_->value();
      relay_.reset();
      downstream_.reset();
      upstream_.reset();
    }
    return true;
  }
  const Error& error() const { return end_.error; }
  Relay& relay() { return *relay_; }
  Stream& downstream() { return *downstream_; }
  Stream& upstream() { return *upstream_; }

  StreamPtr client;
  StreamPtr server;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;

 private:
  SimWorld& world_;
  StreamPtr downstream_;
  StreamPtr upstream_;
  std::optional<Relay> relay_;
  std::optional<Started<RelayEnd>> running_;
  RelayEnd end_;
};

Task<bool> send_and_finish(Stream& to, std::uint64_t total) {
  Result<void> sent = co_await send_pattern(to, total);
  if (!sent.ok()) co_return false;
  Result<void> finished = co_await to.shutdown_write();
  co_return finished.ok();
}

class Relaying : public testing::TestWithParam<std::uint64_t> {
 protected:
  Relaying() : world(GetParam()) {}
  ~Relaying() override { EXPECT_TRUE(world.gauges_are_zero()); }
  // Rests, without moving the clock.
  void rest() { world.loop.run(); }
  SimWorld world;
};

INSTANTIATE_TEST_SUITE_P(Order, Relaying, testing::Values(0, 1, 2, 3));

// A server that reads nothing: what the relay took from the client is what the pair in front of the server holds, and
// as much as may be read ahead of it.
TEST_P(Relaying, NoMoreIsReadAheadThanAllowed) {
  constexpr std::size_t kHigh = 16384;
  const auto taken = [&](std::size_t read_ahead) {
    Chain chain(world, kHigh);
    chain.run({seconds(3600), seconds(60), seconds(5)}, read_ahead);
    auto sending = start(send_pattern(*chain.client, 2'000'000));
    rest();
    const std::uint64_t bytes = chain.relay().flow().bytes(Direction::up);
    chain.client->abort(Error(Kind::cancelled));
    chain.server->abort(Error(Kind::cancelled));
    rest();
    EXPECT_TRUE(chain.ended());
    return bytes;
  };
  const std::uint64_t little = taken(1024);
  const std::uint64_t usual = taken(0);
  EXPECT_EQ(taken(1U << 30U), usual);
  EXPECT_LT(little, usual);
  EXPECT_LE(little, kHigh + 2048);
}

TEST_P(Relaying, BothWaysAndBothEnds) {
  Chain chain(world);
  chain.run();
  auto up = start(send_and_finish(*chain.client, 2'000'000));
  auto down = start(send_and_finish(*chain.server, 3'000'000));
  auto at_server = start(receive_pattern(*chain.server));
  auto at_client = start(receive_pattern(*chain.client));
  rest();
  ASSERT_TRUE(chain.ended());
  EXPECT_FALSE(chain.error());
  EXPECT_TRUE(up.value());
  EXPECT_TRUE(down.value());
  const PatternReceived server = at_server.value();
  const PatternReceived client = at_client.value();
  EXPECT_TRUE(server.ended && server.check.intact() && server.check.bytes() == 2'000'000);
  EXPECT_TRUE(client.ended && client.check.intact() && client.check.bytes() == 3'000'000);
  EXPECT_EQ(chain.bytes_up, 2'000'000U);
  EXPECT_EQ(chain.bytes_down, 3'000'000U);
}

TEST_P(Relaying, HalfCloseEachWayThenMegabytesTheOtherWay) {
  for (const bool client_first : {true, false}) {
    Chain chain(world);
    chain.run();
    Stream& first = client_first ? *chain.client : *chain.server;
    Stream& other = client_first ? *chain.server : *chain.client;
    EXPECT_TRUE(world.await(send_and_finish(first, 10)));
    EXPECT_EQ(world.await(read_all(other)).bytes, pattern(0, 10));
    world.loop.advance(seconds(30));
    auto sending = start(send_and_finish(other, 10'000'000));
    const PatternReceived received = world.await(receive_pattern(first));
    EXPECT_TRUE(received.ended && received.check.intact() && received.check.bytes() == 10'000'000);
    EXPECT_TRUE(sending.value());
    rest();
    EXPECT_TRUE(chain.ended());
    EXPECT_FALSE(chain.error());
  }
}

TEST_P(Relaying, RaggedStreamsLoseNothing) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::uint64_t next = seed * 100;
    Chain chain(world, 4096 * (seed % 3 + 1),
                [&next](StreamPtr inner) { return std::make_unique<test::RaggedStream>(std::move(inner), next++); });
    chain.run();
    auto up = start(send_and_finish(*chain.client, 200'000));
    auto down = start(send_and_finish(*chain.server, 200'000));
    auto at_server = start(receive_pattern(*chain.server, 777));
    auto at_client = start(receive_pattern(*chain.client, 3333));
    rest();
    ASSERT_TRUE(chain.ended());
    EXPECT_FALSE(chain.error());
    const PatternReceived server = at_server.value();
    const PatternReceived client = at_client.value();
    EXPECT_TRUE(server.ended && server.check.intact() && server.check.bytes() == 200'000);
    EXPECT_TRUE(client.ended && client.check.intact() && client.check.bytes() == 200'000);
  }
}

TEST_P(Relaying, AResetIsPassedOnBehindTheBytes) {
  for (const bool client_resets : {true, false}) {
    Chain chain(world);
    chain.run();
    Stream& from = client_resets ? *chain.client : *chain.server;
    Stream& to = client_resets ? *chain.server : *chain.client;
    auto flush_and_abort = [](Stream& stream) -> Task<void> {
      Result<void> sent = co_await send_pattern(stream, 300'000);
      EXPECT_TRUE(sent.ok());
      Result<void> flushed = co_await stream.flush(stream.loop().now() + seconds(1));
      EXPECT_TRUE(flushed.ok());
      stream.abort(Error(Kind::reset, "as told"));
    };
    auto sending = start(flush_and_abort(from));
    rest();
    EXPECT_FALSE(chain.ended());  // the receiver has not read yet
    const PatternReceived received = world.await(receive_pattern(to));
    EXPECT_FALSE(received.ended);
    EXPECT_EQ(received.error.kind, Kind::reset);
    EXPECT_EQ(received.error.text(), "as told");
    EXPECT_TRUE(received.check.intact());
    EXPECT_EQ(received.check.bytes(), 300'000U);
    rest();
    ASSERT_TRUE(chain.ended());
    EXPECT_EQ(chain.error().kind, Kind::reset);
    EXPECT_EQ(chain.error().side, client_resets ? Error::Side::downstream : Error::Side::upstream);
    EXPECT_TRUE(sending.done());
  }
}

TEST_P(Relaying, AResetWhileTheOtherSideStallsIsSeenWithinTheFlushTime) {
  // The client uploads into a server that does not read, then resets: nobody is reading from the client then.
  Chain chain(world);
  chain.run();
  auto sending = start(send_pattern(*chain.client, 10'000'000));
  rest();
  EXPECT_FALSE(sending.done());
  chain.client->abort(Error(Kind::reset));
  rest();
  EXPECT_FALSE(chain.ended());
  world.loop.advance(seconds(5));
  ASSERT_TRUE(chain.ended());
  EXPECT_TRUE(sending.done());
  EXPECT_TRUE(chain.error());
  EXPECT_EQ(world.counters.value(Counter::write_timeouts), 1U);
  Received received = world.await(read_all(*chain.server));
  EXPECT_FALSE(received.ended);
}

TEST_P(Relaying, AClosedPeerEndsTheRelayWithoutWaitingForTimers) {
  // envoyproxy/envoy#38148 and #45198: data and a full close on one side, nothing from the other.
  for (const bool server_closes : {true, false}) {
    Chain chain(world);
    chain.run();
    StreamPtr& gone = server_closes ? chain.server : chain.client;
    StreamPtr& stays = server_closes ? chain.client : chain.server;
    EXPECT_TRUE(world.await(send_and_finish(*gone, 5000)));
    gone.reset();
    rest();
    EXPECT_FALSE(chain.ended());
    Received received = world.await(read_all(*stays));
    EXPECT_EQ(received.bytes, pattern(0, 5000));
    EXPECT_TRUE(received.ended);
    rest();
    EXPECT_FALSE(chain.ended());  // it may still want to end by itself
    world.loop.advance(world.limits.linger_time);
    ASSERT_TRUE(chain.ended());
    EXPECT_FALSE(chain.error());
    EXPECT_EQ(stays->write_side(), WriteSide::refused);
    EXPECT_EQ(stays->read_side(), ReadSide::ended);
    stays.reset();
    EXPECT_TRUE(world.gauges_are_zero());
    EXPECT_FALSE(world.loop.has_timers());
  }
}

TEST_P(Relaying, APeerThatClosesAfterItsEndWasPassedOnEndsTheRelayToo) {
  Chain chain(world);
  chain.run();
  EXPECT_TRUE(world.await(send_and_finish(*chain.server, 10)));
  EXPECT_TRUE(world.await(read_all(*chain.client)).ended);
  world.loop.advance(seconds(1));
  EXPECT_FALSE(chain.ended());  // half-closed: the client may still send
  EXPECT_TRUE(world.await(send(*chain.client, "more")).ok());
  EXPECT_EQ(world.await(read_exactly(*chain.server, 4)).bytes, "more");
  chain.server.reset();
  rest();
  world.loop.advance(world.limits.linger_time);
  ASSERT_TRUE(chain.ended());
  EXPECT_FALSE(chain.error());
}

TEST_P(Relaying, AResetAfterAnEndIsPassedOnAtOnce) {
  for (const bool client_resets : {true, false}) {
    Chain chain(world);
    chain.run();
    Stream& resets = client_resets ? *chain.client : *chain.server;
    Stream& other = client_resets ? *chain.server : *chain.client;
    EXPECT_TRUE(world.await(send_and_finish(resets, 100)));
    const Received received = world.await(read_all(other));
    EXPECT_TRUE(received.ended);
    auto writing = start(send_pattern(other, 10'000'000));
    rest();
    resets.abort(Error(Kind::reset));
    rest();
    ASSERT_TRUE(chain.ended());  // without any clock
    EXPECT_EQ(chain.error().kind, Kind::reset);
    EXPECT_EQ(chain.error().side, client_resets ? Error::Side::downstream : Error::Side::upstream);
    ASSERT_TRUE(writing.done());
    EXPECT_EQ(other.write_side(), WriteSide::refused);
  }
}

TEST_P(Relaying, AClosedPeerAndAClientThatLeavesInOrder) {
  Chain chain(world);
  chain.run();
  EXPECT_TRUE(world.await(send_and_finish(*chain.server, 10)));
  chain.server.reset();
  EXPECT_TRUE(world.await(read_all(*chain.client)).ended);
  EXPECT_TRUE(world.await(chain.client->shutdown_write()).ok());
  rest();
  ASSERT_TRUE(chain.ended());  // without any clock
  EXPECT_FALSE(chain.error());
  EXPECT_EQ(world.counters.value(Counter::linger_cut), 0U);
}

TEST_P(Relaying, ARefusedUploadKeepsTheDownloadAlive) {
  // The server has answered in full and closed; the client is still uploading.
  Chain chain(world);
  chain.run();
  auto uploading = start(send_pattern(*chain.client, 100'000'000));
  Buffer some;
  while (chain.server->try_read(some, 65536).state == Io::State::done) {
  }
  auto answer = start(send_and_finish(*chain.server, 60'000));
  ASSERT_TRUE(answer.done());
  some.clear();
  while (chain.server->try_read(some, 65536).state == Io::State::done) some.clear();
  chain.server.reset();  // a close: everything of ours was read
  const PatternReceived received = world.await(receive_pattern(*chain.client));
  EXPECT_TRUE(received.ended) << received.error.text();
  EXPECT_TRUE(received.check.intact());
  EXPECT_EQ(received.check.bytes(), 60'000U);
  world.loop.advance(seconds(10));
  EXPECT_TRUE(chain.ended());
  chain.client->abort(Error(Kind::cancelled));
  rest();
  EXPECT_TRUE(uploading.done());
}

TEST_P(Relaying, IdleTimeoutResetsBothSides) {
  Chain chain(world);
  chain.run(FlowTimeouts{seconds(100), seconds(10), seconds(5)});
  EXPECT_TRUE(world.await(send(*chain.client, "hello")).ok());
  EXPECT_EQ(world.await(read_exactly(*chain.server, 5)).bytes, "hello");
  world.loop.advance(seconds(99));
  EXPECT_FALSE(chain.ended());
  world.loop.advance(seconds(1));
  ASSERT_TRUE(chain.ended());
  EXPECT_EQ(chain.error().kind, Kind::timeout);
  EXPECT_EQ(world.counters.value(Counter::idle_timeouts), 1U);
  EXPECT_FALSE(world.await(read_all(*chain.client)).ended);
  EXPECT_FALSE(world.await(read_all(*chain.server)).ended);
}

TEST_P(Relaying, HalfCloseTimeoutInEachDirection) {
  for (const bool client_ends : {true, false}) {
    Chain chain(world);
    chain.run(FlowTimeouts{seconds(100), seconds(10), seconds(5)});
    Stream& ends = client_ends ? *chain.client : *chain.server;
    EXPECT_TRUE(world.await(ends.shutdown_write()).ok());
    world.loop.advance(milliseconds(9999));
    EXPECT_FALSE(chain.ended());
    world.loop.advance(milliseconds(1));
    ASSERT_TRUE(chain.ended());
    EXPECT_EQ(chain.error().kind, Kind::timeout);
    EXPECT_FALSE(world.await(read_all(ends)).ended);
  }
  EXPECT_EQ(world.counters.value(Counter::half_close_timeouts), 2U);
  EXPECT_EQ(world.counters.value(Counter::idle_timeouts), 0U);
}

TEST_P(Relaying, WriteStallInEachDirection) {
  for (const bool upload : {true, false}) {
    Chain chain(world);
    chain.run();
    auto sending = start(send_pattern(upload ? *chain.client : *chain.server, 10'000'000));
    world.loop.advance(world.limits.write_time - milliseconds(1));
    EXPECT_FALSE(chain.ended());
    // What the relay read before is flushed to the receiver under a deadline, then both are cut.
    world.loop.advance(milliseconds(1) + seconds(5));
    ASSERT_TRUE(chain.ended());
    EXPECT_EQ(chain.error().kind, Kind::timeout);
    ASSERT_TRUE(sending.done());
    EXPECT_FALSE(sending.value().ok());
  }
  EXPECT_EQ(world.counters.value(Counter::write_timeouts), 2U);
}

TEST_P(Relaying, AbortWakesEverythingAtOnce) {
  Chain chain(world);
  chain.run();
  auto sending = start(send_pattern(*chain.client, 10'000'000));
  rest();
  chain.relay().abort(Error(Kind::shutdown, "drain"));
  EXPECT_FALSE(chain.ended());  // posted, never inline
  rest();
  ASSERT_TRUE(chain.ended());
  EXPECT_EQ(chain.error().kind, Kind::shutdown);
  EXPECT_TRUE(sending.done());
  EXPECT_EQ(world.await(read_all(*chain.client)).error.kind, Kind::shutdown);
}

// An error at any operation of either stream: nothing hangs, nothing is delivered that was not sent, all is freed.
TEST_P(Relaying, AFailureAtAnyOperation) {
  bool reached = true;
  std::size_t nth = 1;
  for (; reached && nth < 2000; ++nth) {
    SCOPED_TRACE(nth);
    test::FailCount count(nth);
    Chain chain(world, 8192,
                [&count](StreamPtr inner) { return std::make_unique<test::FailingStream>(std::move(inner), count); });
    chain.run();
    auto up = start(send_and_finish(*chain.client, 50'000));
    auto down = start(send_and_finish(*chain.server, 70'000));
    auto at_server = start(receive_pattern(*chain.server, 5000));
    auto at_client = start(receive_pattern(*chain.client, 9000));
    rest();
    world.loop.advance(seconds(6));
    reached = count.struck();
    ASSERT_TRUE(chain.ended()) << "a frame hangs";
    EXPECT_EQ(static_cast<bool>(chain.error()), reached);
    ASSERT_TRUE(up.done() && down.done() && at_server.done() && at_client.done());
    const PatternReceived server = at_server.value();
    const PatternReceived client = at_client.value();
    EXPECT_TRUE(server.check.intact() && client.check.intact());
    if (!reached) {
      EXPECT_EQ(server.check.bytes(), 50'000U);
      EXPECT_EQ(client.check.bytes(), 70'000U);
    }
    // An end only behind all the bytes.
    if (server.ended) {
      EXPECT_EQ(server.check.bytes(), 50'000U);
    }
    if (client.ended) {
      EXPECT_EQ(client.check.bytes(), 70'000U);
    }
    chain.client.reset();
    chain.server.reset();
    EXPECT_TRUE(world.gauges_are_zero());
    EXPECT_FALSE(world.loop.has_timers());
  }
  EXPECT_FALSE(reached);
  EXPECT_GT(nth, 20U);
}

// The same with abort(), a reset of a neighbour or its departure after any number of steps of the loop.
TEST_P(Relaying, AnAbortAtAnyStep) {
  for (int who = 0; who < 5; ++who) {
    bool reached = true;
    for (int steps = 0; reached && steps < 3000; steps += 1 + steps / 20) {
      SCOPED_TRACE(testing::Message() << "who " << who << " after " << steps << " steps");
      std::uint64_t next = static_cast<std::uint64_t>(steps) * 2;
      Chain chain(world, 4096,
                  [&next](StreamPtr inner) { return std::make_unique<test::RaggedStream>(std::move(inner), next++); });
      chain.run();
      auto up = start(send_and_finish(*chain.client, 20'000));
      auto down = start(send_and_finish(*chain.server, 30'000));
      auto at_server = start(receive_pattern(*chain.server, 500));
      auto at_client = start(receive_pattern(*chain.client, 900));
      reached = true;
      for (int i = 0; i < steps && reached; ++i) reached = world.loop.step();
      switch (who) {
        case 0:
          chain.relay().abort(Error(Kind::shutdown));
          break;
        case 1:
          chain.client->abort(Error(Kind::reset));
          break;
        case 2:
          chain.server->abort(Error(Kind::reset));
          break;
        case 3:
          chain.downstream().abort(Error(Kind::timeout));
          break;
        default:
          chain.upstream().abort(Error(Kind::timeout));
          break;
      }
      rest();
      world.loop.advance(seconds(10));
      ASSERT_TRUE(chain.ended()) << "a frame hangs";
      ASSERT_TRUE(up.done() && down.done() && at_server.done() && at_client.done());
      const PatternReceived server = at_server.value();
      const PatternReceived client = at_client.value();
      EXPECT_TRUE(server.check.intact() && client.check.intact());
      if (server.ended) {
        EXPECT_EQ(server.check.bytes(), 20'000U);
      }
      if (client.ended) {
        EXPECT_EQ(client.check.bytes(), 30'000U);
      }
    }
  }
}

TEST_P(Relaying, Invariant22_ABusyPairGivesWayToOthers) {
  // One pair moves bytes without end; 999 others each want one echo. Counted in loop steps: nobody waits behind more
  // than one turn of the busy one.
  Chain busy(world, 1 << 20);
  busy.run();
  auto flood = [](Stream& to) -> Task<void> {
    for (;;) {
      Buffer buffer(std::string(65536, 'x'));
      Result<void> written = co_await to.write(buffer);
      if (!written.ok()) co_return;
    }
  };
  auto drain = [](Stream& from, std::uint64_t& total) -> Task<void> {
    Buffer buffer;
    for (;;) {
      Result<std::size_t> n = co_await from.read(buffer, 1 << 20);
      buffer.clear();
      if (!n.ok() || *n == 0) co_return;
      total += *n;
    }
  };
  std::uint64_t moved = 0;
  auto flooding = start(flood(*busy.client));
  auto draining = start(drain(*busy.server, moved));
  std::vector<std::unique_ptr<Chain>> quiet;
  for (int i = 0; i < 999; ++i) {
    quiet.push_back(std::make_unique<Chain>(world, 4096));
    quiet.back()->run();
  }
  for (int i = 0; i < 2000; ++i) world.loop.step();
  const std::uint64_t before = moved;
  std::vector<Started<Received>> answers;
  for (auto& chain : quiet) {
    EXPECT_TRUE(start(send(*chain->client, "?")).done());
    answers.push_back(start(read_exactly(*chain->server, 1)));
  }
  const auto all = [&answers] {
    return std::all_of(answers.begin(), answers.end(), [](const Started<Received>& one) { return one.done(); });
  };
  for (int i = 0; i < 30'000 && !all(); ++i) world.loop.step();
  EXPECT_TRUE(all());
  EXPECT_GT(moved, before);
  // The busy pair's bytes meanwhile: a few turns of 256 KiB a round of the loop, not without bound.
  if (GetParam() == 0) {
    EXPECT_LT(moved - before, 20U * 1024 * 1024);
  }
  busy.relay().abort(Error(Kind::cancelled));
  for (auto& chain : quiet) chain->relay().abort(Error(Kind::cancelled));
  rest();
  EXPECT_TRUE(busy.ended());
  for (auto& chain : quiet) EXPECT_TRUE(chain->ended());
  busy.client->abort(Error(Kind::cancelled));
  busy.server->abort(Error(Kind::cancelled));
  rest();
  EXPECT_TRUE(flooding.done() && draining.done());
}

TEST_P(Relaying, ABusyPumpYieldsByBytesAndByRounds) {
  for (const std::size_t piece : {1U, 65536U}) {
    SCOPED_TRACE(piece);
    auto in = make_user_space_pair(world.context, 8 << 20);
    auto out = make_user_space_pair(world.context, 8 << 20);
    std::uint64_t total = 0;
    for (int i = 0; i < 60; ++i) {
      Buffer buffer(std::string(piece, 'x'));
      total += in.first->try_write(buffer, More::no).bytes;
    }
    Flow flow(world.context, FlowTimeouts{seconds(100), seconds(10)}, [](void*, const Error&) noexcept {}, nullptr);
    auto pumping = start(pump(*in.second, *out.first, flow, Direction::up));
    // A first turn of at most 256 KiB, then others have theirs.
    EXPECT_LE(flow.bytes(Direction::up), 262144U + 65536U);
    if (piece > 1) {
      EXPECT_LT(flow.bytes(Direction::up), total);
    }
    rest();
    EXPECT_EQ(flow.bytes(Direction::up), total);
    in.first->abort(Error(Kind::reset));
    rest();
    ASSERT_TRUE(pumping.done());
    EXPECT_EQ(pumping.value().reason, PumpEnd::Reason::read_failed);
  }
}

TEST_P(Relaying, PumpSaysWhyItStopped) {
  const auto run = [this](const std::function<void(Stream & source, StreamPtr & sink)>& act) {
    auto in = make_user_space_pair(world.context, 65536);
    auto out = make_user_space_pair(world.context, 65536);
    Flow flow(world.context, FlowTimeouts{seconds(100), seconds(10)}, [](void*, const Error&) noexcept {}, nullptr);
    auto pumping = start(pump(*in.second, *out.first, flow, Direction::up));
    act(*in.first, out.second);
    rest();
    EXPECT_TRUE(pumping.done());
    return pumping.value();
  };
  EXPECT_EQ(run([this](Stream& source, StreamPtr&) { (void)world.await(source.shutdown_write()); }).reason,
            PumpEnd::Reason::ended);
  EXPECT_EQ(run([](Stream& source, StreamPtr&) { source.abort(Error(Kind::timeout)); }).error.kind, Kind::timeout);
  EXPECT_EQ(run([this](Stream& source, StreamPtr& sink) {
              (void)world.await(sink->shutdown_write());
              sink.reset();
              (void)start(send(source, "x"));
            }).reason,
            PumpEnd::Reason::write_refused);
}

TEST_P(Relaying, EightHopsInARow) {
  std::vector<std::unique_ptr<Chain>> chains;
  // Each chain's server is bridged to the next one's client by one more relay.
  std::vector<std::unique_ptr<Relay>> bridges;
  std::vector<Started<RelayEnd>> bridging;
  const FlowTimeouts timeouts{seconds(3600), seconds(60), seconds(5)};
  for (int i = 0; i < 4; ++i) {
    chains.push_back(std::make_unique<Chain>(world));
    chains.back()->run();
  }
  for (std::size_t i = 0; i + 1 < chains.size(); ++i) {
    bridges.push_back(std::make_unique<Relay>(world.context, timeouts, *chains[i]->server, *chains[i + 1]->client));
    bridging.push_back(start(bridges.back()->run()));
  }
  Stream& first = *chains.front()->client;
  Stream& last = *chains.back()->server;
  auto up = start(send_and_finish(first, 3'000'000));
  const PatternReceived at_last = world.await(receive_pattern(last));
  EXPECT_TRUE(at_last.ended && at_last.check.intact() && at_last.check.bytes() == 3'000'000);
  auto down = start(send_and_finish(last, 5'000'000));
  const PatternReceived at_first = world.await(receive_pattern(first));
  EXPECT_TRUE(at_first.ended && at_first.check.intact() && at_first.check.bytes() == 5'000'000);
  rest();
  for (auto& chain : chains) EXPECT_TRUE(chain->ended());
  for (auto& bridge : bridging) EXPECT_FALSE(bridge.value().error);
  bridges.clear();
}

}  // namespace
}  // namespace tunnel
