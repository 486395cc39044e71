// SPDX-License-Identifier: Apache-2.0
// One set of cases over every byte stream: what a Stream promises, whoever implements it. Adapted in part from the list
// of Go's nettest.TestConn.
#include "contract/stream_contract.hpp"

#include <algorithm>
#include <random>

namespace tunnel::test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = Error::Kind;

std::vector<StreamTraits> all_stream_kinds() {
  std::vector<StreamTraits> kinds;
  StreamTraits pair;
  pair.name = "UserSpacePair";
  pair.make = [](std::uint64_t seed) { return make_simulated_pair(seed, 65536, false); };
  kinds.push_back(pair);
  StreamTraits small = pair;
  small.name = "UserSpacePair1K";
  small.high_mark = 1024;
  small.make = [](std::uint64_t seed) { return make_simulated_pair(seed, 1024, false); };
  kinds.push_back(small);
  StreamTraits ragged = pair;
  ragged.name = "RaggedPair";
  ragged.make = [](std::uint64_t seed) { return make_simulated_pair(seed, 65536, true); };
  kinds.push_back(ragged);
  StreamTraits tcp;
  tcp.name = "Tcp";
  tcp.make = [](std::uint64_t) { return make_tcp_pair(); };
  tcp.tells_close = false;
  tcp.exact_high_mark = false;
  tcp.unread_close_resets = false;
  kinds.push_back(tcp);
  StreamTraits local;
  local.name = "Unix";
  local.make = [](std::uint64_t) { return make_local_pair(); };
  local.tells_cut = false;
  local.exact_high_mark = false;
  local.unread_close_resets = false;
  kinds.push_back(local);
  for (const OneWay way : {OneWay::pipe, OneWay::socket}) {
    StreamTraits stdio;
    stdio.name = way == OneWay::pipe ? "StdioPipes" : "StdioSockets";
    stdio.make = [way](std::uint64_t) { return make_stdio_pair(way); };
    stdio.tells_reset = false;
    stdio.tells_close = false;
    stdio.exact_high_mark = false;
    stdio.unread_close_resets = false;
    stdio.tells_cut = false;
    kinds.push_back(stdio);
  }
  for (const HttpVersion version : {HttpVersion::h1, HttpVersion::h2}) {
    StreamTraits tunnel;
    tunnel.name = version == HttpVersion::h1 ? "TunnelH1" : "TunnelH2";
    tunnel.make = [version](std::uint64_t seed) { return make_tunnel_pair(seed, version); };
    tunnel.tells_close = false;
    tunnel.exact_high_mark = false;
    tunnel.unread_close_resets = false;
    tunnel.late_bytes_reset = version == HttpVersion::h1;
    kinds.push_back(tunnel);
  }
  return kinds;
}

Task<bool> eventually(Loop& loop, std::function<bool()> wanted) {
  for (int i = 0; i < 10'000; ++i) {
    if (wanted()) co_return true;
    co_await Sleep(loop, loop.now() + milliseconds(1));
  }
  co_return wanted();
}

Task<void> pause(Loop& loop, Duration length) { co_await Sleep(loop, loop.now() + length); }

Task<bool> send_and_finish(Stream& to, std::uint64_t total, std::size_t piece) {
  Result<void> sent = co_await send_pattern(to, total, piece);
  if (!sent.ok()) co_return false;
  Result<void> finished = co_await to.shutdown_write();
  co_return finished.ok();
}

Task<bool> echo(Stream& stream) {
  Buffer buffer;
  for (;;) {
    Result<std::size_t> n = co_await stream.read(buffer, 65536);
    if (!n.ok()) co_return false;
    if (*n == 0) break;
    Result<void> written = co_await stream.write(buffer);
    if (!written.ok()) co_return false;
  }
  Result<void> finished = co_await stream.shutdown_write();
  co_return finished.ok();
}

Task<void> abort_after(Stream& stream, Duration delay) {
  co_await Sleep(stream.loop(), stream.loop().now() + delay);
  stream.abort(Error(Kind::timeout, "cut by the clock"));
}

void StreamContract::run(Case one, int repetitions) {
  for (int i = 0; i < repetitions && !HasFailure(); ++i) {
    SCOPED_TRACE(testing::Message() << "repetition " << i);
    std::unique_ptr<StreamPair> pair = traits().make(seed() + static_cast<std::uint64_t>(i) * 1000);
    if (!pair->run(one(*pair, traits()))) {
      ADD_FAILURE() << "the case hangs";
      (void)pair.release();  // frames hang on its streams
      return;
    }
    pair->a.reset();
    pair->b.reset();
    EXPECT_TRUE(pair->clean()) << "something is left over";
  }
}

namespace {

// --- bytes

Task<void> basic_io(StreamPair& p, const StreamTraits& /*traits*/) {
  constexpr std::uint64_t kTotal = 8 << 20;
  auto echoing = start(echo(*p.b));
  auto sending = start(send_and_finish(*p.a, kTotal));
  const PatternReceived back = co_await receive_pattern(*p.a);
  EXPECT_TRUE(back.ended) << back.error.text();
  EXPECT_TRUE(back.check.intact());
  EXPECT_EQ(back.check.bytes(), kTotal);
  // The peer may see an end before whoever sent it knows that it is done.
  auto both = [&] { return sending.done() && echoing.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), both));
  EXPECT_TRUE(sending.value());
  EXPECT_TRUE(echoing.value());
  EXPECT_EQ(p.a->read_side(), ReadSide::ended);
  EXPECT_EQ(p.a->write_side(), WriteSide::finished);
}
TEST_P(StreamContract, BasicIo) { run(&basic_io); }

