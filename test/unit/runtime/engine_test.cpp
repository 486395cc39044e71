// SPDX-License-Identifier: Apache-2.0
// Engine with real threads and sockets: what an embedding program sees.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <future>
#include <mutex>
#include <string>

#include "support/pattern.hpp"
#include "support/tcp_peer.hpp"
#include "tunnel/run.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

plan::Listener listener(const std::string& name, plan::Address address, plan::Handler handler) {
  plan::Listener made;
  made.name = name;
  made.addresses = {std::move(address)};
  made.handler = std::move(handler);
  return made;
}

plan::Cluster cluster(const std::string& name, plan::Address address) {
  plan::Cluster made;
  made.name = name;
  made.endpoints = {{std::move(address)}};
  return made;
}

// 127.0.0.1:0 "door" -> internal:own, ours.
plan::Plan door_to_own(unsigned workers) {
  plan::Plan plan;
  plan.process.workers = workers;
  plan.listeners = {listener("door", plan::Tcp{"127.0.0.1", 0}, plan::TcpProxy{"to-own", {}}),
                    listener("own", plan::Internal{"own", ""}, plan::Custom{})};
  plan.clusters = {cluster("to-own", plan::Internal{"own", ""})};
  return plan;
}

Task<void> shout(EngineWorker& /*worker*/, StreamPtr stream, ConnectionInfo /*client*/) {
  test::Received heard = co_await test::read_all(*stream);
  for (char& c : heard.bytes) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  Task<Result<void>> saying = test::send(*stream, heard.bytes);
  Result<void> said = co_await saying;
  if (said.ok()) said = co_await stream->shutdown_write();
}

// What a client over a real socket hears, to its end; "reset" if it ends otherwise.
std::string call(const SocketAddress& address, std::string_view text) {
  const Fd fd = test::connect_to(address);
  EXPECT_EQ(::fcntl(fd.get(), F_SETFL, 0), 0);  // blocking from here on
  EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
  std::string heard;
  char bytes[4096];
  for (;;) {
    const ssize_t n = ::recv(fd.get(), bytes, sizeof bytes, 0);
    if (n < 0) return "reset";
    if (n == 0) return heard;
    heard.append(bytes, static_cast<std::size_t>(n));
  }
}

TEST(Engine, ServesSocketsWithTheEmbeddersHandler) {
  Engine engine(door_to_own(2));
  engine.serve("own", shout);
  Result<void> started = engine.start();
  ASSERT_TRUE(started.ok()) << started.error().text();
  EXPECT_EQ(engine.workers(), 2U);
  ASSERT_EQ(engine.addresses("door").size(), 1U);
  EXPECT_TRUE(engine.addresses("own").empty());
  for (int i = 0; i < 8; ++i) EXPECT_EQ(call(engine.addresses("door").front(), "hello"), "HELLO");
  engine.drain(seconds(5));
  EXPECT_EQ(engine.wait(), 0U);
  EXPECT_NE(engine.stats().find("\"tunnel_workers\":2"), std::string::npos) << engine.stats();
}

TEST(Engine, RunsClientsOnEveryWorkerWithoutASocket) {
  Engine engine(door_to_own(3));
  engine.serve("own", shout);
  ASSERT_TRUE(engine.start().ok());
  for (std::size_t i = 0; i < engine.workers(); ++i) {
    auto heard = std::make_shared<std::promise<std::string>>();
    std::future<std::string> answer = heard->get_future();
    engine.spawn(i, [heard, i](EngineWorker& worker) -> Task<void> {
      Task<Result<StreamPtr>> connecting = worker.connect("internal:own");
      Result<StreamPtr> stream = co_await connecting;
      Task<Result<void>> sending = test::send(**stream, "worker " + std::to_string(i));
      Result<void> sent = co_await sending;
      if (sent.ok()) sent = co_await (*stream)->shutdown_write();
      test::Received received = co_await test::read_all(**stream);
      heard->set_value(received.bytes);
    });
    ASSERT_EQ(answer.wait_for(seconds(20)), std::future_status::ready);
    EXPECT_EQ(answer.get(), "WORKER " + std::to_string(i));
  }
}

