// SPDX-License-Identifier: Apache-2.0
// CONNECT over HTTP/2, our client and server against each other in memory: the closing table, windows, lost
// connections.
#include <gtest/gtest.h>

#include "base/memory.hpp"
#include "h2_support.hpp"

namespace tunnel::test {
namespace {

struct TunnelTest : ::testing::Test {
  Tunnels far;
};

TEST_F(TunnelTest, EchoesUnderEveryOrder) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Joined h2(echo, 2048, seed);
    auto tunnel = h2.tunnel();
    EXPECT_EQ(tunnel->response_body(), http::Body::tunnel());
    const std::string text = pattern(1'500'000);
    Started<void> writing = start(write_all(*tunnel, text));
    EXPECT_TRUE(h2.world.await(read_all(*tunnel)) == text);
    EXPECT_TRUE(writing.done());
    EXPECT_EQ(tunnel->read_side(), ReadSide::ended);
    EXPECT_EQ(tunnel->write_side(), WriteSide::finished);
    tunnel.reset();
  }
}

TEST_F(TunnelTest, HalfCloseEachWayThenMuchTheOther) {
  Joined h2(far.serve());
  const std::string much = pattern(8'000'000);
  auto up = h2.tunnel();
  EXPECT_TRUE(h2.world.await(up->shutdown_write()).ok());
  EXPECT_EQ(h2.world.await(read_all(far[0])), "");
  EXPECT_EQ(far[0].read_side(), ReadSide::ended);
  Started<void> down_writer = start(write_all(far[0], much));
  EXPECT_TRUE(h2.world.await(read_all(*up)) == much);

  auto down = h2.tunnel();
  EXPECT_TRUE(h2.world.await(far[1].shutdown_write()).ok());
  EXPECT_EQ(h2.world.await(read_all(*down)), "");
  Started<void> up_writer = start(write_all(*down, much));
  EXPECT_TRUE(h2.world.await(read_all(far[1])) == much);
  up.reset();
  down.reset();
  far.release();
}

TEST_F(TunnelTest, NothingLeavesBeforeThe2xx) {
  Notify* go = nullptr;
  http::ServerExchange* server_side = nullptr;
  Joined h2([&](http::ServerExchange& exchange) -> Task<void> {
    return [](http::ServerExchange& e, Notify*& notify, http::ServerExchange*& side) -> Task<void> {
      Notify wait(e.loop());
      notify = &wait;
      side = &e;
      co_await wait.wait();
      const bool refuse = e.request().authority == "refused.test:1";
      Result<void> responded = refuse ? co_await e.respond(status(403), http::Body::none())
                                      : co_await e.respond(status(200), http::Body::tunnel());
      EXPECT_TRUE(responded.ok());
      if (!refuse) {
        Task<std::string> reading = read_all(e);
        EXPECT_EQ(co_await reading, "early");
      }
    }(exchange, go, server_side);
  });
  for (const bool refused : {false, true}) {
    auto exchange = h2.client->open();
    EXPECT_TRUE(
        h2.world.await(exchange->send(connect_to(refused ? "refused.test:1" : "a.test:1"), http::Body::tunnel())).ok());
    Started<void> writing = start(write_all(*exchange, "early"));
    h2.world.loop.run();
    Buffer nothing;
    EXPECT_EQ(server_side->try_read(nothing, 100).state, Io::State::would_block);
    go->set();
    Result<http::ResponseHead> head = h2.world.await(exchange->head());
    ASSERT_TRUE(head.ok());
    EXPECT_EQ(head->status, refused ? 403 : 200);
    EXPECT_EQ(exchange->response_body(), refused ? http::Body::none() : http::Body::tunnel());
    h2.world.loop.run();
    exchange.reset();
    h2.world.loop.run();
  }
  EXPECT_EQ(h2.client->active(), 0U);
}