Task<bool> serve_pings(Stream& stream, int rounds) {
  Buffer buffer;
  for (int i = 0; i < rounds; ++i) {
    Result<std::size_t> n = co_await stream.read(buffer, 8);
    if (!n.ok() || *n == 0) co_return false;
    Result<void> written = co_await stream.write(buffer);
    if (!written.ok()) co_return false;
  }
  co_return true;
}
Task<void> ping_pong_rounds(StreamPair& p, int rounds) {
  auto serving = start(serve_pings(*p.b, rounds));
  Buffer buffer;
  int good = 0;
  for (; good < rounds; ++good) {
    buffer.append("p");
    Result<void> written = co_await p.a->write(buffer);
    Result<std::size_t> n = co_await p.a->read(buffer, 8);
    if (!written.ok() || !n.ok() || *n != 1 || buffer.to_string() != "p") break;
    buffer.clear();
  }
  EXPECT_EQ(good, rounds);
  auto served = [&serving] { return serving.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), served));
}
Task<void> ping_pong(StreamPair& p, const StreamTraits& traits) {
  const int rounds = !traits.tells_reset ? 5'000 : 20'000;  // each of the former is some switches of threads
  co_await ping_pong_rounds(p, traits.exact_high_mark ? 100'000 : rounds);
}
TEST_P(StreamContract, PingPong) { run(&ping_pong); }

Task<bool> dribble(Stream& to, std::uint64_t total, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t sent = 0; sent < total;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(1 + random() % 3000, total - sent));
    Buffer buffer(pattern(sent, n));
    Result<void> written = co_await to.write(buffer, random() % 2 == 0 ? More::yes : More::no);
    if (!written.ok()) co_return false;
    sent += n;
    if (random() % 4 == 0) co_await yield(to.loop());
  }
  Result<void> finished = co_await to.shutdown_write();
  co_return finished.ok();
}
Task<void> all_at_once(StreamPair& p, const StreamTraits& /*traits*/) {
  auto a_writes = start(dribble(*p.a, 300'000, 1));
  auto b_writes = start(dribble(*p.b, 400'000, 2));
  auto a_reads = start(receive_pattern(*p.a, 1 + 999));
  auto b_reads = start(receive_pattern(*p.b, 70'000));
  auto all = [&] { return a_writes.done() && b_writes.done() && a_reads.done() && b_reads.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), all));
  EXPECT_TRUE(a_writes.value());
  EXPECT_TRUE(b_writes.value());
  const PatternReceived at_a = a_reads.value();
  const PatternReceived at_b = b_reads.value();
  EXPECT_TRUE(at_a.ended && at_a.check.intact() && at_a.check.bytes() == 400'000);
  EXPECT_TRUE(at_b.ended && at_b.check.intact() && at_b.check.bytes() == 300'000);
}
TEST_P(StreamContract, ConcurrentMethods) { run(&all_at_once); }

Task<void> one_byte_reads(StreamPair& p, const StreamTraits& /*traits*/) {
  auto sending = start(send_and_finish(*p.a, 20'000, 7));
  const PatternReceived received = co_await receive_pattern(*p.b, 1);
  EXPECT_TRUE(received.ended && received.check.intact() && received.check.bytes() == 20'000);
  auto sent = [&sending] { return sending.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), sent));
  EXPECT_TRUE(sending.value());
}
TEST_P(StreamContract, OneByteReads) { run(&one_byte_reads); }

Task<void> empty_write(StreamPair& p, const StreamTraits& /*traits*/) {
  Buffer none;
  Result<void> before = co_await p.a->write(none);
  EXPECT_TRUE(before.ok());
  Result<void> sent = co_await send(*p.a, "x");
  EXPECT_TRUE(sent.ok());
  Result<void> after = co_await p.a->write(none);
  EXPECT_TRUE(after.ok());
  const Received one = co_await read_exactly(*p.b, 1);
  EXPECT_EQ(one.bytes, "x");
  Result<void> finished = co_await p.a->shutdown_write();
  EXPECT_TRUE(finished.ok());
  const Received end = co_await read_all(*p.b);
  EXPECT_TRUE(end.ended);
  EXPECT_EQ(end.bytes, "");
}
TEST_P(StreamContract, AnEmptyWriteIsNothing) { run(&empty_write); }

Task<void> unread_bytes(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> sent = co_await send(*p.a, "head and body");
  EXPECT_TRUE(sent.ok());
  const Received all = co_await read_exactly(*p.b, 13);
  EXPECT_EQ(all.bytes, "head and body");
  p.b->unread(Buffer("body"));
  p.b->unread(Buffer("and "));
  const Received part = co_await read_exactly(*p.b, 6);
  EXPECT_EQ(part.bytes, "and bo");
  Result<void> more = co_await send(*p.a, "!");
  EXPECT_TRUE(more.ok());
  const Received rest = co_await read_exactly(*p.b, 3);
  EXPECT_EQ(rest.bytes, "dy!");
  Result<void> finished = co_await p.a->shutdown_write();
  EXPECT_TRUE(finished.ok());
  const Received end = co_await read_all(*p.b);
  EXPECT_TRUE(end.ended);
  p.b->unread(Buffer("again"));
  const Received again = co_await read_all(*p.b);
  EXPECT_EQ(again.bytes, "again");
  EXPECT_TRUE(again.ended);
}
TEST_P(StreamContract, UnreadBytesComeFirst) { run(&unread_bytes); }

// --- lost wake-ups

Task<void> server_first(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> sent = co_await send(*p.b, "220 hello");
  EXPECT_TRUE(sent.ok());
  const Received banner = co_await read_exactly(*p.a, 9);
  EXPECT_EQ(banner.bytes, "220 hello");
}
Task<void> client_waits_first(StreamPair& p, const StreamTraits& /*traits*/) {
  auto reading = start(read_exactly(*p.a, 9));
  co_await yield(p.loop());
  EXPECT_FALSE(reading.done());
  Result<void> sent = co_await send(*p.b, "220 hello");
  EXPECT_TRUE(sent.ok());
  auto read = [&reading] { return reading.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), read));
  EXPECT_EQ(reading.value().bytes, "220 hello");
}
Task<void> server_first_and_ends(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> sent = co_await send(*p.b, "220 hello");
  Result<void> finished = co_await p.b->shutdown_write();
  EXPECT_TRUE(sent.ok() && finished.ok());
  const Received all = co_await read_all(*p.a);
  EXPECT_EQ(all.bytes, "220 hello");
  EXPECT_TRUE(all.ended);
}
TEST_P(StreamContract, ServerSpeaksFirst) {
  run(&server_first, 200);
  run(&client_waits_first, 200);
  run(&server_first_and_ends, 200);
}

Task<void> kicks(Stream& to, int times) {
  for (int i = 0; i < times; ++i) {
    Result<void> sent = co_await send(to, "k");
    EXPECT_TRUE(sent.ok());
    if (i % 3 == 0) co_await yield(to.loop());
    if (i % 7 == 0) co_await Sleep(to.loop(), to.loop().now() + std::chrono::microseconds(50));
  }
}
Task<void> kicked_while_running(StreamPair& p, const StreamTraits& /*traits*/) {
  // The writer kicks while the reader is about to wait, over and over: each byte must arrive.
  auto kicking = start(kicks(*p.a, 2000));
  const Received all = co_await read_exactly(*p.b, 2000);
  EXPECT_EQ(all.bytes.size(), 2000U);
  auto kicked = [&kicking] { return kicking.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), kicked));
}
TEST_P(StreamContract, KickedWhileRunning) { run(&kicked_while_running, 3); }

Task<void> writer_waits(StreamPair& p, const StreamTraits& traits) {
  Buffer buffer;
  std::size_t taken = 0;
  int refusals = 0;
  // Until it takes no more for a while.
  while (refusals < 20 && taken < (64U << 20)) {
    buffer.clear();
    buffer.append(pattern(taken, 10'000));
    const Io io = p.a->try_write(buffer, More::no);
    taken += io.bytes;
    if (io.state != Io::State::would_block) continue;
    ++refusals;
    co_await Sleep(p.loop(), p.loop().now() + milliseconds(2));
  }
  EXPECT_EQ(refusals, 20) << "a writer must wait some time";
  if (traits.exact_high_mark) {
    EXPECT_LE(taken, traits.high_mark + 16384);
  }
  auto writing = start(send(*p.a, "tail"));
  co_await pause(p.loop(), milliseconds(20));
  EXPECT_FALSE(writing.done());
  PatternCheck check;
  buffer.clear();
  while (check.bytes() < taken) {
    Result<std::size_t> n = co_await p.b->read(buffer, 65536);
    EXPECT_TRUE(n.ok() && *n > 0);
    if (!n.ok() || *n == 0) co_return;
    std::string text = buffer.to_string();
    if (check.bytes() + text.size() > taken) text.resize(taken - check.bytes());
    check.add(text);
    buffer.clear();
  }
  EXPECT_TRUE(check.intact());
  auto written = [&writing] { return writing.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), written));
  EXPECT_TRUE(writing.value().ok());
}
TEST_P(StreamContract, AWriterWaitsForAReaderAndGoesOn) { run(&writer_waits); }

// --- ends

Task<void> half_close(Stream& first, Stream& other) {
  EXPECT_TRUE(co_await send_and_finish(first, 100));
  const Received request = co_await read_all(other);
  EXPECT_TRUE(request.ended);
  EXPECT_EQ(request.bytes, pattern(0, 100));
  EXPECT_EQ(other.write_side(), WriteSide::open);
  EXPECT_EQ(first.read_side(), ReadSide::open);
  co_await pause(first.loop(), milliseconds(5));
  auto sending = start(send_and_finish(other, 4 << 20));
  const PatternReceived answer = co_await receive_pattern(first);
  EXPECT_TRUE(answer.ended) << answer.error.text();
  EXPECT_TRUE(answer.check.intact());
  EXPECT_EQ(answer.check.bytes(), 4U << 20);
  auto sent = [&sending] { return sending.done(); };
  EXPECT_TRUE(co_await eventually(first.loop(), sent));
  EXPECT_TRUE(sending.value());
}
Task<void> half_close_a(StreamPair& p, const StreamTraits& /*traits*/) { co_await half_close(*p.a, *p.b); }
Task<void> half_close_b(StreamPair& p, const StreamTraits& /*traits*/) { co_await half_close(*p.b, *p.a); }
TEST_P(StreamContract, HalfCloseThenMegabytesTheOtherWay) {
  run(&half_close_a);
  run(&half_close_b);
}

Task<void> end_wakes_reader(StreamPair& p, const StreamTraits& /*traits*/) {
  auto reading = start(read_all(*p.b));
  co_await pause(p.loop(), milliseconds(2));
  EXPECT_FALSE(reading.done());
  Result<void> finished = co_await p.a->shutdown_write();
  EXPECT_TRUE(finished.ok());
  auto read = [&reading] { return reading.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), read));
  EXPECT_TRUE(reading.value().ended);
}
TEST_P(StreamContract, AnEndWakesAWaitingReader) { run(&end_wakes_reader, 20); }

Task<void> ends_stay(StreamPair& p, const StreamTraits& /*traits*/) {
  CountingObserver observer;
  p.a->on_reset(&observer);
  p.b->on_reset(&observer);
  EXPECT_TRUE(co_await send_and_finish(*p.a, 10));
  Result<void> again = co_await p.a->shutdown_write();
  EXPECT_TRUE(again.ok()) << "shutdown_write is idempotent";
  Buffer late("late");
  Result<void> refused = co_await p.a->write(late);
  EXPECT_FALSE(refused.ok()) << "a write after the end fails";
  const Received all = co_await read_all(*p.b);
  EXPECT_EQ(all.bytes, pattern(0, 10));
  for (int i = 0; i < 3; ++i) {
    const Received end = co_await read_all(*p.b);
    EXPECT_TRUE(end.ended);
    EXPECT_EQ(end.bytes, "");
  }
  EXPECT_TRUE(co_await send_and_finish(*p.b, 10));
  const Received other = co_await read_all(*p.a);
  EXPECT_TRUE(other.ended);
  co_await pause(p.loop(), milliseconds(20));
  EXPECT_EQ(observer.told, 0) << "both ends are no reset";
  EXPECT_EQ(p.a->read_side(), ReadSide::ended);
  EXPECT_EQ(p.b->read_side(), ReadSide::ended);
  p.a->on_reset(nullptr);
  p.b->on_reset(nullptr);
}
TEST_P(StreamContract, EndsStayAndAreNoReset) { run(&ends_stay); }

Task<void> close_delivers(StreamPair& p, const StreamTraits& /*traits*/) {
  // Destroying after shutdown_write() is a close: what was accepted is still delivered.
  auto sending = start(send_and_finish(*p.a, 50'000));
  auto first = start(read_exactly(*p.b, 1000));
  auto sent = [&sending] { return sending.done(); };
  auto read = [&first] { return first.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), read));
  const auto drain = start(receive_pattern(*p.b, 100));
  EXPECT_TRUE(co_await eventually(p.loop(), sent));
  p.a.reset();
  auto drained = [&drain] { return drain.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), drained));
  Started<PatternReceived> rest = drain;
  const PatternReceived received = rest.value();
  EXPECT_TRUE(received.ended) << received.error.text();
  EXPECT_EQ(received.check.bytes() + first.value().bytes.size(), 50'000U);
}
TEST_P(StreamContract, DestroyingAfterTheEndIsAClose) { run(&close_delivers, 5); }

