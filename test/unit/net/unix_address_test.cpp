// SPDX-License-Identifier: Apache-2.0
#include "net/unix_address.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace tunnel::net {
namespace {

std::string back(const std::string& path) {
  const UnixAddress address = unix_address(path);
  return unix_path(address.storage, address.length);
}

TEST(UnixAddress, IsReadBackAsItWasWritten) {
  for (const std::string& path : {std::string("/run/a.sock"), std::string("a"), std::string("@name"),
                                  std::string("./@name"), std::string(107, 'p'), "@" + std::string(107, 'n')})
    EXPECT_EQ(back(path), path.size() > 107 ? "" : path);
}

TEST(UnixAddress, EmptyAndTooLongAreNone) {
  EXPECT_EQ(unix_address("").length, 0U);
  EXPECT_EQ(unix_address(std::string(108, 'p')).length, 0U);
}

TEST(UnixAddress, AnAbstractNameHasNoByteMoreThanItIsLong) {
  const UnixAddress address = unix_address("@ab");
  EXPECT_EQ(address.length, offsetof(sockaddr_un, sun_path) + 3);
  EXPECT_EQ(address.storage.sun_path[0], '\0');
  EXPECT_EQ(unix_address("ab").length, offsetof(sockaddr_un, sun_path) + 3);
}

TEST(UnixAddress, OfASocketBoundToNothingThereIsNoPath) {
  EXPECT_EQ(unix_path(sockaddr_un{}, offsetof(sockaddr_un, sun_path)), "");
}

}  // namespace
}  // namespace tunnel::net