TEST_F(TunnelTest, ResetsCarryTheirCodeBothWays) {
  struct Case {
    Error reason;
    std::uint32_t code;
  };
  Error passed_on(Error::Kind::reset);
  passed_on.reset_code = 8;
  Error accusing(Error::Kind::reset);
  accusing.reset_code = 3;
  const std::vector<Case> cases{{Error(Error::Kind::reset), 10},
                                {Error(Error::Kind::closed), 10},
                                {Error(Error::Kind::timeout), 10},
                                {Error(Error::Kind::cancelled), 8},
                                {Error(Error::Kind::shutdown), 8},
                                {Error(Error::Kind::internal), 2},
                                {passed_on, 8},
                                {accusing, 10}};
  Joined h2(far.serve());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (const bool server_resets : {true, false}) {
      auto near = h2.tunnel();
      http::ServerExchange& other = far[2 * i + (server_resets ? 0 : 1)];
      Stream& aborting = server_resets ? static_cast<Stream&>(other) : *near;
      Stream& reading = server_resets ? static_cast<Stream&>(*near) : other;
      Told told;
      reading.on_reset(&told);
      EXPECT_TRUE(h2.world.await(write_text(aborting, "last words")).ok());
      EXPECT_TRUE(h2.world.await(aborting.flush(h2.world.loop.now() + std::chrono::seconds(1))).ok());
      aborting.abort(cases[i].reason);
      aborting.abort(cases[i].reason);
      h2.world.loop.run();
      EXPECT_EQ(told.times, 1);
      EXPECT_EQ(reading.write_side(), WriteSide::refused);
      Error failure;
      EXPECT_EQ(h2.world.await(read_all(reading, &failure)), "last words");
      EXPECT_EQ(failure.kind, Error::Kind::reset) << i;
      EXPECT_EQ(failure.reset_code, cases[i].code) << i << server_resets;
      EXPECT_EQ(reading.read_side(), ReadSide::reset);
      EXPECT_FALSE(h2.world.await(write_text(reading, "x")).ok());
      near.reset();
    }
  }
  EXPECT_EQ(h2.count(Counter::h2_rapid_resets), 0U);
  far.release();
}

