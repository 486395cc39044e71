// SPDX-License-Identifier: Apache-2.0
// What a unix socket does otherwise than a TCP one: no reset of its own, a close that is told at once, descriptors in
// the stream. The plain end of each pair is a bare blocking descriptor, used as the other program would.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "stream/socket_stream.hpp"
#include "support/loop_await.hpp"
#include "support/pattern.hpp"
#include "support/socket_fixture.hpp"
#include "support/tcp_pair.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::pattern;
using test::read_all;
using test::read_exactly;
using test::Received;
using test::send_pattern;
using Kind = Error::Kind;

class LocalSockets : public test::SocketFixture {
 protected:
  LocalSockets() : SocketFixture(test::local_socket_pair(), SocketKind::local) {}

  template <class T>
  T run(Task<T> task) {
    return test::await_on(loop, std::move(task));
  }
  // The loop hears of what the peer did: it looks at the sockets once at least.
  void settle() { test::serve_for(loop, milliseconds(1)); }
  Result<void> write(std::string_view bytes) { return run(test::send(*stream, std::string(bytes))); }
};

TEST_F(LocalSockets, AClosedPeerIsToldAtOnceAndWhatItSentIsWhole) {
  peer_sends("all of it");
  peer.reset(-1);
  settle();
  EXPECT_EQ(observer.told, 1);
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  EXPECT_EQ(stream->error().kind, Kind::closed);
  const Received received = run(read_all(*stream));
  EXPECT_EQ(received.bytes, "all of it");
  EXPECT_TRUE(received.ended);
}

TEST_F(LocalSockets, AHalfClosedPeerStillTakesBytes) {
  ::shutdown(peer.get(), SHUT_WR);
  settle();
  EXPECT_EQ(observer.told, 0);
  EXPECT_TRUE(run(read_all(*stream)).ended);
  EXPECT_TRUE(write("answer").ok());
  std::array<char, 6> got{};
  EXPECT_EQ(::recv(peer.get(), got.data(), got.size(), MSG_WAITALL), 6);
}

TEST_F(LocalSockets, APeerThatReadsNoMoreRefusesBytesAndIsStillRead) {
  ::shutdown(peer.get(), SHUT_RD);
  EXPECT_FALSE(write("x").ok());
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  peer_sends("still here");
  EXPECT_EQ(run(read_exactly(*stream, 10)).bytes, "still here");
}

TEST_F(LocalSockets, AClosedPeerThatHadNotReadAllIsAResetBehindItsBytes) {
  ASSERT_TRUE(write("unread").ok());
  peer_sends("cut");
  peer.reset(-1);
  const Received received = run(read_all(*stream));
  EXPECT_EQ(received.bytes, "cut");
  EXPECT_FALSE(received.ended);
  EXPECT_EQ(received.error.kind, Kind::reset);
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  settle();
  EXPECT_EQ(observer.told, 1);
}

// The same, seen first by a write, which fails with EPIPE only.
TEST_F(LocalSockets, AWriteTellsAResetFromAClose) {
  ASSERT_TRUE(write("unread").ok());
  peer.reset(-1);
  EXPECT_FALSE(write("x").ok());
  EXPECT_EQ(stream->error().kind, Kind::reset);
  const Received received = run(read_all(*stream));
  EXPECT_FALSE(received.ended);
}

// As with TCP: what a peer sent before it finished is whole, whatever it left unread.
TEST_F(LocalSockets, APeerThatFinishedBeforeItClosedIsWhole) {
  ASSERT_TRUE(write("unread").ok());
  peer_sends("good download");
  ::shutdown(peer.get(), SHUT_WR);
  settle();
  peer.reset(-1);
  settle();
  EXPECT_EQ(observer.told, 1);
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  const Received received = run(read_all(*stream));
  EXPECT_EQ(received.bytes, "good download");
  EXPECT_TRUE(received.ended) << received.error.text();
}

TEST_F(LocalSockets, BothEndsAreNoReset) {
  EXPECT_TRUE(run(stream->shutdown_write()).ok());
  peer.reset(-1);
  settle();
  EXPECT_EQ(observer.told, 0);
  EXPECT_EQ(stream->write_side(), WriteSide::finished);
  EXPECT_TRUE(run(read_all(*stream)).ended);
}

TEST_F(LocalSockets, AnAbortIsSeenAtOnceAndTakesTheDescriptor) {
  const std::size_t before = test::open_descriptors();
  peer_sends("unread");
  settle();
  stream->abort(Error(Kind::shutdown, "now"));
  EXPECT_EQ(test::open_descriptors(), before - 1);
  char byte = 0;
  EXPECT_EQ(::recv(peer.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_FALSE(write("x").ok());
  settle();
  EXPECT_EQ(observer.told, 0);
}

// A descriptor made after the abort may get the number of the old one: it must not be deregistered with it.
TEST_F(LocalSockets, AnAbortedOneLetsGoOfItsNumber) {
  stream->abort(Error(Kind::shutdown, "now"));
  auto [ours, theirs] = test::local_socket_pair();
  const Fd far(theirs);
  SocketStream next(loop, counters, ours, SocketKind::local);
  stream.reset();
  ASSERT_EQ(::send(far.get(), "x", 1, 0), 1);
  EXPECT_EQ(run(read_exactly(next, 1)).bytes, "x");
  ASSERT_EQ(::send(far.get(), "y", 1, 0), 1);
  EXPECT_EQ(run(read_exactly(next, 1)).bytes, "y");
}

TEST_F(LocalSockets, FlushedBytesOutliveUs) {
  // More than the kernel takes at once, and nobody has read it when flush() returns.
  EXPECT_TRUE(run(send_pattern(*stream, 100'000)).ok());
  EXPECT_TRUE(run(stream->flush(loop.now() + seconds(5))).ok());
  stream->abort(Error(Kind::reset));
  std::string got;
  std::string piece(65536, '\0');
  for (ssize_t n = 0; (n = ::recv(peer.get(), piece.data(), piece.size(), 0)) > 0;)
    got.append(piece, 0, static_cast<std::size_t>(n));
  EXPECT_EQ(got, pattern(0, 100'000));
}

// The kernel ends a read behind bytes that came with descriptors, although more bytes wait.
TEST_F(LocalSockets, BytesBehindAPassedDescriptorAreRead) {
  const std::size_t before = test::open_descriptors();
  const std::string text = "with a descriptor";
  iovec piece{const_cast<char*>(text.data()), text.size()};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int passed = STDERR_FILENO;
  std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
  ASSERT_EQ(::sendmsg(peer.get(), &message, 0), static_cast<ssize_t>(text.size()));
  peer_sends(", and more");
  EXPECT_EQ(run(read_exactly(*stream, text.size() + 10)).bytes, text + ", and more");
  EXPECT_EQ(test::open_descriptors(), before) << "a descriptor somebody passes is not kept";
}

TEST_F(LocalSockets, UrgentBytesStayInTheStream) {
  if (::send(peer.get(), "a!", 2, MSG_OOB) != 2) GTEST_SKIP() << "this kernel has no urgent bytes on unix sockets";
  peer_sends("b");
  EXPECT_EQ(run(read_exactly(*stream, 3)).bytes, "a!b");
  EXPECT_EQ(observer.told, 0);
}

}  // namespace
}  // namespace tunnel
