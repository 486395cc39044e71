// SPDX-License-Identifier: Apache-2.0
// The close matrix in memory: who closes how and when. The oracle is a direct pair: what the two ends
// see over a chain must be what they see without one.
#include <gtest/gtest.h>

#include <string>

#include "stream/user_space_pair.hpp"
#include "support/both_ways.hpp"

namespace tunnel {
namespace {

using test::Peer;
using test::Seen;
using test::World;

constexpr const char* kServer = "10.0.0.9:80";
constexpr std::uint64_t kMiB = 1 << 20;

enum class How : std::uint8_t { fin, rst };
enum class When : std::uint8_t {
  idle,             // a few bytes went both ways, nothing is under way
  queued,           // the closer has sent 1 MiB the other does not read yet
  other_queued,     // the other has sent 1 MiB the closer does not read
  after_own_fin,    // the closer has finished sending before
  after_other_fin,  // the other has
  both_at_once,     // both do it in the same step
};

struct Cell {
  bool by_client;
  How how;
  When when;
};

std::string name_of(const Cell& cell) {
  static constexpr const char* kWhen[] = {"Idle",        "WithAMegabyteQueued", "WithAMegabyteUnread",
                                          "AfterOwnFin", "AfterTheOthersFin",   "BothAtOnce"};
  return std::string(cell.by_client ? "Client" : "Server") + (cell.how == How::fin ? "Fin" : "Rst") +
         kWhen[static_cast<std::size_t>(cell.when)];
}

void close(Peer& peer, How how) {
  if (how == How::fin)
    peer.fin();
  else
    peer.reset();
}

std::string saw(const char* who, const Peer& peer, bool exact) {
  EXPECT_TRUE(peer.pattern_intact());
  return std::string(who) + " " + std::string(peer.fate()) +
         (exact ? " " + std::to_string(peer.received().size()) : "");
}

// Plays a cell between two ends, however they are connected, and notes what each saw.
void play(const Cell& cell, test::SimLoop& loop, Peer& client, Peer& server, Seen& seen) {
  Peer& closer = cell.by_client ? client : server;
  Peer& other = cell.by_client ? server : client;
  if (cell.when != When::queued) other.read_on();
  if (cell.when != When::other_queued) closer.read_on();
  if (cell.when != When::queued && cell.when != When::other_queued) {
    closer.send(100);
    other.send(50);
    loop.run();
  }
  switch (cell.when) {
    case When::idle:
      close(closer, cell.how);
      break;
    case When::queued:
      if (cell.how == How::fin) {
        closer.send_and_fin(kMiB);
      } else {
        closer.send(kMiB);
        loop.run();
        closer.reset();
      }
      break;
    case When::other_queued:
      other.send(kMiB);
      loop.run();
      close(closer, cell.how);
      break;
    case When::after_own_fin:
      closer.fin();
      loop.run();
      EXPECT_TRUE(other.ended());
      if (cell.how == How::rst) closer.reset();
      break;
    case When::after_other_fin:
      other.fin();
      loop.run();
      EXPECT_TRUE(closer.ended());
      close(closer, cell.how);
      break;
    case When::both_at_once:
      close(closer, cell.how);
      close(other, cell.how);
      break;
  }
  loop.run();
  other.read_on();
  closer.read_on();
  loop.run();
  // After a FIN alone the other direction still works, to its own end.
  if (cell.how == How::fin && cell.when != When::both_at_once && cell.when != When::after_other_fin &&
      cell.when != When::other_queued)
    other.send_and_fin(3000);
  if (cell.how == How::fin && cell.when == When::other_queued) other.fin();
  loop.run();
  const bool exact = cell.how == How::fin;
  seen = {saw("client", client, exact), saw("server", server, exact)};
}

Seen directly(const Cell& cell) {
  test::SimWorld world;
  auto [near, far] = make_user_space_pair(world.context, 65536);
  Peer client(world.loop, std::move(near), false);
  Peer server(world.loop, std::move(far), false);
  Seen seen;
  play(cell, world.loop, client, server, seen);
  return seen;
}

struct Case {
  Cell cell;
  unsigned hops;
};

void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c.cell) << ", " << c.hops << " hops"; }

class CloseMatrix : public testing::TestWithParam<Case> {};

TEST_P(CloseMatrix, LooksLikeADirectConnection) {
  const Cell cell = GetParam().cell;
  const Seen expected = directly(cell);
  auto bytes = cell.how == How::fin ? test::CompareBytes::yes : test::CompareBytes::no;
  if (cell.how == How::rst && cell.when == When::both_at_once) bytes = test::CompareBytes::seen_only;
  const test::Outcome outcome = test::both_ways(
      test::chain(GetParam().hops),
      [&cell](World& world, Seen& seen) {
        world.network.at(kServer).reading = false;
        auto client = world.client("front", false);
        world.loop.run();
        Peer& server = world.network.peer(kServer);
        play(cell, world.loop, *client, server, seen);
        // The timer of a lingering close is the most that may be left.
        world.loop.advance(std::chrono::seconds(2));
        EXPECT_TRUE(world.stage->environment().connections.empty());
        EXPECT_EQ(world.open_gauges(), "");
      },
      bytes);
  EXPECT_EQ(outcome.seen, expected);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const unsigned hops : {0U, 1U, 3U, 8U})
    for (const bool by_client : {true, false})
      for (const How how : {How::fin, How::rst})
        for (const When when : {When::idle, When::queued, When::other_queued, When::after_own_fin,
                                When::after_other_fin, When::both_at_once})
          all.push_back({{by_client, how, when}, hops});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Closing, CloseMatrix, testing::ValuesIn(cases()), [](const auto& one) {
  return name_of(one.param.cell) + "Hops" + std::to_string(one.param.hops);
});

}  // namespace
}  // namespace tunnel
