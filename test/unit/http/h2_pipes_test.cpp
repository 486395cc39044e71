// SPDX-License-Identifier: Apache-2.0
// Bulk in HTTP/2 tunnels between two of our ends, over sockets: program - relay - client ~ server - relay - program.
// What arrives, what stays in the kernel, and what a tunnel that stalls or is cut means to its neighbours.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "http/exchange.hpp"
#include "stream/pump.hpp"
#include "support/bulk.hpp"
#include "support/loop_await.hpp"

namespace tunnel {
namespace {

using std::chrono::seconds;
using test::Got;
using test::kMebibyte;
using test::receive_all;
using test::send_all;

// One tunnel and the programs at its ends.
struct Way {
  Fd client;
  Fd server;
  std::unique_ptr<SocketStream> downstream;
  std::unique_ptr<SocketStream> upstream;
  Error front_end;
  Error back_end;
};

// A program that sends and receives at the same time.
Got exchange_bulk(const Fd& fd, std::size_t bytes) {
  std::thread sending([&fd, bytes] {
    send_all(fd.get(), 0, bytes);
    ::shutdown(fd.get(), SHUT_WR);
  });
  Got got = receive_all(fd.get());
  sending.join();
  return got;
}

// One that only receives, and ends when its peer has.
Got receive_and_end(const Fd& fd) {
  Got got = receive_all(fd.get());
  ::shutdown(fd.get(), SHUT_WR);
  return got;
}

// A message there and back, `rounds` times; whether all came.
bool echo(const Way& way, int rounds) {
  std::string piece(5, '\0');
  for (int i = 0; i < rounds; ++i) {
    for (const auto& [from, to] : {std::pair(way.client.get(), way.server.get()), {way.server.get(), way.client.get()}})
      if (::send(from, "hello", 5, MSG_NOSIGNAL) != 5 || ::recv(to, piece.data(), 5, MSG_WAITALL) != 5) return false;
  }
  ::shutdown(way.client.get(), SHUT_WR);
  ::shutdown(way.server.get(), SHUT_WR);
  return true;
}

void expect_whole(const Got& got, std::size_t bytes) {
  EXPECT_EQ(got.check.bytes(), bytes);
  EXPECT_TRUE(got.check.intact());
  EXPECT_EQ(got.number, 0);
}

class H2Bulk : public testing::Test, private http::ExchangeHandler {
 protected:
  ~H2Bulk() override {
    if (!client_) return;
    if (inner_client_) {
      inner_client_->abort(Error(Error::Kind::shutdown));
      test::await_on(loop, inner_ended());
      test::settle(loop);
      EXPECT_TRUE(inner_run_->done());
      inner_client_.reset();
    }
    client_->abort(Error(Error::Kind::shutdown));
    server_->abort(Error(Error::Kind::shutdown));
    test::settle(loop);
    EXPECT_TRUE(client_run_->done() && server_run_->done());
  }

  // After the limits are set.
  void join() {
    auto [near, far] = test::tcp_socket_pair();
    set_socket_options(near, limits);
    set_socket_options(far, limits);
    server_transport_ = std::make_unique<SocketStream>(loop, counters, far);
    server_ = h2::make_server(context(), *server_transport_, *this, {});
    client_ = h2::make_client(context(), std::make_unique<SocketStream>(loop, counters, near));
    server_run_.emplace(test::start(server_->run()));
    client_run_.emplace(test::start(client_->run()));
  }
  // The tunnels to come are in one of this connection's: HTTP/2 inside HTTP/2.
  void nest() {
    join();
    test::await_on(loop, open_inner());
    inner_run_.emplace(test::start(inner_client_->run()));
  }
  Way& way() {
    if (!client_) join();
    Way& added = ways_.emplace_back();
    added.downstream = test::connect_program(loop, counters, limits, added.client);
    added.upstream = test::connect_program(loop, counters, limits, added.server);
    ++running_;
    spawn(front(added));
    return added;
  }
  // Until every tunnel has ended at both of its ends.
  void run() { test::await_on(loop, all(), seconds(60)); }
  // Bulk through one tunnel, whole at both ends and ended in order.
  void both_ways(std::size_t bytes) {
    const Way& way = this->way();
    Got at_client;
    Got at_server;
    std::thread one([&] { at_client = exchange_bulk(way.client, bytes); });
    std::thread other([&] { at_server = exchange_bulk(way.server, bytes); });
    run();
    one.join();
    other.join();
    expect_whole(at_client, bytes);
    expect_whole(at_server, bytes);
    EXPECT_EQ(way.front_end.kind, Error::Kind::none);
    EXPECT_EQ(way.back_end.kind, Error::Kind::none);
  }
  Context context() { return {loop, counters, limits}; }
  std::uint64_t spliced() const { return counters.value(Counter::spliced_bytes); }