Task<void> drop_resets(StreamPair& p, const StreamTraits& traits) {
  auto reading = start(read_all(*p.b));
  Result<void> sent = co_await send(*p.a, "unfinished");
  EXPECT_TRUE(sent.ok());
  p.a.reset();
  auto read = [&reading] { return reading.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), read));
  const Received received = reading.value();
  if (!traits.tells_cut) {
    EXPECT_TRUE(received.ended);
    EXPECT_TRUE(std::string("unfinished").starts_with(received.bytes));
    if (!traits.tells_close) co_return;
    EXPECT_EQ(received.bytes, "unfinished");
    auto refused = [&p] { return p.b->write_side() == WriteSide::refused; };
    EXPECT_TRUE(co_await eventually(p.loop(), refused));
    co_return;
  }
  EXPECT_FALSE(received.ended) << "a dropped stream must not look complete";
  EXPECT_TRUE(received.error);  // of whatever kind: a user-space pair hands the peer's own error on
  EXPECT_TRUE(std::string("unfinished").starts_with(received.bytes));
  EXPECT_EQ(p.b->read_side(), ReadSide::reset);
}
TEST_P(StreamContract, DestroyingBeforeTheEndIsAnAbort) { run(&drop_resets, 5); }

Task<void> drop_unread(StreamPair& p, const StreamTraits& traits) {
  if (!traits.tells_reset && !traits.tells_cut) co_return;  // two pipes have no way to say it
  // Where else a cut looks like an end: not if bytes of the peer's were unread.
  Result<void> unread = co_await send(*p.b, "nobody reads this");
  Result<void> sent = co_await send(*p.a, "unfinished");
  EXPECT_TRUE(unread.ok() && sent.ok());
  co_await pause(p.loop(), milliseconds(2));
  p.a.reset();
  const Received received = co_await read_all(*p.b);
  EXPECT_FALSE(received.ended);
  EXPECT_TRUE(std::string("unfinished").starts_with(received.bytes));
  EXPECT_EQ(p.b->read_side(), ReadSide::reset);
  EXPECT_EQ(p.b->write_side(), WriteSide::refused);
}
TEST_P(StreamContract, DestroyingWithBytesUnreadIsAnAbortToEveryPeer) { run(&drop_unread, 5); }

