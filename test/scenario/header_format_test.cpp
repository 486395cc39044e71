// SPDX-License-Identifier: Apache-2.0
// Fields of a tunnel request whose values come from the connection, and who is named when a request cannot be sent.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "stream/user_space_pair.hpp"
#include "support/http_peer.hpp"
#include "support/tunnel_plans.hpp"

namespace tunnel {
namespace {

using plan::Http;
using test::World;

constexpr const char* kProxy = "10.0.0.2:3128";

plan::Plan with_headers(Http version, std::vector<plan::Header> headers) {
  plan::Plan plan = test::tunnel_plan(version);
  for (plan::Listener& listener : plan.listeners)
    if (auto* to = std::get_if<plan::TcpProxy>(&listener.handler); to != nullptr && to->tunnel)
      to->tunnel->headers = std::move(headers);
  return plan;
}

// What the listener that asks for the tunnel said of the first connection that failed.
std::string why(const World& world) {
  const std::vector<AccessRecord>& all = world.records.all;
  const auto found = std::find_if(all.begin(), all.end(), [](const AccessRecord& record) {
    return record.listener == "encap" && static_cast<bool>(record.error);
  });
  return found == all.end() ? "" : std::string(found->error.text());
}

struct HeaderFormat : testing::TestWithParam<Http> {};

INSTANTIATE_TEST_SUITE_P(Over, HeaderFormat, testing::Values(Http::h1, Http::h2),
                         [](const auto& one) { return test::version_name(one.param); });

// Behind an internal listener a connection has no local port.
TEST_P(HeaderFormat, AnOperatorWithoutAValueLeavesNoBlankAtAnEnd) {
  World world(with_headers(GetParam(), {{"x-from", "from %DOWNSTREAM_LOCAL_PORT%", false, true},
                                        {"x-before", "%DOWNSTREAM_LOCAL_PORT%\tport", false, true},
                                        {"x-none", "%DOWNSTREAM_LOCAL_PORT% %DOWNSTREAM_LOCAL_PORT%", false, true},
                                        {"x-who", "by %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", false, true}}));
  test::HttpServer proxy(world, kProxy, GetParam(), [](http::ServerExchange& exchange) -> Task<void> {
    Task<void> echoing = test::echo_tunnel(exchange);
    co_await echoing;
  });
  auto client = world.client("tcp");
  client->send(100);
  world.loop.run();
  EXPECT_EQ(client->received().size(), 100U);
  ASSERT_EQ(proxy.requests().size(), 1U);
  std::vector<std::pair<std::string, std::string>> seen;
  for (const http::Field& field : proxy.requests().front().fields)
    if (field.name.starts_with("x-")) seen.emplace_back(field.name, field.value);
  const std::vector<std::pair<std::string, std::string>> expected{
      {"x-from", "from"}, {"x-before", "port"}, {"x-who", "by 192.0.2.1"}};
  EXPECT_EQ(seen, expected);
  client->reset();
  world.loop.run();
}

// No plan that passed its check does that; the id here never came through one.
TEST_P(HeaderFormat, ARequestThatMayNotBeSentIsNoFaultOfTheProxy) {
  World world(with_headers(GetParam(), {{"x-id", "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%", false, true}}));
  world.network.at(kProxy);
  auto [near, far] = make_user_space_pair(world.outside, 65536);
  test::Peer client(world.loop, std::move(near));
  ConnectionInfo info;
  info.endpoint_id = "a\nb";
  info.hops = 1;
  for (std::size_t i = 0; i < world.plan.listeners.size(); ++i) {
    if (world.plan.listeners[i].name == "encap") {
      world.stage->handler(i).accepted(std::move(far), std::move(info));
      break;
    }
  }
  world.loop.run();
  EXPECT_TRUE(client.failed());
  EXPECT_EQ(why(world),
            std::string("nothing was asked of the proxy 10.0.0.2:3128: ") +
                (GetParam() == Http::h1 ? "a header field may not be sent" : "not a request HTTP/2 can carry"));
}

TEST_P(HeaderFormat, AProxyThatLeavesMaySpeakTheOtherVersion) {
  World world(with_headers(GetParam(), {}));
  world.network.at(kProxy);
  auto client = world.client("tcp");
  world.loop.run();
  world.network.peer(kProxy).fin();
  world.loop.run();
  const std::string hint =
      GetParam() == Http::h1 ? " (if it speaks HTTP/2 only, use h2c:)" : " (if it speaks HTTP/1.1, use h1:)";
  EXPECT_TRUE(why(world).starts_with("the proxy 10.0.0.2:3128: ")) << why(world);
  EXPECT_TRUE(why(world).ends_with(hint)) << why(world);
}

}  // namespace
}  // namespace tunnel