  Limits limits;
  Counters counters;
  EpollLoop loop;

 private:
  static FlowTimeouts timeouts() { return {seconds(60), seconds(60), seconds(5)}; }

  static Task<void> connect(http::ClientExchange& exchange, std::string authority) {
    http::RequestHead head;
    head.method = "CONNECT";
    head.authority = std::move(authority);
    Result<void> sent = co_await exchange.send(head, http::Body::tunnel());
    EXPECT_TRUE(sent.ok());
    Result<http::ResponseHead> answer = co_await exchange.head();
    EXPECT_TRUE(answer.ok() && answer->status == 200);
  }
  Task<void> open_inner() {
    auto exchange = client_->open();
    co_await connect(*exchange, "inner:1");
    inner_client_ = h2::make_client(context(), std::move(exchange));
  }
  Task<void> front(Way& way) {
    auto exchange = (inner_client_ ? inner_client_ : client_)->open();
    co_await connect(*exchange, std::to_string(ways_.size() - 1) + ":1");
    Relay relaying(context(), timeouts(), *way.downstream, *exchange);
    const RelayEnd end = co_await relaying.run();
    way.front_end = end.error;
    way.downstream.reset();
    ended();
  }
  Task<void> serve(http::ServerExchange& exchange) override {
    const std::string authority = exchange.request().authority;
    http::ResponseHead head;
    Result<void> answered = co_await exchange.respond(head, http::Body::tunnel());
    EXPECT_TRUE(answered.ok());
    if (authority == "inner:1") {
      auto inner = h2::make_server(context(), exchange, *this, {});
      inner_runs_ = true;
      co_await inner->run();
      inner_runs_ = false;
      changed_.set();
      co_return;
    }
    ++running_;
    Way& way = ways_.at(static_cast<std::size_t>(std::stoi(authority)));
    Relay relaying(context(), timeouts(), exchange, *way.upstream);
    const RelayEnd end = co_await relaying.run();
    way.back_end = end.error;
    way.upstream.reset();
    ended();
  }
  void rejected(std::string_view /*protocol*/, std::uint16_t /*status*/, std::size_t /*body_bytes*/,
                std::string_view detail) override {
    ADD_FAILURE() << detail;
  }
  void ended() {
    --running_;
    changed_.set();
  }
  Task<void> inner_ended() {
    while (inner_runs_) co_await changed_.wait();
  }
  Task<void> all() {
    while (running_ > 0) co_await changed_.wait();
  }