Task<void> unread_close(StreamPair& p, const StreamTraits& traits) {
  Result<void> unread = co_await send(*p.b, "nobody reads this");
  EXPECT_TRUE(unread.ok());
  EXPECT_TRUE(co_await send_and_finish(*p.a, 100));
  co_await pause(p.loop(), milliseconds(5));  // both have arrived
  p.a.reset();
  const Received received = co_await read_all(*p.b);
  EXPECT_EQ(received.ended, !traits.unread_close_resets);
  if (traits.unread_close_resets) {
    EXPECT_EQ(received.error.kind, Kind::reset);
  }
  // Either way nobody takes bytes any more.
  auto refused = [&p] { return p.b->write_side() == WriteSide::refused; };
  for (int i = 0; i < 3000 && !refused(); ++i) {
    (void)co_await send(*p.b, "x");
    co_await pause(p.loop(), milliseconds(1));
  }
  EXPECT_TRUE(refused());
}
TEST_P(StreamContract, ClosingWithBytesUnread) { run(&unread_close); }

Task<void> write_to_closed(StreamPair& p, const StreamTraits& traits) {
  CountingObserver observer;
  p.a->on_reset(&observer);
  EXPECT_TRUE(co_await send_and_finish(*p.b, 30));
  p.b.reset();
  // Where a close cannot be told it shows when bytes are refused.
  bool failed = false;
  for (int i = 0; i < 3000 && !failed; ++i) {
    Result<void> written = co_await send(*p.a, "x");
    failed = !written.ok();
    if (!failed) co_await pause(p.loop(), milliseconds(1));
    if (traits.tells_close) {
      EXPECT_TRUE(failed) << "a write after the peer's close fails at once";
    }
  }
  EXPECT_TRUE(failed);
  EXPECT_EQ(p.a->write_side(), WriteSide::refused);
  if (traits.tells_close) {
    EXPECT_EQ(observer.told, 1);
  }
  // Refused is not reset: what the peer had sent and its end are still read.
  const Received received = co_await read_all(*p.a);
  EXPECT_EQ(received.bytes, pattern(0, 30));
  if (!traits.late_bytes_reset) {
    EXPECT_TRUE(received.ended) << received.error.text();
    EXPECT_EQ(p.a->read_side(), ReadSide::ended);
  }
  p.a->on_reset(nullptr);
}
TEST_P(StreamContract, AClosedPeerRefusesBytesAndReadingGoesOn) { run(&write_to_closed); }

