// SPDX-License-Identifier: Apache-2.0
// Sockets handed to this process: which are taken, and why others are not.
#include "runtime/inherited.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/unix_socket.hpp"
#include "support/tcp_pair.hpp"
#include "support/tcp_peer.hpp"
#include "support/temporary_folder.hpp"
#include "tunnel/address.hpp"

namespace tunnel::runtime {
namespace {

constexpr int kFirstFd = 3;

bool has_flag(int fd, int get, int flag) { return (::fcntl(fd, get) & flag) != 0; }

class Inherited : public testing::Test {
 protected:
  std::string refusal(const plan::Inherited& address) {
    const Result<std::vector<Fd>> taken = sockets.take(address, limits);
    return taken.ok() ? "taken" : std::string(taken.error().text());
  }
  Limits limits;
  InheritedSockets sockets;
  test::TemporaryFolder folder;
};

// A listening TCP socket as another program would have made it.
Fd tcp_listener(const char* ip = "127.0.0.1") {
  Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const auto address = SocketAddress::from_literal(ip, 0);
  EXPECT_EQ(::bind(fd.get(), address->data(), address->length()), 0);
  EXPECT_EQ(::listen(fd.get(), 4), 0);
  return fd;
}

TEST_F(Inherited, ATcpListenerGetsOurOptions) {
  Fd given = tcp_listener();
  const int number = given.release();
  Result<std::vector<Fd>> taken = sockets.take({number, "", false}, limits);
  ASSERT_TRUE(taken.ok()) << taken.error().text();
  ASSERT_EQ(taken->size(), 1U);
  const int fd = taken->front().get();
  EXPECT_EQ(fd, number);
  EXPECT_TRUE(has_flag(fd, F_GETFL, O_NONBLOCK));
  EXPECT_TRUE(has_flag(fd, F_GETFD, FD_CLOEXEC));
  linger armed{};
  socklen_t length = sizeof armed;
  ASSERT_EQ(::getsockopt(fd, SOL_SOCKET, SO_LINGER, &armed, &length), 0);
  EXPECT_EQ(armed.l_onoff, 1);
  EXPECT_EQ(armed.l_linger, 0);
}

TEST_F(Inherited, AUnixListenerIsTaken) {
  Result<net::BoundUnix> bound = net::bind_unix({folder / "a.sock"});
  ASSERT_TRUE(bound.ok());
  const int number = bound->socket.release();
  EXPECT_TRUE(sockets.take({number, "", false}, limits).ok());
}

TEST_F(Inherited, WhatCannotBeListenedOnIsRefusedWithItsReason) {
  EXPECT_EQ(refusal({4000, ""}),
            "cannot listen on fd:4000: there is no descriptor 4000; whoever starts this process must hand a listening "
            "socket over");
  const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string file_number = std::to_string(file.get());
  EXPECT_EQ(refusal({file.get(), ""}), "cannot listen on fd:" + file_number + ": descriptor " + file_number +
                                           " is no socket; hand a listening one over");
  const Fd datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string datagrams_number = std::to_string(datagrams.get());
  EXPECT_EQ(refusal({datagrams.get(), ""}), "cannot listen on fd:" + datagrams_number + ": descriptor " +
                                                datagrams_number +
                                                " is neither a TCP nor a unix stream socket; hand such a one over");
  auto [first, second] = test::local_socket_pair();
  const Fd connected(first);
  const Fd other(second);
  const std::string connected_number = std::to_string(first);
  EXPECT_EQ(refusal({first, ""}), "cannot listen on fd:" + connected_number + ": the socket at descriptor " +
                                      connected_number +
                                      " does not listen; hand a listening one over (with systemd: Accept=no, and no "
                                      "connected socket)");
}

TEST_F(Inherited, AProxyIsNotHandedBeyondLoopback) {
  Fd given = tcp_listener("0.0.0.0");
  const std::string local = SocketAddress::local_of(given.get()).to_string();
  EXPECT_EQ(refusal({given.get(), "", false}),
            "cannot listen on fd:" + std::to_string(given.get()) + ": it is bound to " + local +
                ", and whoever reaches this address could use the proxy; bind it to loopback or a unix socket or add "
                "--insecure-open");
  InheritedSockets others;
  EXPECT_TRUE(others.take({given.release(), "", true}, limits).ok());
}

TEST_F(Inherited, StandardInputStaysOccupied) {
  const Fd saved(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, kFirstFd));
  {
    const Fd given = tcp_listener();
    ASSERT_EQ(::dup2(given.get(), STDIN_FILENO), STDIN_FILENO);
  }
  {
    Result<std::vector<Fd>> taken = sockets.take({STDIN_FILENO, ""}, limits);
    ASSERT_TRUE(taken.ok()) << taken.error().text();
    EXPECT_GT(taken->front().get(), STDERR_FILENO);
  }
  EXPECT_GE(::fcntl(STDIN_FILENO, F_GETFD), 0);
  ASSERT_EQ(::dup2(saved.get(), STDIN_FILENO), STDIN_FILENO);
}

// systemd hands sockets over at fixed numbers, which this test's process has in other use: they are moved aside.
class SocketActivation : public Inherited {
 protected:
  void hand_over(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = kFirstFd + static_cast<int>(i);
      saved_.emplace(fd, ::fcntl(fd, F_DUPFD_CLOEXEC, 100));
      Fd given = tcp_listener();
      ports.push_back(SocketAddress::local_of(given.get()).port());
      if (given.get() != fd) {
        ASSERT_EQ(::dup2(given.get(), fd), fd);
      }
      if (given.get() == fd) (void)given.release();
    }
    set("LISTEN_PID", std::to_string(::getpid()));
    set("LISTEN_FDS", std::to_string(count));
  }
  void TearDown() override {
    for (auto& [fd, old] : saved_) {
      if (old)
        (void)::dup2(old.get(), fd);
      else
        (void)::close(fd);
    }
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
  std::vector<std::uint16_t> ports_of(const std::string& name) {
    Result<std::vector<Fd>> taken = sockets.take({-1, name}, limits);
    EXPECT_TRUE(taken.ok()) << taken.error().text();
    std::vector<std::uint16_t> found;
    if (!taken.ok()) return found;
    for (Fd& fd : *taken) {
      found.push_back(SocketAddress::local_of(fd.get()).port());
      (void)fd.release();  // TearDown() puts back what was there
    }
    return found;
  }
  std::vector<std::uint16_t> ports;

 private:
  std::map<int, Fd> saved_;
};

TEST_F(SocketActivation, AllSocketsOfANameAreTakenAndTheVariablesAreGone) {
  hand_over(3);
  set("LISTEN_FDNAMES", "web:admin:web");
  EXPECT_EQ(ports_of("web"), (std::vector{ports[0], ports[2]}));
  EXPECT_EQ(ports_of("admin"), std::vector{ports[1]});
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) EXPECT_EQ(::getenv(name), nullptr) << name;
}

