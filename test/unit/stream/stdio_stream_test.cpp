// SPDX-License-Identifier: Apache-2.0
// What the contract suite cannot know of standard input and output: files, devices, terminals, readers that go, and
// that the descriptors stay as they were. The other ends are bare descriptors, used as another program would.
#include "stream/stdio_stream.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "support/loop_await.hpp"
#include "support/pattern.hpp"
#include "support/reset_counter.hpp"

namespace tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::await_on;
using test::pattern;
using test::PatternReceived;
using test::read_all;
using test::read_exactly;
using test::receive_pattern;
using test::Received;
using test::send;
using test::send_pattern;
using Kind = Error::Kind;

Fd checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return Fd(fd);
}

Fd opened(const char* path, int flags) { return checked(::open(path, flags | O_CLOEXEC | O_NOCTTY), path); }

// Read end, write end.
std::pair<Fd, Fd> a_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return {Fd(fds[0]), Fd(fds[1])};
}

std::string read_file(int fd) {
  std::string bytes;
  std::string piece(65536, '\0');
  for (ssize_t n = ::pread(fd, piece.data(), piece.size(), 0); n > 0;
       n = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(bytes.size())))
    bytes.append(piece, 0, static_cast<std::size_t>(n));
  return bytes;
}

std::string read_to_end(int fd) {
  std::string bytes;
  std::string piece(65536, '\0');
  for (ssize_t n = ::read(fd, piece.data(), piece.size()); n > 0; n = ::read(fd, piece.data(), piece.size()))
    bytes.append(piece, 0, static_cast<std::size_t>(n));
  return bytes;
}

bool is_blocking(const Fd& fd) { return (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) == 0; }

std::size_t threads() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/task");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

Task<bool> wait_until(Loop& loop, std::function<bool()> wanted) {
  for (int i = 0; i < 10'000 && !wanted(); ++i) co_await Sleep(loop, loop.now() + milliseconds(1));
  co_return wanted();
}

Task<Result<void>> send_pattern_and_finish(Stream& to, std::uint64_t total) {
  Result<void> sent = co_await send_pattern(to, total);
  if (!sent.ok()) co_return sent;
  co_return co_await to.shutdown_write();
}

class Stdio : public testing::Test {
 protected:
  void make(Fd input, Fd output) {
    stream = std::make_unique<StdioStream>(loop, context, std::move(input), std::move(output));
    stream->on_reset(&observer);
  }
  // Ours and the caller's descriptor of one end.
  static Fd shared(const Fd& fd) { return checked(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3), "dup"); }
  template <class T>
  T await(Task<T> task) {
    return await_on(loop, std::move(task));
  }

  Limits limits;
  Counters counters;
  EpollLoop loop;
  Context context{loop, counters, limits};
  test::ResetCounter observer;
  std::unique_ptr<StdioStream> stream;
};