// --- aborts

Task<void> flush_and_abort(Stream& stream, std::uint64_t total) {
  Result<void> sent = co_await send_pattern(stream, total);
  EXPECT_TRUE(sent.ok());
  Result<void> flushed = co_await stream.flush(stream.loop().now() + seconds(10));
  EXPECT_TRUE(flushed.ok());
  stream.abort(Error(Kind::reset));
}
Task<void> flush_then_abort(StreamPair& p, const StreamTraits& traits) {
  auto sending = start(flush_and_abort(*p.a, 1 << 20));
  const PatternReceived received = co_await receive_pattern(*p.b);
  EXPECT_EQ(received.ended, !traits.tells_cut);
  if (traits.tells_cut) {
    EXPECT_EQ(received.error.kind, Kind::reset);
  }
  EXPECT_TRUE(received.check.intact());
  EXPECT_EQ(received.check.bytes(), 1U << 20);
  auto sent = [&sending] { return sending.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), sent));
}
TEST_P(StreamContract, FlushThenAbortLosesNothing) { run(&flush_then_abort, 3); }

Task<void> flush_deadline(StreamPair& p, const StreamTraits& traits) {
  Result<void> nothing = co_await p.a->flush(p.loop().now() + seconds(5));
  EXPECT_TRUE(nothing.ok());
  if (!traits.exact_high_mark) co_return;  // others have somewhere to put bytes nobody reads
  Result<void> sent = co_await send(*p.a, "x");
  EXPECT_TRUE(sent.ok());
  const TimePoint before = p.loop().now();
  Result<void> late = co_await p.a->flush(before + milliseconds(50));
  EXPECT_FALSE(late.ok());
  if (!late.ok()) {
    EXPECT_EQ(late.error().kind, Kind::timeout);
  }
  EXPECT_GE(p.loop().now() - before, milliseconds(50));
  const Received received = co_await read_exactly(*p.b, 1);
  EXPECT_EQ(received.bytes, "x");
}
TEST_P(StreamContract, FlushKeepsItsDeadline) { run(&flush_deadline); }

Task<void> abort_wakes(StreamPair& p, const StreamTraits& traits) {
  auto reading = start(read_exactly(*p.a, 1));
  auto writing = start(send_pattern(*p.a, 256U << 20, 65536));
  auto peer = start(read_exactly(*p.b, 100));
  auto peer_read = [&peer] { return peer.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), peer_read));
  co_await pause(p.loop(), milliseconds(5));
  EXPECT_FALSE(reading.done());
  p.a->abort(Error(Kind::shutdown, "now"));
  auto both = [&] { return reading.done() && writing.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), both));
  EXPECT_EQ(reading.value().error.kind, Kind::shutdown);
  const Result<void> written = writing.value();
  EXPECT_FALSE(written.ok());
  if (!written.ok()) {
    EXPECT_EQ(written.error().kind, Kind::shutdown);
  }
  EXPECT_EQ(p.a->read_side(), ReadSide::reset);
  EXPECT_EQ(p.a->write_side(), WriteSide::refused);
  p.a->abort(Error(Kind::timeout, "again"));
  EXPECT_EQ(p.a->error().kind, Kind::shutdown);
  Result<void> finished = co_await p.a->shutdown_write();
  EXPECT_FALSE(finished.ok());
  const Received after = co_await read_all(*p.a);
  EXPECT_FALSE(after.ended);
  const PatternReceived at_peer = co_await receive_pattern(*p.b);
  EXPECT_EQ(at_peer.ended, !traits.tells_cut);
}
TEST_P(StreamContract, AbortWakesReadAndWrite) { run(&abort_wakes, 5); }