TEST_F(SocketActivation, WithoutNamesTheyAreUnknown) {
  hand_over(2);
  EXPECT_EQ(ports_of("unknown"), ports);
}

TEST_F(SocketActivation, AMissingNameIsRefusedWithThoseThereAre) {
  hand_over(3);
  set("LISTEN_FDNAMES", "web:admin:web");
  EXPECT_EQ(refusal({-1, "wbe"}),
            "cannot listen on systemd:wbe: systemd passed no socket of that name, only 'admin', 'web' (2 sockets); "
            "FileDescriptorName= of the .socket unit gives it");
}

TEST_F(SocketActivation, ADescriptorIsTakenOnce) {
  hand_over(1);
  set("LISTEN_FDNAMES", "web");
  EXPECT_EQ(ports_of("web"), ports);
  EXPECT_EQ(refusal({kFirstFd, ""}),
            "cannot listen on fd:3: another line listens on descriptor 3 already; leave one of them out");
}

TEST_F(SocketActivation, VariablesForAnotherProcessAreNotOurs) {
  const std::string none =
      "cannot listen on systemd:web: systemd passed no sockets to this process; start it by its .socket unit or with "
      "systemd-socket-activate";
  EXPECT_EQ(refusal({-1, "web"}), none);
  for (const auto& [pid, count] :
       std::vector<std::pair<std::string, std::string>>{{std::to_string(::getppid()), "1"},
                                                        {"", "1"},
                                                        {"x", "1"},
                                                        {std::to_string(::getpid()), "-1"},
                                                        {std::to_string(::getpid()), "1x"},
                                                        {std::to_string(::getpid()), "99999999999"}}) {
    set("LISTEN_PID", pid);
    set("LISTEN_FDS", count);
    set("LISTEN_FDNAMES", "web");
    InheritedSockets fresh;
    const Result<std::vector<Fd>> taken = fresh.take({-1, "web"}, limits);
    ASSERT_FALSE(taken.ok());
    EXPECT_EQ(taken.error().text(), none) << pid << " " << count;
  }
}

}  // namespace
}  // namespace tunnel::runtime
