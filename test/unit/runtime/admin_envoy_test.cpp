// SPDX-License-Identifier: Apache-2.0
// The paths that Envoy's admin server has too.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "base/log.hpp"
#include "runtime/admin_query.hpp"
#include "runtime/config_dump.hpp"
#include "runtime/name_filter.hpp"
#include "support/admin_fixture.hpp"

namespace tunnel {
namespace {

using runtime::AdminQuery;
using runtime::AdminResponse;
using runtime::NameFilter;
using test::AdminFixture;

AdminResponse post(AdminFixture& fixture, const std::string& path) {
  return fixture.ask(AdminFixture::request("POST", path));
}
boost::json::value json_of(AdminFixture& fixture, const std::string& path) {
  const AdminResponse response = fixture.get(path);
  EXPECT_EQ(response.type, "application/json");
  return boost::json::parse(response.body);
}

TEST(AdminQuery, IsReadAsAFormIs) {
  const AdminQuery query("filter=%5Ea%2Bb+c&usedonly&&odd=%4&twice=1&twice=2");
  EXPECT_EQ(query.value("filter"), "^a+b c");
  EXPECT_EQ(query.value("usedonly"), "");
  EXPECT_EQ(query.value("odd"), "%4");
  EXPECT_EQ(query.value("twice"), "1");
  EXPECT_FALSE(query.has("none"));
}

TEST(NameFilter, IsFoundAnywhereAndNeverBacktracks) {
  const Result<NameFilter> filter = NameFilter::of("_cx_(total|active)$");
  ASSERT_TRUE(filter.ok());
  EXPECT_TRUE(filter->passes("tcp.a.downstream_cx_total"));
  EXPECT_FALSE(filter->passes("tcp.a.downstream_cx_total_of"));
  EXPECT_TRUE(NameFilter().passes("anything"));
  const Result<NameFilter> slow = NameFilter::of("(a*)*(a*)*(a*)*b");
  ASSERT_TRUE(slow.ok());
  EXPECT_FALSE(slow->passes(std::string(20000, 'a')));
  for (const char* wrong : {"(", "a{100000}", "(?=a)", "\\1"}) EXPECT_FALSE(NameFilter::of(wrong).ok()) << wrong;
}

TEST(AdminEnvoy, StatsAreFilteredAndWrittenAsAsked) {
  AdminFixture fixture;
  fixture.source.stats[0].listener("front").begun.add(1);
  EXPECT_EQ(fixture.get("/stats?filter=^tcp.front.*cx_total").body, "tcp.front.downstream_cx_total: 1\n");
  EXPECT_EQ(fixture.get("/stats?usedonly&filter=^tcp\\.").body, "tcp.front.downstream_cx_total: 1\n");
  EXPECT_EQ(json_of(fixture, "/stats?format=json&filter=^nothing").at("stats").as_array().size(), 0U);
  const std::string family =
      "# TYPE envoy_tcp_downstream_cx_total counter\n"
      "envoy_tcp_downstream_cx_total{envoy_tcp_prefix=\"front\"} 1\n";
  EXPECT_EQ(fixture.get("/stats/prometheus?filter=^tcp.front.*cx_total").body, family);
  EXPECT_EQ(fixture.get("/stats?format=prometheus&filter=^tcp.front.*cx_total").body, family);
  const AdminResponse wrong = fixture.get("/stats?filter=(");
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_EQ(wrong.body, "Invalid re2 regex: missing ): (\n");
  EXPECT_EQ(fixture.get("/stats?format=xml").body, "usage: /stats?format=(json|prometheus|text)\n");
}

TEST(AdminEnvoy, WhatIsNoParameterIsRefused) {
  AdminFixture fixture;
  const AdminResponse refused = fixture.get("/stats?fliter=a");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(refused.body, "unknown parameter fliter; this path takes usedonly, filter, format\n");
  EXPECT_EQ(fixture.get("/config_dump?mask=a").body, "unknown parameter mask; this path takes none\n");
  EXPECT_EQ(post(fixture, "/drain_listeners?inboundonly").status, 400U);
  EXPECT_TRUE(fixture.source.stops.empty());
  EXPECT_EQ(fixture.get("/metrics?anything").status, 200U);
}

TEST(AdminEnvoy, ListenersAndTheirAddresses) {
  AdminFixture fixture;
  EXPECT_EQ(fixture.get("/listeners").body, "front::127.0.0.1:9000\nhop1::envoy://hop1/\nweb::127.0.0.1:9001\n");
  const boost::json::value statuses = json_of(fixture, "/listeners?format=json").at("listener_statuses");
  EXPECT_EQ(statuses.at(0).at("local_address").at("socket_address").at("port_value"), 9000);
  EXPECT_EQ(statuses.at(1).at("local_address").at("envoy_internal_address").at("server_listener_name"), "hop1");
}

TEST(AdminEnvoy, ClustersAndTheirEndpoints) {
  AdminFixture fixture;
  fixture.source.stats[0].cluster("c0").connects.add(4);
  fixture.source.stats[1].cluster("c1").endpoints[1].tries.add(2);
  fixture.source.stats[1].cluster("c1").endpoints[1].failures.add(1);
  fixture.source.stats[1].cluster("c1").endpoints[1].aside.set(1);
  const std::string text = fixture.get("/clusters").body;
  EXPECT_NE(text.find("c0::envoy://hop1/::cx_total::4\n"), std::string::npos) << text;
  EXPECT_NE(text.find("c1::10.0.0.9:80::health_flags::healthy\n"), std::string::npos) << text;
  EXPECT_NE(text.find("c1::10.0.0.10:80::cx_connect_fail::1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("c1::10.0.0.10:80::health_flags::/failed_outlier_check\n"), std::string::npos) << text;
  EXPECT_EQ(fixture.get("/clusters?filter=^asked$").body,
            "asked::observability_name::asked\nasked::added_via_api::false\n");
  const boost::json::value statuses = json_of(fixture, "/clusters?format=json&filter=c1").at("cluster_statuses");
  EXPECT_EQ(statuses.as_array().size(), 1U);
  EXPECT_EQ(statuses.at(0).at("host_statuses").at(1).at("health_status").at("failed_outlier_check"), true);
}

TEST(AdminEnvoy, ADumpHasWhatEnvoyHasWordsForAndNamesTheRest) {
  AdminFixture fixture;
  const boost::json::value dump = json_of(fixture, "/config_dump");
  const auto& configs = dump.at("configs").as_array();
  ASSERT_EQ(configs.size(), 3U);
  EXPECT_EQ(configs[0].at("bootstrap").at("static_resources").at("listeners").as_array().size(), 3U);
  EXPECT_EQ(configs[1].at("static_clusters").at(0).at("cluster").at("name"), "c0");
  EXPECT_EQ(configs[2].at("static_listeners").at(0).at("listener").at("address").at("socket_address").at("port_value"),
            9000);
  EXPECT_EQ(configs[2].at("static_listeners").at(0).at("last_updated"), "1970-01-01T00:16:40.000Z");
  bool named = false;
  for (const boost::json::value& sentence : dump.at("not_exported").as_array())
    named = named || sentence.as_string().starts_with("cluster asked is missing: ");
  EXPECT_TRUE(named) << fixture.get("/config_dump").body;
}

TEST(AdminEnvoy, ADumpHasNoSecrets) {
  plan::Plan plan = test::admin_plan();
  plan.listeners[0].handler =
      plan::TcpProxy{"c0", plan::Tunnel{"t:443", false, "/", {{"proxy-authorization", "Basic c2VjcmV0", true, false}}}};
  const std::string dump = runtime::config_dump_json(plan, std::chrono::system_clock::time_point());
  EXPECT_EQ(dump.find("c2VjcmV0"), std::string::npos);
  EXPECT_NE(dump.find("header proxy-authorization, a secret"), std::string::npos) << dump;
  EXPECT_NE(dump.find("\"hostname\":\"t:443\""), std::string::npos) << dump;
}

TEST(AdminEnvoy, AHealthCheckFailsUntilItIsOkAgain) {
  AdminFixture fixture;
  EXPECT_EQ(fixture.get("/ready").body, "LIVE\n");
  EXPECT_EQ(post(fixture, "/healthcheck/fail").body, "OK\n");
  EXPECT_EQ(fixture.get("/ready").status, 503U);
  EXPECT_EQ(fixture.get("/ready").body, "DRAINING\n");
  EXPECT_EQ(json_of(fixture, "/server_info").at("state"), "DRAINING");
  EXPECT_EQ(fixture.get("/stats?filter=^server.live$").body, "server.live: 0\n");
  EXPECT_EQ(fixture.get("/live").status, 200U);
  EXPECT_EQ(post(fixture, "/healthcheck/ok").body, "OK\n");
  EXPECT_EQ(fixture.get("/ready").status, 200U);
  fixture.source.is_draining = true;
  EXPECT_EQ(post(fixture, "/healthcheck/ok").status, 200U);
  EXPECT_EQ(fixture.get("/ready").status, 503U);
}

TEST(AdminEnvoy, ListenersCloseAtOnceLaterOrNever) {
  AdminFixture fixture;
  using Stops = decltype(fixture.source.stops);
  EXPECT_EQ(post(fixture, "/drain_listeners").body, "OK\n");
  EXPECT_EQ(post(fixture, "/drain_listeners?graceful").body, "OK\n");
  EXPECT_EQ(post(fixture, "/drain_listeners?graceful&skip_exit").body, "OK\n");
  const Stops wanted{{std::chrono::milliseconds(0), false}, {std::chrono::seconds(30), true}, {std::nullopt, true}};
  EXPECT_EQ(fixture.source.stops, wanted);
  EXPECT_EQ(fixture.get("/ready").status, 200U);
  fixture.source.is_listening = false;
  EXPECT_EQ(fixture.get("/stats?filter=listener_stopped").body, "listener_manager.listener_stopped: 2\n");
  fixture.source.drainable = false;
  EXPECT_EQ(post(fixture, "/drain_listeners").status, 501U);
  EXPECT_EQ(fixture.source.stops.size(), 3U);
}

TEST(AdminEnvoy, AQuitIsAnsweredFirst) {
  AdminFixture fixture;
  const AdminResponse answer = post(fixture, "/quitquitquit");
  EXPECT_EQ(answer.body, "OK\n");
  EXPECT_EQ(fixture.source.quits, 0);
  answer.then();
  EXPECT_EQ(fixture.source.quits, 1);
  fixture.source.drainable = false;
  EXPECT_EQ(post(fixture, "/quitquitquit").status, 501U);
}

TEST(AdminEnvoy, TheLevelOfTheLogIsToldAndChanged) {
  AdminFixture fixture;
  const log::Level before = log::level();
  EXPECT_EQ(post(fixture, "/logging?level=error").body, "active loggers:\n  tunnel: error\n");
  EXPECT_FALSE(log::enabled(log::Level::warning));
  EXPECT_EQ(post(fixture, "/logging?tunnel=warning").body, "active loggers:\n  tunnel: warning\n");
  EXPECT_EQ(post(fixture, "/logging").body, "active loggers:\n  tunnel: warning\n");
  EXPECT_EQ(post(fixture, "/logging?level=critical").status, 400U);
  EXPECT_EQ(log::level(), log::Level::warning);
  log::set_level(before);
}

TEST(AdminEnvoy, RefusalsAreInEnvoysWords) {
  AdminFixture fixture;
  EXPECT_EQ(fixture.get("/quitquitquit").body, "Method GET not allowed, POST required.\n");
  EXPECT_EQ(post(fixture, "/stats").body, "Method POST not allowed, GET required.\n");
  const std::string help = fixture.get("/help").body;
  EXPECT_TRUE(help.starts_with("admin commands are:\n  /: ")) << help;
  for (const runtime::AdminSite::Route& route : runtime::AdminSite::routes())
    EXPECT_NE(help.find("\n  " + std::string(route.path) + (route.method == "POST" ? " (POST): " : ": ")),
              std::string::npos)
        << route.path;
  EXPECT_EQ(fixture.get("/nope").body, "invalid path. " + help);
}

}  // namespace
}  // namespace tunnel