Task<void> abort_wakes_flush(StreamPair& p, const StreamTraits& /*traits*/) {
  auto writing = start(send_pattern(*p.a, 256U << 20, 65536));
  co_await pause(p.loop(), milliseconds(5));
  if (writing.done()) co_return;
  // The write is pending; the peer's flush direction is free.
  auto flushing = start(p.b->flush(p.loop().now() + seconds(30)));
  p.a->abort(Error(Kind::shutdown));
  p.b->abort(Error(Kind::shutdown));
  auto done = [&] { return writing.done() && flushing.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), done));
}
TEST_P(StreamContract, AbortWakesAFlush) { run(&abort_wakes_flush, 3); }

Task<void> peer_abort(StreamPair& p, const StreamTraits& traits) {
  CountingObserver observer;
  p.b->on_reset(&observer);
  auto reading = start(read_all(*p.b));
  auto writing = start(send_pattern(*p.b, 256U << 20, 65536));
  co_await pause(p.loop(), milliseconds(2));
  EXPECT_EQ(observer.told, 0);
  p.a->abort(Error(Kind::reset));
  auto both = [&] { return reading.done() && writing.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), both));
  // Bytes were left unread, which tells a cut from an end wherever anything can.
  const bool told = traits.tells_cut || traits.tells_reset;
  EXPECT_EQ(reading.value().ended, !told);
  EXPECT_FALSE(writing.value().ok());
  EXPECT_EQ(p.b->read_side(), told ? ReadSide::reset : ReadSide::ended);
  EXPECT_EQ(p.b->write_side(), WriteSide::refused);
  EXPECT_EQ(p.b->error().kind, told ? Kind::reset : Kind::closed);
  if (traits.tells_reset) {
    EXPECT_EQ(observer.told, 1);
  }
  Result<void> finished = co_await p.b->shutdown_write();
  EXPECT_FALSE(finished.ok());
  co_await pause(p.loop(), milliseconds(5));
  EXPECT_LE(observer.told, 1);
  p.b->on_reset(nullptr);
}
TEST_P(StreamContract, APeersAbortWakesReadAndWrite) { run(&peer_abort, 5); }

Task<void> observed(StreamPair& p, const StreamTraits& traits) {
  CountingObserver disarmed;
  CountingObserver armed;
  p.b->on_reset(&disarmed);
  p.b->on_reset(&armed);
  p.a->abort(Error(Kind::reset));  // nobody has a call pending on b
  auto told = [&armed] { return armed.told > 0; };
  EXPECT_TRUE(co_await eventually(p.loop(), told));
  co_await pause(p.loop(), milliseconds(5));
  EXPECT_EQ(armed.told, 1);
  EXPECT_EQ(disarmed.told, 0);
  CountingObserver late;
  p.b->on_reset(&late);
  EXPECT_EQ(late.told, 1) << "who arms it late is told at once";
  const Received received = co_await read_all(*p.b);
  EXPECT_EQ(received.ended, !traits.tells_cut);
  EXPECT_EQ(late.told, 1);
  p.b->on_reset(nullptr);
}
TEST_P(StreamContract, TheObserverIsToldOnceWithoutACallPending) {
  if (!traits().tells_reset) return;  // the peer's reset then shows in a call, see APeersAbortWakesReadAndWrite
  run(&observed, 5);
}

Task<void> own_abort_is_no_news(StreamPair& p, const StreamTraits& /*traits*/) {
  CountingObserver observer;
  p.a->on_reset(&observer);
  p.a->abort(Error(Kind::cancelled));
  co_await pause(p.loop(), milliseconds(5));
  EXPECT_EQ(observer.told, 0);
  p.a->on_reset(nullptr);
}
TEST_P(StreamContract, OnesOwnAbortIsNoNews) { run(&own_abort_is_no_news); }

Task<void> abort_inside(StreamPair& p, const StreamTraits& /*traits*/) {
  CountingObserver observer;
  observer.abort_inside = true;
  p.b->on_reset(&observer);
  auto reading = start(read_all(*p.b));
  p.a->abort(Error(Kind::reset));
  auto read = [&reading] { return reading.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), read));
  EXPECT_FALSE(reading.value().ended);
  EXPECT_EQ(observer.told, 1);
  p.b->on_reset(nullptr);
}
TEST_P(StreamContract, AbortFromInsideAnObserver) {
  if (!traits().tells_reset) return;  // the peer's reset then shows in a call, see APeersAbortWakesReadAndWrite
  run(&abort_inside, 5);
}