  std::deque<Way> ways_;
  Notify changed_{loop};
  int running_ = 0;
  bool inner_runs_ = false;
  std::unique_ptr<SocketStream> server_transport_;
  std::unique_ptr<http::ServerConnection> server_;
  std::unique_ptr<http::ClientConnection> client_;
  std::optional<test::Started<void>> server_run_;
  std::optional<test::Started<void>> client_run_;
  std::unique_ptr<http::ClientConnection> inner_client_;
  std::optional<test::Started<void>> inner_run_;
};

TEST_F(H2Bulk, BothWaysAtOnceArriveWholeAndMostlyWithoutBeingCopied) {
  constexpr std::size_t kBytes = 48 * kMebibyte + 12345;
  both_ways(kBytes);
  EXPECT_GT(spliced(), 2 * kBytes);  // of the four times they could be
}

TEST_F(H2Bulk, OneWayBehindAnEndOfTheOther) {
  constexpr std::size_t kBytes = 16 * kMebibyte;
  for (const bool up : {true, false}) {
    const Way& way = this->way();
    const Fd& sender = up ? way.client : way.server;
    const Fd& receiver = up ? way.server : way.client;
    Got got;
    std::thread receiving([&] {
      ::shutdown(receiver.get(), SHUT_WR);
      got = receive_all(receiver.get());
    });
    std::thread sending([&] {
      (void)receive_all(sender.get());
      send_all(sender.get(), 0, kBytes);
      ::shutdown(sender.get(), SHUT_WR);
    });
    run();
    receiving.join();
    sending.join();
    expect_whole(got, kBytes);
  }
  EXPECT_GT(spliced(), kBytes);
}

TEST_F(H2Bulk, MessagesBetweenBulkKeepTheirOrder) {
  constexpr int kRounds = 12;
  constexpr std::size_t kLarge = 3 * kMebibyte + 17;
  const Way& way = this->way();
  std::thread talking([&way] {
    std::uint64_t at = 0;
    for (int i = 0; i < kRounds; ++i) {
      for (const std::size_t bytes : {kLarge, std::size_t{5}}) {
        send_all(way.client.get(), at, bytes);
        at += bytes;
      }
      char answer = 0;
      if (::recv(way.client.get(), &answer, 1, MSG_WAITALL) != 1) break;
    }
    ::shutdown(way.client.get(), SHUT_WR);
  });
  Got got;
  std::thread answering([&] {
    std::string piece(kLarge + 5, '\0');
    for (int i = 0; i < kRounds; ++i) {
      if (::recv(way.server.get(), piece.data(), piece.size(), MSG_WAITALL) != static_cast<ssize_t>(piece.size()))
        return;
      got.check.add(piece);
      (void)::send(way.server.get(), "!", 1, MSG_NOSIGNAL);
    }
    ::shutdown(way.server.get(), SHUT_WR);
  });
  run();
  talking.join();
  answering.join();
  expect_whole(got, kRounds * (kLarge + 5));
  EXPECT_GT(spliced(), kLarge);
}

// The inner connection's transport is a stream of the outer one, which gives and takes pipes whole.
TEST_F(H2Bulk, Http2InsideHttp2) {
  nest();
  both_ways(32 * kMebibyte + 4711);
}
TEST_F(H2Bulk, Http2InsideHttp2WithWindowsSmallerThanAPipe) {
  limits.h2_stream_window = 300'000;
  nest();
  both_ways(16 * kMebibyte + 4711);
}

// Windows smaller than a pipe: frames take a part of one, and the rest comes back from the session.
TEST_F(H2Bulk, FramesThatTakeAPartOfAPipe) {
  limits.h2_stream_window = 300'000;
  both_ways(24 * kMebibyte);
  EXPECT_GT(spliced(), 0U);
}

TEST_F(H2Bulk, AStalledReaderHoldsUpNoOtherTunnelAndLosesNothing) {
  constexpr std::size_t kBytes = 24 * kMebibyte;
  const Way& bulk = way();
  const Way& messages = way();
  Got got;
  bool all_came = false;
  std::thread sending([&] {
    send_all(bulk.client.get(), 0, kBytes);
    ::shutdown(bulk.client.get(), SHUT_WR);
  });
  std::thread talking([&] {
    // The first bytes show that the tunnel stands; then nobody reads until the other tunnel has had its turns.
    char first = 0;
    (void)::recv(bulk.server.get(), &first, 1, MSG_PEEK);
    all_came = echo(messages, 500);
    got = receive_and_end(bulk.server);
  });
  run();
  sending.join();
  talking.join();
  EXPECT_TRUE(all_came);
  expect_whole(got, kBytes);
}

TEST_F(H2Bulk, AResetOfTheSourceIsPassedOnBehindTheBytesInThePipe) {
  Way& way = this->way();
  std::thread sending([&way] {
    send_all(way.client.get(), 0, 24 * kMebibyte);
    test::reset(way.client);
  });
  Got got;
  std::thread receiving([&] { got = receive_all(way.server.get()); });
  run();
  sending.join();
  receiving.join();
  EXPECT_TRUE(got.check.intact());
  EXPECT_EQ(got.number, ECONNRESET);
  EXPECT_GT(spliced(), 0U);
}

// A stream that is cut while a frame of its is half out: the connection has to bring that frame to its end.
TEST_F(H2Bulk, TunnelsThatAreCutInTheMiddleLeaveTheConnectionToOthers) {
  for (int round = 0; round < 20; ++round) {
    Way& cut = way();
    Way& other = way();
    const bool up = round % 2 == 0;
    Fd& sender = up ? cut.client : cut.server;
    Fd& goes = round % 4 < 2 ? cut.client : cut.server;
    bool all_came = false;
    const Fd sends(::dup(sender.get()));  // the other thread may close its own
    std::thread sending([&] { send_all(sends.get(), 0, 64 * kMebibyte); });
    std::thread going([&] {
      Fd& receiver = up ? cut.server : cut.client;
      std::string piece(static_cast<std::size_t>(1 + round) * 700'001, '\0');
      (void)::recv(receiver.get(), piece.data(), piece.size(), MSG_WAITALL);
      ::shutdown(goes.get(), SHUT_RDWR);
      test::reset(goes);
      all_came = echo(other, 50);
      // The other end goes too: whatever way it was cut, nobody is left.
      test::reset(&goes == &cut.client ? cut.server : cut.client);
    });
    run();
    sending.join();
    going.join();
    EXPECT_TRUE(all_came) << "round " << round;
    EXPECT_EQ(other.front_end.kind, Error::Kind::none) << "round " << round;
  }
  EXPECT_GT(spliced(), 0U);
}

TEST_F(H2Bulk, WithoutAPipeBytesAreCopied) {
  limits.pipe_bytes = 0;
  constexpr std::size_t kBytes = 8 * kMebibyte;
  const Way& way = this->way();
  Got got;
  std::thread sending([&] { (void)exchange_bulk(way.client, kBytes); });
  std::thread receiving([&] { got = receive_and_end(way.server); });
  run();
  sending.join();
  receiving.join();
  expect_whole(got, kBytes);
  EXPECT_EQ(spliced(), 0U);
}

}  // namespace
}  // namespace tunnel
