// SPDX-License-Identifier: Apache-2.0
#include "runtime/service_manager.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <string>

#include "base/fd.hpp"
#include "net/unix_address.hpp"
#include "support/temporary_folder.hpp"

namespace tunnel::runtime {
namespace {

// The states that arrive at `path`, one datagram each.
std::string told_at(const std::string& path, std::string_view state) {
  const Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const net::UnixAddress address = net::unix_address(path);
  EXPECT_EQ(::bind(manager.get(), address.data(), address.length), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_service_manager(state);
  ::unsetenv("NOTIFY_SOCKET");
  std::array<char, 100> bytes{};
  const ssize_t n = ::recv(manager.get(), bytes.data(), bytes.size(), 0);
  EXPECT_LT(::recv(manager.get(), bytes.data(), 1, 0), 0) << "one datagram only";
  return n < 0 ? "" : std::string(bytes.data(), static_cast<std::size_t>(n));
}

TEST(ServiceManager, IsToldInOneDatagram) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(told_at(folder / "notify", "READY=1"), "READY=1");
  EXPECT_EQ(told_at("@" + folder.path(), "STOPPING=1"), "STOPPING=1");
}

TEST(ServiceManager, IsNotMissedWhereThereIsNone) {
  ::unsetenv("NOTIFY_SOCKET");
  notify_service_manager("READY=1");
  for (const char* nowhere : {"", "/nonexistent/notify"}) {
    ::setenv("NOTIFY_SOCKET", nowhere, 1);
    notify_service_manager("READY=1");
  }
  ::unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace tunnel::runtime