Task<void> reset_after_end(StreamPair& p, const StreamTraits& /*traits*/) {
  EXPECT_TRUE(co_await send_and_finish(*p.a, 10));
  const Received all = co_await read_all(*p.b);
  EXPECT_TRUE(all.ended);
  p.a->abort(Error(Kind::reset));
  co_await pause(p.loop(), milliseconds(5));
  const Received again = co_await read_all(*p.b);
  EXPECT_TRUE(again.ended) << "an end that was read stays one";
  EXPECT_EQ(p.b->read_side(), ReadSide::ended);
  bool failed = false;
  for (int i = 0; i < 3000 && !failed; ++i) {
    Result<void> written = co_await send(*p.b, "x");
    failed = !written.ok();
    co_await pause(p.loop(), milliseconds(1));
  }
  EXPECT_TRUE(failed);
  EXPECT_EQ(p.b->write_side(), WriteSide::refused);
}
TEST_P(StreamContract, AResetAfterTheEndLeavesTheEnd) { run(&reset_after_end); }

// Before, at and after the call, for each call that may wait.
Task<void> cut_reads(StreamPair& p, const StreamTraits& /*traits*/) {
  auto cutting = start(abort_after(*p.b, milliseconds(3)));
  const Received cut = co_await read_exactly(*p.b, 1);
  EXPECT_FALSE(cut.ended);
  EXPECT_EQ(cut.error.kind, Kind::timeout);
  const Received after = co_await read_exactly(*p.b, 1);
  EXPECT_EQ(after.error.kind, Kind::timeout);
  EXPECT_TRUE(cutting.done());
}
Task<void> cut_writes(StreamPair& p, const StreamTraits& /*traits*/) {
  auto cutting = start(abort_after(*p.a, milliseconds(3)));
  Result<void> cut = co_await send_pattern(*p.a, 256U << 20, 65536);
  EXPECT_FALSE(cut.ok());
  if (!cut.ok()) {
    EXPECT_EQ(cut.error().kind, Kind::timeout);
  }
  Result<void> after = co_await send(*p.a, "x");
  EXPECT_FALSE(after.ok());
  EXPECT_TRUE(cutting.done());
}
Task<void> cut_before(StreamPair& p, const StreamTraits& /*traits*/) {
  p.a->abort(Error(Kind::timeout));
  const Received read = co_await read_exactly(*p.a, 1);
  EXPECT_EQ(read.error.kind, Kind::timeout);
  Result<void> written = co_await send(*p.a, "x");
  EXPECT_FALSE(written.ok());
  Result<void> flushed = co_await p.a->flush(p.loop().now() + seconds(5));
  EXPECT_FALSE(flushed.ok());
}
Task<void> cut_at_once(StreamPair& p, const StreamTraits& /*traits*/) {
  auto reading = start(read_exactly(*p.a, 1));
  auto cutting = start(abort_after(*p.a, Duration::zero()));
  auto both = [&] { return reading.done() && cutting.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), both));
  EXPECT_EQ(reading.value().error.kind, Kind::timeout);
}
TEST_P(StreamContract, AbortByTheClock) {
  run(&cut_reads);
  run(&cut_writes);
  run(&cut_before);
  run(&cut_at_once);
}

Task<void> race(StreamPair& p, const StreamTraits& traits, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto a_writes = start(dribble(*p.a, 1 << 20, seed));
  auto b_writes = start(dribble(*p.b, 1 << 20, seed + 1));
  auto a_reads = start(receive_pattern(*p.a, 1 + random() % 5000));
  auto b_reads = start(receive_pattern(*p.b, 1 + random() % 5000));
  co_await pause(p.loop(), std::chrono::microseconds(random() % 3000));
  for (std::uint64_t i = random() % 200; i > 0; --i) co_await yield(p.loop());
  Stream& one = random() % 2 == 0 ? *p.a : *p.b;
  one.abort(Error(Kind::timeout));
  auto all = [&] { return a_writes.done() && b_writes.done() && a_reads.done() && b_reads.done(); };
  EXPECT_TRUE(co_await eventually(p.loop(), all)) << "a call hangs after an abort";
  if (!all()) co_return;
  const PatternReceived at_a = a_reads.value();
  const PatternReceived at_b = b_reads.value();
  EXPECT_TRUE(at_a.check.intact() && at_b.check.intact());
  if (at_a.ended && traits.tells_cut) {
    EXPECT_EQ(at_a.check.bytes(), 1U << 20);
  }
  if (at_b.ended && traits.tells_cut) {
    EXPECT_EQ(at_b.check.bytes(), 1U << 20);
  }
}
TEST_P(StreamContract, RacyReadsWritesAndAnAbort) {
  for (std::uint64_t i = 0; i < 30 && !HasFailure(); ++i) {
    SCOPED_TRACE(i);
    std::unique_ptr<StreamPair> pair = traits().make(seed() + i);
    if (!pair->run(race(*pair, traits(), seed() * 1000 + i))) {
      ADD_FAILURE() << "the case hangs";
      (void)pair.release();
      return;
    }
    pair->a.reset();
    pair->b.reset();
    EXPECT_TRUE(pair->clean());
  }
}

// --- the closing table, cell by cell: read side x write side, how it is reached and what each verb then does

