// SPDX-License-Identifier: Apache-2.0
// The ways a connection ends, as scenarios for both_ways(): a client of `listener` and the server at kOrigin, with
// whatever lies between them. What the two must have seen stands beside each.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "support/both_ways.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel::test {

// Makes the rest of the world: the proxies on the way, names.
using Prepare = std::function<void(World&)>;

inline const Seen kClientEndedFirst{"client 5242880 end", "server 200000 end"};
inline Scenario client_ends_first(std::string listener, Prepare prepare) {
  return [listener = std::move(listener), prepare = std::move(prepare)](World& world, Seen& seen) {
    prepare(world);
    world.network.at(kOrigin);
    auto client = world.client(listener);
    client->send_and_fin(200'000);
    world.loop.run();
    Peer& server = world.network.peer(kOrigin);
    EXPECT_TRUE(server.ended());
    EXPECT_FALSE(client->ended());
    world.loop.advance(std::chrono::seconds(30));  // less than the half-close timeout
    server.send_and_fin(5 << 20);
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
  };
}

inline const Seen kServerEndedFirst{"client 1000 end", "server 5242880 end"};
inline Scenario server_ends_first(std::string listener, Prepare prepare) {
  return [listener = std::move(listener), prepare = std::move(prepare)](World& world, Seen& seen) {
    prepare(world);
    world.network.at(kOrigin);
    auto client = world.client(listener);
    world.loop.run();
    Peer& server = world.network.peer(kOrigin);
    server.send_and_fin(1000);
    world.loop.run();
    EXPECT_TRUE(client->ended());
    client->send_and_fin(5 << 20);
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
  };
}

// Compare no bytes of hops: how many a reset overtakes depends on how many they could hold.
inline const Seen kOneReset{"client 50 reset", "server 100 reset"};
inline Scenario one_resets(bool by_client, std::string listener, Prepare prepare) {
  return [by_client, listener = std::move(listener), prepare = std::move(prepare)](World& world, Seen& seen) {
    prepare(world);
    world.network.at(kOrigin);
    auto client = world.client(listener);
    client->send(100);
    world.loop.run();
    Peer& server = world.network.peer(kOrigin);
    server.send(50);
    world.loop.run();
    (by_client ? *client : server).reset();
    world.loop.run();
    seen = {saw("client", *client), saw("server", server)};
    world.loop.advance(std::chrono::seconds(2));
  };
}

}  // namespace tunnel::test