TEST_F(Stdio, FilesBothWays) {
  char input_name[] = "/tmp/stdio-test-XXXXXX";
  char output_name[] = "/tmp/stdio-test-XXXXXX";
  const Fd input = checked(::mkstemp(input_name), "mkstemp");
  const Fd output = checked(::mkstemp(output_name), "mkstemp");
  ::unlink(input_name);
  ::unlink(output_name);
  const std::string bytes = pattern(0, 1 << 20);
  ASSERT_EQ(::write(input.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ::lseek(input.get(), 0, SEEK_SET);
  ASSERT_EQ(::write(output.get(), "before", 6), 6);
  make(shared(input), shared(output));
  const PatternReceived received = await(receive_pattern(*stream));
  EXPECT_TRUE(received.ended && received.check.intact());
  EXPECT_EQ(received.check.bytes(), bytes.size());
  EXPECT_TRUE(await(send_pattern_and_finish(*stream, bytes.size())).ok());
  EXPECT_EQ(read_file(output.get()), "before" + bytes) << "it goes on where the caller was";
  EXPECT_EQ(observer.told, 0);
}

TEST_F(Stdio, DevicesThatSayNothingAndTakeEverything) {
  make(opened("/dev/null", O_RDONLY), opened("/dev/null", O_WRONLY));
  const Received nothing = await(read_all(*stream));
  EXPECT_TRUE(nothing.ended);
  EXPECT_EQ(nothing.bytes, "");
  EXPECT_TRUE(await(send_pattern_and_finish(*stream, 1 << 20)).ok());
}

TEST_F(Stdio, ADeviceThatNeverEndsIsReadAheadBoundedly) {
  make(opened("/dev/zero", O_RDONLY), opened("/dev/null", O_WRONLY));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(await(read_exactly(*stream, 65536)).bytes.size(), 65536U);
  stream->abort(Error(Kind::cancelled));
}

TEST_F(Stdio, AFullDiskRefusesAndSaysSo) {
  auto [input, keep] = a_pipe();
  make(std::move(input), opened("/dev/full", O_WRONLY));
  const Result<void> written = await(send_pattern(*stream, 10 << 20));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().text(), "standard output: No space left on device");
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  EXPECT_EQ(stream->read_side(), ReadSide::reset);
  EXPECT_EQ(observer.told, 1);
}

TEST_F(Stdio, AFullDiskIsNoOrderlyEndEvenAfterTheInputs) {
  make(opened("/dev/null", O_RDONLY), opened("/dev/full", O_WRONLY));
  EXPECT_TRUE(await(read_all(*stream)).ended);
  EXPECT_FALSE(await(send_pattern_and_finish(*stream, 10)).ok());
  EXPECT_EQ(stream->read_side(), ReadSide::reset);
}

TEST_F(Stdio, ABadInputIsAReset) {
  auto [reader, output] = a_pipe();
  make(opened("/", O_RDONLY | O_DIRECTORY), std::move(output));
  const Received received = await(read_all(*stream));
  EXPECT_FALSE(received.ended);
  EXPECT_EQ(received.error.text(), "standard input: Is a directory");
  EXPECT_EQ(stream->read_side(), ReadSide::reset);
}

TEST_F(Stdio, PipesStayBlockingAndAreLeftToOthers) {
  auto [input, writer] = a_pipe();
  auto [reader, output] = a_pipe();
  make(shared(input), shared(output));
  ASSERT_EQ(::write(writer.get(), "one", 3), 3);
  EXPECT_EQ(await(read_exactly(*stream, 3)).bytes, "one");
  EXPECT_TRUE(await(send(*stream, "two")).ok());
  std::string two(3, ' ');
  EXPECT_EQ(::read(reader.get(), two.data(), 3), 3);
  EXPECT_EQ(two, "two");
  EXPECT_TRUE(is_blocking(input) && is_blocking(output));
  stream.reset();
  EXPECT_TRUE(is_blocking(input) && is_blocking(output));
  ASSERT_EQ(::write(writer.get(), "rest", 4), 4);
  std::string rest(4, ' ');
  EXPECT_EQ(::read(input.get(), rest.data(), 4), 4) << "it went on reading";
}

TEST_F(Stdio, NonBlockingDescriptorsWorkToo) {
  auto [input, writer] = a_pipe();
  auto [reader, output] = a_pipe();
  ASSERT_EQ(::fcntl(input.get(), F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(::fcntl(output.get(), F_SETFL, O_NONBLOCK), 0);
  make(shared(input), shared(output));
  std::thread peer([in = reader.get(), out = writer.get()] {
    const std::string bytes = read_to_end(in);
    (void)!::write(out, bytes.data(), 10);
  });
  EXPECT_TRUE(await(send_pattern_and_finish(*stream, 1 << 20)).ok());
  output.reset(-1);
  EXPECT_EQ(await(read_exactly(*stream, 10)).bytes, pattern(0, 10));
  peer.join();
  EXPECT_FALSE(is_blocking(input)) << "the caller's choice stays";
}

TEST_F(Stdio, ATerminalKeepsItsSettings) {
  int master = -1;
  int slave = -1;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  const Fd user(master);
  const Fd terminal(slave);
  termios before{};
  ASSERT_EQ(::tcgetattr(terminal.get(), &before), 0);
  make(shared(terminal), shared(terminal));
  ASSERT_EQ(::write(user.get(), "line\n", 5), 5);
  EXPECT_EQ(await(read_exactly(*stream, 5)).bytes, "line\n");
  EXPECT_TRUE(await(send(*stream, "answer")).ok());
  std::string seen(64, '\0');
  while (seen.find("answer") == std::string::npos) {
    std::string piece(64, '\0');
    ASSERT_GT(::read(user.get(), piece.data(), piece.size()), 0);
    seen += piece;
  }
  ASSERT_EQ(::write(user.get(), "\x04", 1), 1);  // Ctrl-D
  EXPECT_TRUE(await(read_all(*stream)).ended);
  EXPECT_TRUE(await(stream->shutdown_write()).ok());
  EXPECT_TRUE(is_blocking(terminal));
  stream.reset();
  termios after{};
  ASSERT_EQ(::tcgetattr(terminal.get(), &after), 0);
  EXPECT_EQ(std::memcmp(&before, &after, sizeof before), 0);
  EXPECT_TRUE(is_blocking(terminal));
}

TEST_F(Stdio, AFinishedSocketIsShutDownForItsOtherHoldersToo) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  const Fd peer(fds[0]);
  const Fd caller(fds[1]);
  make(opened("/dev/null", O_RDONLY), shared(caller));
  EXPECT_TRUE(await(send_pattern_and_finish(*stream, 1000)).ok());
  EXPECT_EQ(read_to_end(peer.get()), pattern(0, 1000));
}

TEST_F(Stdio, ASlowReaderGetsEverythingBeforeTheEndIsDone) {
  constexpr std::size_t kTotal = 400'000;
  auto [reader, output] = a_pipe();
  make(opened("/dev/null", O_RDONLY), std::move(output));
  std::string bytes;
  std::thread slow([fd = reader.get(), &bytes] {
    std::string piece(20'000, '\0');
    for (ssize_t n = ::read(fd, piece.data(), piece.size()); n > 0; n = ::read(fd, piece.data(), piece.size())) {
      bytes.append(piece, 0, static_cast<std::size_t>(n));
      std::this_thread::sleep_for(milliseconds(2));
    }
  });
  EXPECT_TRUE(await(send_pattern_and_finish(*stream, kTotal)).ok());
  EXPECT_EQ(stream->write_side(), WriteSide::finished);
  stream.reset();
  slow.join();
  EXPECT_EQ(bytes, pattern(0, kTotal));
}

TEST_F(Stdio, AReaderThatTakesNothingFailsTheEnd) {
  limits.write_time = milliseconds(50);
  auto [reader, output] = a_pipe();
  make(opened("/dev/null", O_RDONLY), std::move(output));
  ASSERT_TRUE(await(send_pattern(*stream, 100'000)).ok());
  const Result<void> finished = await(stream->shutdown_write());
  ASSERT_FALSE(finished.ok());
  EXPECT_EQ(finished.error().kind, Kind::timeout);
  EXPECT_EQ(counters.value(Counter::write_timeouts), 1U);
  stream->abort(finished.error());
}

TEST_F(Stdio, BothSidesClosedIsTold) {
  auto [input, writer] = a_pipe();
  auto [reader, output] = a_pipe();
  make(std::move(input), std::move(output));
  ASSERT_EQ(::write(writer.get(), "last", 4), 4);
  writer.reset(-1);
  const Received received = await(read_all(*stream));
  EXPECT_TRUE(received.ended);
  EXPECT_EQ(observer.told, 0) << "one side";
  reader.reset(-1);
  EXPECT_TRUE(await(wait_until(loop, [this] { return observer.told > 0; })));
  EXPECT_EQ(observer.told, 1);
  EXPECT_EQ(stream->error().kind, Kind::closed);
  EXPECT_EQ(stream->read_side(), ReadSide::ended);
  EXPECT_EQ(stream->write_side(), WriteSide::refused);
  test::ResetCounter late;
  stream->on_reset(&late);
  EXPECT_EQ(late.told, 1);
}

TEST_F(Stdio, WithoutAReaderTheInputIsStillReadToItsEnd) {
  auto [input, writer] = a_pipe();
  auto [reader, output] = a_pipe();
  reader.reset(-1);
  make(std::move(input), std::move(output));
  EXPECT_TRUE(await(wait_until(loop, [this] { return stream->write_side() == WriteSide::refused; })));
  EXPECT_EQ(observer.told, 0) << "an upload nobody answers";
  ASSERT_EQ(::write(writer.get(), "upload", 6), 6);
  EXPECT_EQ(await(read_exactly(*stream, 6)).bytes, "upload");
  writer.reset(-1);
  EXPECT_TRUE(await(read_all(*stream)).ended);
  EXPECT_EQ(observer.told, 1);
}

TEST_F(Stdio, AnAnswerWithoutAReaderEndsTheSessionAfterTheLinger) {
  limits.linger_time = milliseconds(50);
  auto [input, writer] = a_pipe();
  auto [reader, output] = a_pipe();
  make(std::move(input), std::move(output));
  reader.reset(-1);
  Result<void> written = await(send(*stream, "answer"));
  while (written.ok()) {
    await(wait_until(loop, [this] { return stream->write_side() == WriteSide::refused; }));
    written = await(send(*stream, "answer"));
  }
  EXPECT_EQ(written.error().text(), "standard output was closed by its reader");
  ASSERT_EQ(::write(writer.get(), "late", 4), 4);
  const Received received = await(read_all(*stream));
  EXPECT_EQ(received.bytes, "late") << "what comes within the linger time is read";
  EXPECT_FALSE(received.ended);
  EXPECT_EQ(received.error.kind, Kind::closed);
  EXPECT_EQ(stream->read_side(), ReadSide::reset);
  EXPECT_EQ(observer.told, 1);
}

TEST_F(Stdio, AnAbortClosesBothDescriptors) {
  auto [input, writer] = a_pipe();
  auto [reader, output] = a_pipe();
  make(std::move(input), std::move(output));
  stream->abort(Error(Kind::cancelled));
  EXPECT_EQ(read_to_end(reader.get()), "");
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_TRUE(await(wait_until(loop, [fd = writer.get()] { return ::write(fd, "x", 1) < 0 && errno == EPIPE; })));
}

TEST_F(Stdio, ThreadsAndDescriptorsGoWithTheStream) {
  // Threads of the cases before this one end by themselves: until none has for a hundred looks.
  std::size_t before = threads();
  int same = 0;
  EXPECT_TRUE(await(wait_until(loop, [&before, &same] {
    const std::size_t now = threads();
    same = now == before ? same + 1 : 0;
    before = now;
    return same >= 100;
  })));
  const std::size_t descriptors = test::open_descriptors();
  {
    auto [input, writer] = a_pipe();
    auto [reader, output] = a_pipe();
    make(std::move(input), std::move(output));
    EXPECT_EQ(threads(), before + 2);
    stream.reset();
    EXPECT_TRUE(await(wait_until(loop, [before] { return threads() == before; })));
  }
  EXPECT_TRUE(await(wait_until(loop, [descriptors] { return test::open_descriptors() == descriptors; })));
}

}  // namespace
}  // namespace tunnel