struct Cell {
  ReadSide read;
  WriteSide write;
};
Task<void> expect_cell(Stream& stream, Cell cell) {
  EXPECT_EQ(stream.read_side(), cell.read);
  EXPECT_EQ(stream.write_side(), cell.write);
  Result<void> written = co_await send(stream, "w");
  EXPECT_EQ(written.ok(), cell.write == WriteSide::open);
  if (cell.read != ReadSide::open) {
    const Received received = co_await read_all(stream);
    EXPECT_EQ(received.ended, cell.read == ReadSide::ended);
    EXPECT_EQ(received.bytes, "");
  }
  EXPECT_EQ(stream.read_side(), cell.read);
  EXPECT_EQ(stream.write_side(), cell.write);
  if (cell.write == WriteSide::finished) {
    Result<void> finished = co_await stream.shutdown_write();
    EXPECT_TRUE(finished.ok());
  }
}
Task<void> open_open(StreamPair& p, const StreamTraits& /*traits*/) {
  co_await expect_cell(*p.a, {ReadSide::open, WriteSide::open});
  const Received received = co_await read_exactly(*p.b, 1);
  EXPECT_EQ(received.bytes, "w");
}
Task<void> open_finished(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> finished = co_await p.a->shutdown_write();
  EXPECT_TRUE(finished.ok());
  co_await expect_cell(*p.a, {ReadSide::open, WriteSide::finished});
  Result<void> sent = co_await send(*p.b, "still");
  EXPECT_TRUE(sent.ok());
  const Received received = co_await read_exactly(*p.a, 5);
  EXPECT_EQ(received.bytes, "still");
}
Task<void> ended_open(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> finished = co_await p.b->shutdown_write();
  EXPECT_TRUE(finished.ok());
  const Received end = co_await read_all(*p.a);
  EXPECT_TRUE(end.ended);
  co_await expect_cell(*p.a, {ReadSide::ended, WriteSide::open});
  const Received received = co_await read_exactly(*p.b, 1);
  EXPECT_EQ(received.bytes, "w");
}
Task<void> ended_finished(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> first = co_await p.b->shutdown_write();
  Result<void> second = co_await p.a->shutdown_write();
  EXPECT_TRUE(first.ok() && second.ok());
  const Received end = co_await read_all(*p.a);
  EXPECT_TRUE(end.ended);
  co_await expect_cell(*p.a, {ReadSide::ended, WriteSide::finished});
}
Task<void> reset_refused(StreamPair& p, const StreamTraits& traits) {
  if (!traits.tells_cut) {
    Result<void> unread = co_await send(*p.a, "unread");
    EXPECT_TRUE(unread.ok());
  }
  p.b->abort(Error(Kind::reset));
  const Received cut = co_await read_all(*p.a);
  EXPECT_FALSE(cut.ended);
  co_await expect_cell(*p.a, {ReadSide::reset, WriteSide::refused});
}
Task<void> reset_finished(StreamPair& p, const StreamTraits& traits) {
  if (!traits.tells_cut) {
    Result<void> unread = co_await send(*p.a, "unread");
    EXPECT_TRUE(unread.ok());
  }
  Result<void> finished = co_await p.a->shutdown_write();
  EXPECT_TRUE(finished.ok());
  if (traits.tells_cut) {
    const Received end = co_await read_all(*p.b);
    EXPECT_TRUE(end.ended);
  }
  p.b->abort(Error(Kind::reset));
  const Received cut = co_await read_all(*p.a);
  EXPECT_FALSE(cut.ended);
  co_await expect_cell(*p.a, {ReadSide::reset, WriteSide::finished});
}
Task<void> ended_refused(StreamPair& p, const StreamTraits& /*traits*/) {
  Result<void> finished = co_await p.b->shutdown_write();
  EXPECT_TRUE(finished.ok());
  const Received end = co_await read_all(*p.a);
  EXPECT_TRUE(end.ended);
  p.b.reset();
  Result<void> written = co_await send(*p.a, "x");
  for (int i = 0; i < 3000 && written.ok(); ++i) {
    co_await pause(p.loop(), milliseconds(1));
    written = co_await send(*p.a, "x");
  }
  co_await expect_cell(*p.a, {ReadSide::ended, WriteSide::refused});
}
Task<void> open_refused(StreamPair& p, const StreamTraits& traits) {
  // The peer has gone in order and we have not read yet.
  EXPECT_TRUE(co_await send_and_finish(*p.b, 10));
  p.b.reset();
  Result<void> written = co_await send(*p.a, "x");
  for (int i = 0; i < 3000 && written.ok(); ++i) {
    co_await pause(p.loop(), milliseconds(1));
    written = co_await send(*p.a, "x");
  }
  co_await expect_cell(*p.a, {ReadSide::open, WriteSide::refused});
  const Received rest = co_await read_all(*p.a);
  EXPECT_EQ(rest.bytes, pattern(0, 10));
  EXPECT_TRUE(rest.ended || traits.late_bytes_reset);
}
TEST_P(StreamContract, ClosingTable) {
  struct Row {
    const char* name;
    Case reach;
    bool by_reset = false;
  };
  for (const Row& row :
       {Row{"open, open", &open_open}, Row{"open, finished", &open_finished}, Row{"open, refused", &open_refused},
        Row{"ended, open", &ended_open}, Row{"ended, finished", &ended_finished}, Row{"ended, refused", &ended_refused},
        Row{"reset, finished", &reset_finished, true}, Row{"reset, refused", &reset_refused, true}}) {
    if (row.by_reset && !traits().tells_cut) continue;
    SCOPED_TRACE(row.name);
    run(row.reach);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, StreamContract,
                         testing::Combine(testing::ValuesIn(all_stream_kinds()), testing::Values<std::uint64_t>(0, 7)),
                         [](const testing::TestParamInfo<StreamContract::ParamType>& one) {
                           return std::get<0>(one.param).name + "Seed" + std::to_string(std::get<1>(one.param));
                         });

}  // namespace
}  // namespace tunnel::test