TEST_F(TunnelTest, AbortWakesEveryPendingCall) {
  Joined h2(far.serve());
  auto near = h2.tunnel();
  Started<std::string> reading = start(read_all(*near));
  Started<Result<void>> writing = start(write_text(*near, std::string(3'000'000, 'x')));
  h2.world.loop.run();
  EXPECT_FALSE(reading.done());
  EXPECT_FALSE(writing.done());
  near->abort(Error(Error::Kind::cancelled));
  h2.world.loop.run();
  EXPECT_TRUE(reading.done());
  ASSERT_TRUE(writing.done());
  EXPECT_EQ(writing.value().error().kind, Error::Kind::cancelled);
  near.reset();

  auto second = h2.tunnel();
  Started<Result<void>> flushing_writer = start(write_text(*second, std::string(200'000, 'x')));
  h2.world.loop.run();
  ASSERT_TRUE(flushing_writer.done()) << "window and queue take it";
  Started<Result<void>> flushing = start(second->flush(h2.world.loop.now() + std::chrono::hours(1)));
  h2.world.loop.run();
  EXPECT_FALSE(flushing.done());
  second->abort(Error(Error::Kind::timeout));
  h2.world.loop.run();
  ASSERT_TRUE(flushing.done());
  EXPECT_EQ(flushing.value().error().kind, Error::Kind::timeout);
  second.reset();
  far.release();
}

TEST_F(TunnelTest, PendingHeadIsWokenByAbort) {
  Notify* go = nullptr;
  Joined h2([&go](http::ServerExchange& exchange) -> Task<void> {
    return [](http::ServerExchange& e, Notify*& notify) -> Task<void> {
      Notify wait(e.loop());
      notify = &wait;
      co_await wait.wait();
    }(exchange, go);
  });
  auto exchange = h2.client->open();
  EXPECT_TRUE(h2.world.await(exchange->send(get(), http::Body::none())).ok());
  Started<Result<http::ResponseHead>> head = start(exchange->head());
  h2.world.loop.run();
  EXPECT_FALSE(head.done());
  exchange->abort(Error(Error::Kind::cancelled));
  h2.world.loop.run();
  ASSERT_TRUE(head.done());
  EXPECT_EQ(head.value().error().kind, Error::Kind::cancelled);
  exchange.reset();
  go->set();
}

TEST_F(TunnelTest, DestroyedWithBytesQueuedAndFinishedStillDelivers) {
  Joined h2(far.serve(), 1024);
  auto near = h2.tunnel();
  const std::string text = pattern(200'000);
  EXPECT_TRUE(h2.world.await(write_text(*near, text)).ok());
  EXPECT_TRUE(h2.world.await(near->shutdown_write()).ok());
  near.reset();
  EXPECT_EQ(h2.client->active(), 1U);
  Error failure;
  EXPECT_TRUE(h2.world.await(read_exactly(far[0], text.size())) == text);
  far.release();
  h2.world.loop.run();
  EXPECT_EQ(h2.client->active(), 0U);
}

TEST_F(TunnelTest, DestroyedUnfinishedIsAReset) {
  Joined h2(far.serve());
  auto near = h2.tunnel();
  Told told;
  far[0].on_reset(&told);
  near.reset();
  h2.world.loop.run();
  EXPECT_EQ(told.times, 1);
  Error failure;
  EXPECT_EQ(h2.world.await(read_all(far[0], &failure)), "");
  EXPECT_EQ(failure.reset_code, 8U);
  far.release();
}

TEST_F(TunnelTest, StalledOrphanIsCutAfterTheWriteTime) {
  Joined h2(far.serve());
  auto near = h2.tunnel();
  EXPECT_TRUE(h2.world.await(write_text(*near, pattern(200'000))).ok());
  EXPECT_TRUE(h2.world.await(near->shutdown_write()).ok());
  near.reset();
  h2.world.loop.advance(std::chrono::seconds(59));
  EXPECT_EQ(h2.count(Counter::write_timeouts), 0U);
  h2.world.loop.advance(std::chrono::seconds(2));
  EXPECT_EQ(h2.count(Counter::write_timeouts), 1U);
  EXPECT_EQ(h2.client->active(), 0U);
  EXPECT_TRUE(h2.client->usable());
  far.release();
}

TEST_F(TunnelTest, FlushWaitsForTheQueueAndFailsAtItsDeadline) {
  Joined h2(far.serve());
  auto near = h2.tunnel();
  EXPECT_TRUE(h2.world.await(near->flush(h2.world.loop.now())).ok()) << "nothing queued";
  EXPECT_TRUE(h2.world.await(write_text(*near, pattern(150'000))).ok());
  Started<Result<void>> late = start(near->flush(h2.world.loop.now() + std::chrono::seconds(1)));
  h2.world.loop.run();
  EXPECT_FALSE(late.done()) << "the window is 64 KiB";
  h2.world.loop.advance(std::chrono::seconds(2));
  ASSERT_TRUE(late.done());
  EXPECT_EQ(late.value().error().kind, Error::Kind::timeout);
  Started<Result<void>> flushing = start(near->flush(h2.world.loop.now() + std::chrono::hours(1)));
  EXPECT_TRUE(h2.world.await(read_exactly(far[0], 150'000)) == pattern(150'000));
  ASSERT_TRUE(flushing.done());
  EXPECT_TRUE(flushing.value().ok());
  near.reset();
  far.release();
}

TEST_F(TunnelTest, ManyStalledStreamsDoNotStopALiveOne) {
  Joined h2(far.serve());
  std::vector<std::unique_ptr<http::ClientExchange>> stalled;
  std::vector<Started<Result<void>>> writers;
  for (int i = 0; i < 99; ++i) {
    stalled.push_back(h2.tunnel());
    writers.push_back(start(write_text(*stalled.back(), std::string(1'000'000, 's'))));
  }
  h2.world.loop.run();
  auto live = h2.tunnel();
  const std::string text = pattern(20'000'000);
  Started<void> writing = start(write_all(*live, text));
  EXPECT_TRUE(h2.world.await(read_all(far[99])) == text);
  EXPECT_TRUE(writing.done());
  for (const auto& writer : writers) EXPECT_FALSE(writer.done());
  for (auto& one : stalled) one->abort(Error(Error::Kind::cancelled));
  h2.world.loop.run();
  stalled.clear();
  live.reset();
  far.release();
}

TEST_F(TunnelTest, WindowsGrowWithUse) {
  Joined h2(far.serve());
  auto near = h2.tunnel();
  const auto in_flight = [&] {
    Buffer bytes;
    for (;;) {  // what one burst brings without a read
      Buffer piece(std::string(65536, 'x'));
      const Io io = near->try_write(piece, More::no);
      h2.world.loop.run();
      if (io.state != Io::State::done) break;
    }
    std::size_t arrived = 0;
    while (true) {
      const Io io = far[0].try_read(bytes, 1 << 20);
      if (io.state != Io::State::done) break;
      arrived += io.bytes;
    }
    h2.world.loop.run();
    return arrived;
  };
  EXPECT_LE(in_flight(), 65536U);
  std::size_t last = 0;
  for (int i = 0; i < 40; ++i) last = in_flight();
  EXPECT_GT(last, 2'000'000U);
  EXPECT_LE(last, 4194304U);
  near.reset();
  far.release();
}

TEST_F(TunnelTest, WindowsStopGrowingAtTheMemoryLimit) {
  const std::uint64_t promised = memory::promised();
  {
    Tunnels mine;
    Joined h2(mine.serve(),
              [](Limits& limits) { limits.memory_bytes = memory::held() + memory::promised() + (1 << 20); });
    auto near = h2.tunnel();
    std::size_t most = 0;
    for (int i = 0; i < 40; ++i) {
      std::size_t arrived = 0;
      for (Io::State state = Io::State::done; state == Io::State::done;) {
        Buffer piece(std::string(65536, 'x'));
        state = near->try_write(piece, More::no).state;
        h2.world.loop.run();
      }
      for (Io::State state = Io::State::done; state == Io::State::done;) {
        Buffer bytes;
        const Io io = mine[0].try_read(bytes, 1 << 20);
        arrived += io.bytes;
        state = io.state;
      }
      h2.world.loop.run();
      most = std::max(most, arrived);
    }
    EXPECT_GT(most, 65536U);
    EXPECT_LT(most, std::size_t{1} << 20);
    EXPECT_GT(memory::promised(), promised);
    near.reset();
    mine.release();
  }
  EXPECT_EQ(memory::promised(), promised);
}

TEST_F(TunnelTest, LostConnectionIsAResetNeverAnEnd) {
  for (const bool in_order : {true, false}) {
    Tunnels mine;
    Joined h2(mine.serve());
    auto near = h2.tunnel();
    Told near_told;
    Told far_told;
    near->on_reset(&near_told);
    mine[0].on_reset(&far_told);
    EXPECT_TRUE(h2.world.await(write_text(mine[0], "tail")).ok());
    h2.world.loop.run();
    if (in_order) {
      EXPECT_TRUE(h2.world.await(h2.transport->shutdown_write()).ok());  // FIN, but no END_STREAM
    } else {
      h2.transport->abort(Error(Error::Kind::reset));
    }
    h2.world.loop.run();
    EXPECT_EQ(far_told.times, 1);
    EXPECT_EQ(near_told.times, 1);
    Error failure;
    EXPECT_EQ(h2.world.await(read_all(*near, &failure)), "tail");
    EXPECT_TRUE(failure);
    EXPECT_FALSE(h2.client->usable());
    EXPECT_EQ(h2.world.await(read_all(mine[0], &failure)), "");
    EXPECT_EQ(mine[0].read_side(), ReadSide::reset);
    EXPECT_EQ(mine[0].write_side(), WriteSide::refused);
    near.reset();
    mine.release();
    h2.world.loop.advance(std::chrono::seconds(2));
    EXPECT_TRUE(h2.client_run->done());
    EXPECT_TRUE(h2.server_run->done());
  }
}

TEST_F(TunnelTest, DrainLetsTunnelsFinish) {
  Joined h2(far.serve());
  auto near = h2.tunnel();
  h2.server->drain();
  h2.world.loop.run();
  EXPECT_FALSE(h2.client->usable());
  EXPECT_FALSE(h2.server_run->done());
  Started<void> writing = start(write_all(*near, pattern(1'000'000)));
  EXPECT_TRUE(h2.world.await(read_all(far[0])) == pattern(1'000'000));
  EXPECT_TRUE(h2.world.await(far[0].shutdown_write()).ok());
  EXPECT_EQ(h2.world.await(read_all(*near)), "");
  near.reset();
  far.release();
  h2.world.loop.run();
  EXPECT_TRUE(h2.server_run->done());
  EXPECT_TRUE(h2.client_run->done());
}

TEST_F(TunnelTest, IdleServerConnectionIsClosed) {
  Joined h2(far.serve());
  h2.world.loop.advance(std::chrono::minutes(59));
  EXPECT_FALSE(h2.server_run->done());
  h2.world.loop.advance(std::chrono::minutes(2));
  EXPECT_EQ(h2.count(Counter::idle_timeouts), 1U);
  EXPECT_TRUE(h2.server_run->done());
  EXPECT_TRUE(h2.client_run->done());
}

}  // namespace
}  // namespace tunnel::test
