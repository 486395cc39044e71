// SPDX-License-Identifier: Apache-2.0
#include "http/sniff.hpp"

#include <chrono>

#include "unit/http/h1_support.hpp"

namespace tunnel::test::http1 {
namespace {

using namespace std::chrono_literals;
using http::Version;

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class Sniff : public ::testing::Test {
 protected:
  Sniff() {
    auto [mine, theirs] = make_user_space_pair(world.context, 65536);
    stream = std::move(mine);
    peer.emplace(world, std::move(theirs));
    sniffing.emplace(start(http::sniff_version(world.context, *stream)));
    world.loop.run();
  }
  std::string rest() {
    peer->finish();
    return *world.await(read_all(*stream));
  }
  SimWorld world;
  StreamPtr stream;
  std::optional<RawPeer> peer;
  std::optional<Started<Result<Version>>> sniffing;
};

TEST_F(Sniff, ThePrefaceWholeIsHttp2) {
  peer->write(kPreface + "frames");
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(*sniffing->value(), Version::http2);
  EXPECT_EQ(rest(), kPreface + "frames");
}

TEST_F(Sniff, ThePrefaceByteByByte) {
  for (std::size_t i = 0; i + 1 < kPreface.size(); ++i) {
    peer->write(kPreface.substr(i, 1));
    ASSERT_FALSE(sniffing->done()) << i;
  }
  peer->write("\n");
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(*sniffing->value(), Version::http2);
  EXPECT_EQ(rest(), kPreface);
}

TEST_F(Sniff, AnythingElseIsKnownAtTheFirstDifference) {
  peer->write("PRI * HTTP/1");
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(*sniffing->value(), Version::http1);
  EXPECT_EQ(rest(), "PRI * HTTP/1");
}

TEST_F(Sniff, OneByteIsEnough) {
  peer->write("G");
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(*sniffing->value(), Version::http1);
  EXPECT_EQ(rest(), "G");
}

TEST_F(Sniff, AnEndBeforeAByteIsNoError) {
  peer->finish();
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(*sniffing->value(), Version::none);
}

TEST_F(Sniff, AnEndInsideThePrefaceIsLeftToHttp1) {
  peer->write("PRI");
  peer->finish();
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(*sniffing->value(), Version::http1);
}

TEST_F(Sniff, AResetIsAnError) {
  peer->drop();
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(sniffing->value().error().text(), "the test is over");
}

TEST_F(Sniff, SilenceIsATimeoutAndAnOrderlyEnd) {
  peer->write("PRI");
  world.loop.advance(9999ms);
  EXPECT_FALSE(peer->ended());
  world.loop.advance(1ms);
  EXPECT_TRUE(peer->ended());
  EXPECT_FALSE(sniffing->done());  // lingers
  peer->finish();
  ASSERT_TRUE(sniffing->done());
  EXPECT_EQ(sniffing->value().error().kind, Error::Kind::timeout);
  EXPECT_EQ(world.counters.value(Counter::head_timeouts), 1U);
  EXPECT_EQ(stream->write_side(), WriteSide::finished);
}

TEST_F(Sniff, SilenceToTheEndIsCut) {
  world.loop.advance(10s);
  EXPECT_TRUE(peer->ended());
  world.loop.advance(1s);
  ASSERT_TRUE(sniffing->done());
  EXPECT_FALSE(sniffing->value().ok());
  EXPECT_EQ(world.counters.value(Counter::linger_cut), 1U);
}

}  // namespace
}  // namespace tunnel::test::http1