TEST(Engine, WorkersTakeNoSignal) {
  Engine engine(door_to_own(1));
  engine.serve("own", shout);
  ASSERT_TRUE(engine.start().ok());
  auto blocked = std::make_shared<std::promise<bool>>();
  std::future<bool> answer = blocked->get_future();
  engine.spawn(0, [blocked](EngineWorker&) -> Task<void> {
    sigset_t mask;
    (void)pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    blocked->set_value(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1);
    co_return;
  });
  EXPECT_TRUE(answer.get());
  sigset_t mine;
  (void)pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGTERM), 0);
}

TEST(Engine, AnErrorAtTheStartIsASentenceAndNothingServes) {
  {
    Engine engine(door_to_own(1));
    Result<void> started = engine.start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().text(), "own has no handler; give the engine one with serve()");
  }
  {
    plan::Plan plan = door_to_own(1);
    plan.listeners.pop_back();
    plan.process.workers = 5000;
    Engine engine(plan);
    Result<void> started = engine.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().text().find("nothing in this process listens on internal:own"), std::string::npos);
    EXPECT_NE(started.error().text().find("at most 1024 workers"), std::string::npos);
  }
  {
    const test::TcpServer taken;
    plan::Plan plan = door_to_own(1);
    plan.listeners.push_back(listener("busy", plan::Tcp{"127.0.0.1", taken.address().port()}, plan::Echo{}));
    Engine engine(plan);
    engine.serve("own", shout);
    Result<void> started = engine.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().text().find("busy: "), std::string::npos) << started.error().text();
    EXPECT_NE(started.error().text().find("; stop what listens there"), std::string::npos) << started.error().text();
  }
}

TEST(Engine, EnginesShareNoNames) {
  plan::Plan plan = door_to_own(1);
  Engine loud(plan);
  loud.serve("own", shout);
  Engine silent(plan);
  silent.serve("own", [](EngineWorker&, StreamPtr stream, ConnectionInfo) -> Task<void> {
    test::Received heard = co_await test::read_all(*stream);
    Result<void> ended = co_await stream->shutdown_write();
    (void)ended.ok();
    (void)heard;
  });
  ASSERT_TRUE(loud.start().ok());
  ASSERT_TRUE(silent.start().ok());
  EXPECT_EQ(call(loud.addresses("door").front(), "hello"), "HELLO");
  EXPECT_EQ(call(silent.addresses("door").front(), "hello"), "");
}

TEST(Engine, ItsDestructorResetsWhatIsOpen) {
  std::atomic<bool> ended = false;
  std::promise<void> began;
  Fd client;
  {
    Engine engine(door_to_own(2));
    engine.serve("own", [&](EngineWorker&, StreamPtr stream, ConnectionInfo) -> Task<void> {
      began.set_value();
      test::Received heard = co_await test::read_all(*stream);
      ended = !heard.ended;
    });
    ASSERT_TRUE(engine.start().ok());
    client = test::connect_to(engine.addresses("door").front());
    began.get_future().wait();
  }
  EXPECT_TRUE(ended);
  pollfd ready{client.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 20000), 1);
  char byte = 0;
  EXPECT_LT(::recv(client.get(), &byte, 1, 0), 0);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(Engine, DrainMayBeAskedForFromAWorkerAndTwice) {
  Engine engine(door_to_own(2));
  engine.serve("own", shout);
  ASSERT_TRUE(engine.start().ok());
  engine.spawn(1, [&engine](EngineWorker&) -> Task<void> {
    engine.drain(seconds(5));
    co_return;
  });
  EXPECT_EQ(engine.wait(), 0U);
  engine.drain(milliseconds(1));
  engine.spawn(0, [](EngineWorker&) -> Task<void> {
    ADD_FAILURE() << "ran on a worker that has ended";
    co_return;
  });
}

TEST(EngineDeathTest, LogLinesGoToTheEmbeddersSink) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    std::mutex mutex;
    std::string lines;
    log_to(LogLevel::info, [&](LogLevel level, std::string_view line) {
      const std::scoped_lock lock(mutex);
      lines += std::to_string(static_cast<int>(level)) + " " + std::string(line) + "\n";
    });
    {
      Engine engine(door_to_own(1));
      engine.serve("own", shout);
      if (!engine.start().ok()) ::_exit(2);
    }
    const bool heard = lines.find("2 own listening on internal:own\n") != std::string::npos &&
                       lines.find("2 serving with 1 worker\n") != std::string::npos;
    ::_exit(heard ? 0 : 3);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace tunnel
