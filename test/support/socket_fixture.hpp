// SPDX-License-Identifier: Apache-2.0
// A SocketStream and, as its peer, a bare blocking descriptor, used as another program would.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string_view>
#include <utility>

#include "base/fd.hpp"
#include "stream/socket_stream.hpp"
#include "support/reset_counter.hpp"

namespace tunnel::test {

class SocketFixture : public testing::Test {
 protected:
  // Takes both descriptors; the first becomes the stream.
  SocketFixture(std::pair<int, int> ends, SocketKind kind) : peer(ends.second) {
    ::fcntl(ends.second, F_SETFL, 0);  // blocking
    stream = std::make_unique<SocketStream>(loop, counters, ends.first, kind);
    stream->on_reset(&observer);
  }

  void peer_sends(std::string_view bytes, int flags = 0) const {
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), flags | MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  Counters counters;
  EpollLoop loop;
  Fd peer;
  ResetCounter observer;
  std::unique_ptr<SocketStream> stream;
};

}  // namespace tunnel::test
