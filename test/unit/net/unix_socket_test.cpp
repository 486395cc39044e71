// SPDX-License-Identifier: Apache-2.0
// Unix sockets against the kernel: files with their modes, stale and foreign ones, connecting, accepting.
#include "net/unix_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "net/listener.hpp"
#include "net/unix_address.hpp"
#include "support/loop_await.hpp"
#include "support/tcp_peer.hpp"
#include "support/temporary_folder.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

Fd socket_of(int type = SOCK_STREAM) { return Fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

Fd bound_to(const std::string& path, int type = SOCK_STREAM) {
  const net::UnixAddress address = net::unix_address(path);
  Fd fd = socket_of(type);
  EXPECT_EQ(::bind(fd.get(), address.data(), address.length), 0) << path;
  return fd;
}

Fd connect_to(const std::string& path) {
  const net::UnixAddress address = net::unix_address(path);
  Fd fd = socket_of();
  if (::connect(fd.get(), address.data(), address.length) != 0) fd.reset(-1);
  return fd;
}

unsigned mode_of(const std::string& path) {
  struct stat file{};
  EXPECT_EQ(::lstat(path.c_str(), &file), 0) << path;
  return file.st_mode & 07777U;
}

class WithUmask {
 public:
  explicit WithUmask(mode_t mask) : before_(::umask(mask)) {}
  WithUmask(const WithUmask&) = delete;
  WithUmask& operator=(const WithUmask&) = delete;
  ~WithUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

struct BindUnix : testing::Test {
  static std::string refusal(const std::string& to) {
    const Result<net::BoundUnix> bound = net::bind_unix({to});
    return bound.ok() ? "bound" : std::string(bound.error().text());
  }
  static std::string cannot(const std::string& to, const std::string& why) {
    return "cannot listen on unix:" + to + ": " + why;
  }
  test::TemporaryFolder folder;
  std::string path = folder / "a.sock";
};

TEST_F(BindUnix, ListensWithTheModeWhateverTheUmask) {
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    for (const unsigned mode : {0600U, 0660U, 0666U, 0777U, 0U}) {
      const WithUmask umask(mask);
      const Result<net::BoundUnix> bound = net::bind_unix({path, mode});
      ASSERT_TRUE(bound.ok()) << bound.error().text();
      EXPECT_EQ(mode_of(path), mode) << std::oct << mask;
    }
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

// Why the file never has more permissions than it is to end with.
TEST_F(BindUnix, TheKernelStartsFromTheModeOfTheSocket) {
  const WithUmask umask(0);
  const net::UnixAddress address = net::unix_address(path);
  const Fd fd = socket_of();
  ASSERT_EQ(::fchmod(fd.get(), 0640), 0);
  ASSERT_EQ(::bind(fd.get(), address.data(), address.length), 0);
  EXPECT_EQ(mode_of(path), 0640U);
}

TEST_F(BindUnix, ReplacesASocketNobodyListensOn) {
  {
    const Fd dead = bound_to(path);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  const Result<net::BoundUnix> bound = net::bind_unix({path});
  ASSERT_TRUE(bound.ok()) << bound.error().text();
  EXPECT_TRUE(connect_to(path));
}

TEST_F(BindUnix, RefusesALiveSocketAndNamesItsProcess) {
  const Result<net::BoundUnix> first = net::bind_unix({path});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(refusal(path), cannot(path, "process " + std::to_string(::getpid()) +
                                            " listens there already; stop it or choose another path"));
  EXPECT_TRUE(connect_to(path));
}

TEST_F(BindUnix, ALiveSocketWithAFullQueueIsLive) {
  const Fd busy = bound_to(path);
  ASSERT_EQ(::listen(busy.get(), 0), 0);
  const Fd first = connect_to(path);
  const Fd second = connect_to(path);
  EXPECT_EQ(refusal(path), cannot(path, "another process listens there already; stop it or choose another path"));
}

TEST_F(BindUnix, ASocketOfAnotherKindIsLive) {
  const Fd datagrams = bound_to(path, SOCK_DGRAM);
  EXPECT_EQ(refusal(path), cannot(path, "another process listens there already; stop it or choose another path"));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(BindUnix, NeverTouchesWhatIsNoSocket) {
  const std::string why = "the file there is no socket; remove it or choose another path";
  std::ofstream(path) << "precious";
  EXPECT_EQ(refusal(path), cannot(path, why));
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
  std::filesystem::create_directory(folder / "dir");
  EXPECT_EQ(refusal(folder / "dir"), cannot(folder / "dir", why));
  std::filesystem::create_symlink("nowhere", folder / "link");
  EXPECT_EQ(refusal(folder / "link"), cannot(folder / "link", why));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
}

TEST_F(BindUnix, SaysWhatToDoAboutTheFolder) {
  EXPECT_EQ(
      refusal(folder / "no/a.sock"),
      cannot(folder / "no/a.sock", "No such file or directory; create its directory first or choose another path"));
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(refusal(folder / "file/a.sock"),
            cannot(folder / "file/a.sock", "Not a directory; create its directory first or choose another path"));
}

TEST_F(BindUnix, SaysWhatToDoAboutPermissions) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_EQ(refusal(path), cannot(path, "Permission denied; choose a directory this user may write to"));
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
}

TEST_F(BindUnix, APathMayFillTheAddress) {
  const std::string longest = folder / std::string(107 - folder.path().size() - 1, 'x');
  ASSERT_EQ(longest.size(), 107U);
  const Result<net::BoundUnix> bound = net::bind_unix({longest});
  ASSERT_TRUE(bound.ok()) << bound.error().text();
  EXPECT_EQ(net::unix_name_of(bound->socket.get()), "unix:" + longest);
  EXPECT_TRUE(connect_to(longest));
  EXPECT_FALSE(net::bind_unix({longest + "x"}).ok());
}

TEST_F(BindUnix, RemovesItsFileAndNobodyElses) {
  std::optional<net::BoundUnix> ours(std::move(*net::bind_unix({path})));
  ours.reset();
  EXPECT_FALSE(std::filesystem::exists(path));

  ours.emplace(std::move(*net::bind_unix({path})));
  std::filesystem::remove(path);
  const Fd successor = bound_to(path);
  ours.reset();
  EXPECT_TRUE(std::filesystem::exists(path)) << "the file is another's by now";

  std::filesystem::remove(path);
  ours.emplace(std::move(*net::bind_unix({path})));
  std::filesystem::remove(path);
  std::ofstream(path) << "no socket";
  ours.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(BindUnix, OfTwoThatFindAStaleFileAtOnceOneListens) {
  for (int i = 0; i < 50; ++i) {
    {
      const Fd dead = bound_to(path);
    }
    std::vector<Result<net::BoundUnix>> results;
    results.reserve(2);
    for (int n = 0; n < 2; ++n) results.emplace_back(Error(Kind::internal));
    std::thread first([&] { results[0] = net::bind_unix({path}); });
    std::thread second([&] { results[1] = net::bind_unix({path}); });
    first.join();
    second.join();
    ASSERT_EQ(results[0].ok() + results[1].ok(), 1) << "round " << i;
    ASSERT_TRUE(connect_to(path));
  }
}

TEST_F(BindUnix, AnAbstractNameHasNoFile) {
  const std::string name = "@" + folder.path();
  const Result<net::BoundUnix> bound = net::bind_unix({name});
  ASSERT_TRUE(bound.ok()) << bound.error().text();
  EXPECT_EQ(net::unix_name_of(bound->socket.get()), "unix:" + name);
  EXPECT_TRUE(connect_to(name));
  EXPECT_EQ(refusal(name), cannot(name, "another process listens there already; stop it or choose another name"));
}

struct ConnectUnix : testing::Test {
  EpollLoop loop;
  Counters counters;
  Limits limits;
  Context context{loop, counters, limits};
  Cancel client{loop};
  test::TemporaryFolder folder;
  std::string path = folder / "a.sock";

  Result<StreamPtr> connect(const std::string& to) {
    return test::await_on(loop, net::connect_unix(loop, context, to, client));
  }
  Error refusal(const std::string& to) {
    Result<StreamPtr> connected = connect(to);
    return connected.ok() ? Error() : connected.error();
  }
};

TEST_F(ConnectUnix, Connects) {
  for (const std::string& to : {path, "@" + path}) {
    const Result<net::BoundUnix> server = net::bind_unix({to});
    ASSERT_TRUE(server.ok());
    Result<StreamPtr> connected = connect(to);
    ASSERT_TRUE(connected.ok()) << connected.error().text();
    EXPECT_TRUE(Fd(::accept4(server->socket.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
}

TEST_F(ConnectUnix, SaysWhyNot) {
  const Error missing = refusal(path);
  EXPECT_EQ(missing.kind, Kind::refused);
  EXPECT_EQ(http_status(missing), 502);
  EXPECT_EQ(proxy_status_token(missing), "connection_refused");
  EXPECT_EQ(missing.text(), "connect to unix:" + path + ": No such file or directory (nobody listens there)");
  {
    const Fd dead = bound_to(path);
  }
  const Error stale = refusal(path);
  EXPECT_EQ(stale.kind, Kind::refused);
  EXPECT_EQ(stale.text(), "connect to unix:" + path + ": Connection refused (the file is there, but nobody listens)");
  EXPECT_EQ(refusal(std::string(200, 'x')).kind, Kind::refused);
}

TEST_F(ConnectUnix, NeedsPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may connect everywhere";
  const Result<net::BoundUnix> server = net::bind_unix({path, 0});
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(refusal(path).text(), "connect to unix:" + path +
                                      ": Permission denied (connecting needs write permission on the socket and search "
                                      "permission on its folders)");
}

TEST_F(ConnectUnix, WaitsForRoomInTheQueue) {
  const Fd server = bound_to(path);
  ASSERT_EQ(::listen(server.get(), 0), 0);
  const Fd first = connect_to(path);
  std::thread late([&server] {
    std::this_thread::sleep_for(milliseconds(30));
    ::close(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  });
  const Result<StreamPtr> connected = connect(path);
  late.join();
  EXPECT_TRUE(connected.ok()) << connected.error().text();
}

TEST_F(ConnectUnix, GivesUpWaitingWhenItsTimeIsOver) {
  const Fd server = bound_to(path);
  ASSERT_EQ(::listen(server.get(), 0), 0);
  const Fd first = connect_to(path);
  Cancel timed(client, milliseconds(20), Error(Kind::timeout, "too long"));
  const Result<StreamPtr> connected = test::await_on(loop, net::connect_unix(loop, context, path, timed));
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind, Kind::timeout);
  client.cancel(Error(Kind::cancelled));
  EXPECT_EQ(refusal(path).kind, Kind::cancelled);
}

TEST_F(ConnectUnix, OutOfDescriptorsIsOurFault) {
  const Result<net::BoundUnix> server = net::bind_unix({path});
  const test::NoDescriptors none;
  const Error error = refusal(path);
  EXPECT_EQ(error.kind, Kind::internal);
  EXPECT_EQ(counters.value(Counter::fd_exhausted), 1U);
}

struct Collect final : net::Acceptor {
  void accepted(StreamPtr stream, ConnectionInfo info) override {
    streams.push_back(std::move(stream));
    infos.push_back(std::move(info));
  }
  std::vector<StreamPtr> streams;
  std::vector<ConnectionInfo> infos;
};

struct UnixListener : ConnectUnix {
  Collect acceptor;
  Result<net::BoundUnix> bound = net::bind_unix({path});
};

TEST_F(UnixListener, SaysWhoCame) {
  net::Listener listener(loop, context, std::move(bound->socket), acceptor);
  const Fd peer = connect_to(path);
  listener.close();
  ASSERT_EQ(acceptor.infos.size(), 1U);
  const ConnectionInfo& info = acceptor.infos.front();
  EXPECT_EQ(info.downstream, "unix:pid=" + std::to_string(::getpid()) + ",uid=" + std::to_string(::geteuid()));
  EXPECT_EQ(info.local_name, "unix:" + path);
  EXPECT_EQ(info.remote.to_string(), "-");
}

TEST_F(UnixListener, HandsOverWhatItIsAskedToAndLosesNothing) {
  std::vector<net::Accepted> elsewhere;
  int turn = 0;
  const auto every_second = [&](net::Accepted& accepted) {
    if (++turn % 2 == 0) return false;
    elsewhere.push_back(std::move(accepted));
    return true;
  };
  net::Listener listener(loop, context, std::move(bound->socket), acceptor, every_second);
  std::vector<Fd> peers;
  for (int i = 0; i < 41; ++i) peers.push_back(connect_to(path));
  listener.close();
  EXPECT_EQ(acceptor.streams.size(), 20U);
  ASSERT_EQ(elsewhere.size(), 21U);
  EXPECT_EQ(elsewhere.front().kind, SocketKind::local);
  EXPECT_EQ(elsewhere.front().info.local_name, "unix:" + path);
  ASSERT_TRUE(net::adopt(loop, context, std::move(elsewhere.front()), acceptor));
  EXPECT_EQ(acceptor.infos.back().local_name, "unix:" + path);
}

}  // namespace
}  // namespace tunnel
