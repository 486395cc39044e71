// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_site.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "runtime/topology_json.hpp"
#include "support/admin_fixture.hpp"

namespace tunnel {
namespace {

using runtime::AdminResponse;
using runtime::AdminSite;
using test::AdminFixture;
using test::field;

AdminResponse ask(AdminFixture& fixture, const char* method, const std::string& path) {
  return fixture.ask(AdminFixture::request(method, path));
}

TEST(AdminSite, EveryReadingPathAnswersGetAndHeadAndNothingElse) {
  AdminFixture fixture;
  for (const AdminSite::Route& route : AdminSite::routes()) {
    if (route.method != "GET") continue;
    const std::string path(route.path);
    EXPECT_EQ(ask(fixture, "GET", path).status, 200U) << path;
    EXPECT_EQ(ask(fixture, "HEAD", path).status, 200U) << path;
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "CONNECT"}) {
      const AdminResponse refused = ask(fixture, method, path);
      EXPECT_EQ(refused.status, 405U) << method << path;
      EXPECT_EQ(field(refused, "Allow"), "GET, HEAD");
    }
  }
}

TEST(AdminSite, WhatChangesSomethingTakesPostOnly) {
  AdminFixture fixture;
  std::size_t changing = 0;
  for (const AdminSite::Route& route : AdminSite::routes()) {
    if (route.method == "GET") continue;
    ++changing;
    EXPECT_EQ(route.method, "POST");
    for (const char* method : {"GET", "HEAD", "PUT"}) {
      const AdminResponse refused = ask(fixture, method, std::string(route.path));
      EXPECT_EQ(refused.status, 405U);
      EXPECT_EQ(field(refused, "Allow"), "POST");
    }
  }
  EXPECT_GE(changing, 1U);
  EXPECT_EQ(fixture.source.drains, 0);
  EXPECT_EQ(fixture.get("/ready").status, 200U);
}

TEST(AdminSite, UnknownPathsAreNotFound) {
  AdminFixture fixture;
  for (const char* path : {"/nothing", "", "/ready/", "//", "/../page.css", "/page.html", "*"})
    EXPECT_EQ(fixture.get(path).status, 404U) << path;
}

TEST(AdminSite, EveryAnswerIsSafeAlsoARefusal) {
  AdminFixture fixture;
  runtime::AdminRequest foreign = AdminFixture::request("GET", "/ready");
  foreign.host = "evil.example";
  for (const AdminResponse& response :
       {fixture.get("/ready"), fixture.get("/state.json"), fixture.get("/nothing"), fixture.ask(foreign)}) {
    EXPECT_EQ(field(response, "Cache-Control"), "no-store");
    EXPECT_EQ(field(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(field(response, "Referrer-Policy"), "no-referrer");
    const std::string policy = field(response, "Content-Security-Policy");
    EXPECT_TRUE(policy.starts_with("default-src 'none';")) << policy;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  }
  EXPECT_EQ(fixture.ask(foreign).status, 421U);
}

TEST(AdminSite, ADrainIsAnsweredFirstAndReadyTurnsAtOnce) {
  AdminFixture fixture;
  EXPECT_EQ(fixture.get("/ready").body, "LIVE\n");
  const AdminResponse answer = ask(fixture, "POST", "/drain");
  EXPECT_EQ(answer.status, 202U);
  EXPECT_EQ(fixture.source.drains, 0);
  EXPECT_EQ(fixture.get("/ready").status, 503U);
  EXPECT_EQ(fixture.get("/live").status, 200U);
  ASSERT_TRUE(answer.then);
  answer.then();
  EXPECT_EQ(fixture.source.drains, 1);
}

TEST(AdminSite, ReadyFollowsADrainThatBeganElsewhere) {
  AdminFixture fixture;
  fixture.source.is_draining = true;
  EXPECT_EQ(fixture.get("/ready").status, 503U);
  EXPECT_TRUE(boost::json::parse(fixture.get("/state.json").body).at("draining").as_bool());
}

TEST(AdminSite, ADrainFromAnotherSiteOrWhereThereIsNoneDoesNothing) {
  AdminFixture fixture;
  runtime::AdminRequest foreign = AdminFixture::request("POST", "/drain");
  foreign.origin = "http://evil.example";
  EXPECT_EQ(fixture.ask(foreign).status, 403U);
  fixture.source.drainable = false;
  EXPECT_EQ(ask(fixture, "POST", "/drain").status, 501U);
  EXPECT_EQ(fixture.get("/ready").status, 200U);
}

TEST(AdminSite, TheTopologyNamesEveryWay) {
  AdminFixture fixture;
  const boost::json::value plan = boost::json::parse(fixture.get("/topology.json").body);
  const auto& listeners = plan.at("listeners").as_array();
  ASSERT_EQ(listeners.size(), 3U);
  EXPECT_EQ(listeners[0].at("name"), "front");
  EXPECT_EQ(listeners[0].at("handler"), "tcp_proxy");
  EXPECT_EQ(listeners[0].at("addresses").at(0), "127.0.0.1:9000");
  EXPECT_EQ(listeners[0].at("ways").at(0).at("cluster"), "c0");
  EXPECT_TRUE(listeners[1].at("internal").as_bool());
  const auto& ways = listeners[2].at("ways").as_array();
  ASSERT_EQ(ways.size(), 3U);
  EXPECT_EQ(ways[0].at("what"), "CONNECT");
  EXPECT_EQ(ways[0].at("does"), "terminate");
  EXPECT_EQ(ways[1].at("what"), "/hello");
  EXPECT_EQ(ways[1].at("does"), "answer 200");
  EXPECT_EQ(ways[1].at("cluster"), "");
  const auto& clusters = plan.at("clusters").as_array();
  ASSERT_EQ(clusters.size(), 3U);
  EXPECT_EQ(clusters[0].at("endpoints").at(0).at("listener"), "hop1");
  EXPECT_EQ(clusters[0].at("protocol"), "HTTP/1.1");
  EXPECT_EQ(clusters[1].at("endpoints").at(0).at("address"), "10.0.0.9:80");
  EXPECT_EQ(clusters[1].at("protocol"), "");
  EXPECT_TRUE(clusters[2].at("requested").as_bool());
}

TEST(AdminSite, AClusterLeadsToTheListenerItReachesByWhateverSocket) {
  plan::Plan plan;
  plan.listeners.push_back(test::tcp_listener("by-port", 9000, plan::Echo{}));
  plan.listeners.push_back(test::tcp_listener("by-path", 9001, plan::Echo{}));
  plan.listeners.back().addresses = {plan::Unix{"/run/a.sock"}};
  plan.clusters.push_back(test::to_tcp("port", "127.0.0.1", 9000));
  plan.clusters.push_back(test::to_tcp("path", "", 0));
  plan.clusters.back().endpoints = {{plan::Unix{"/run/a.sock"}}};
  plan.clusters.push_back(test::to_tcp("elsewhere", "127.0.0.1", 9002));
  const boost::json::value told = boost::json::parse(runtime::topology_json(plan));
  std::string listeners;
  for (const boost::json::value& cluster : told.at("clusters").as_array())
    listeners += std::string(cluster.at("endpoints").at(0).at("listener").as_string()) + ",";
  EXPECT_EQ(listeners, "by-port,by-path,,");
}

TEST(AdminSite, TheStateSumsTheWorkers) {
  AdminFixture fixture;
  for (proxy::PlanStats& worker : fixture.source.stats) {
    proxy::ListenerStats& front = worker.listener("front");
    front.begun.add(2);
    front.ended.add(1);
    proxy::EdgeStats& edge = front.edge("c0");
    edge.begun.add(2);
    edge.end(Error(Error::Kind::refused));
    edge.traffic.bytes[0].add(10);
    edge.traffic.bytes[1].add(30);
    worker.listener("web").edge("c0").traffic.bytes[1].add(5);
    worker.cluster("c0").pool.connections.add(1);
    worker.cluster("c0").pool.exchanges.add(3);
    worker.cluster("c1").endpoints[0].tries.add(2);
    worker.cluster("c1").endpoints[0].failures.add(1);
    worker.cluster("c1").endpoints[0].aside.set(1);
  }
  const boost::json::value state = boost::json::parse(fixture.get("/state.json").body);
  const auto& front = state.at("listeners").at(0);
  EXPECT_EQ(front.at("active"), 2);
  EXPECT_EQ(front.at("begun"), 4);
  EXPECT_EQ(front.at("received"), 20);
  EXPECT_EQ(front.at("errors").at("refused"), 2);
  EXPECT_EQ(front.at("edges").at(1).at("cluster"), "c0");
  EXPECT_EQ(front.at("edges").at(1).at("uses_active"), 2);
  EXPECT_EQ(state.at("clusters").at(0).at("name"), "c0");
  EXPECT_EQ(state.at("clusters").at(0).at("sent"), 70);
  EXPECT_EQ(state.at("clusters").at(0).at("pool").at("connections"), 2);
  EXPECT_EQ(state.at("clusters").at(0).at("pool").at("exchanges"), 6);
  EXPECT_TRUE(state.at("clusters").at(0).at("endpoints").as_array().empty());
  const auto& behind = state.at("clusters").at(1);
  EXPECT_TRUE(behind.at("pool").is_null());
  ASSERT_EQ(behind.at("endpoints").as_array().size(), 2U);
  EXPECT_EQ(behind.at("endpoints").at(0).at("address"), "10.0.0.9:80");
  EXPECT_EQ(behind.at("endpoints").at(0).at("tries"), 4);
  EXPECT_EQ(behind.at("endpoints").at(0).at("failures"), 2);
  EXPECT_EQ(behind.at("endpoints").at(0).at("aside"), 2);
  EXPECT_EQ(behind.at("endpoints").at(1).at("aside"), 0);
  EXPECT_EQ(state.at("workers"), 2);
  EXPECT_EQ(state.at("tunnels").at("total"), 2);
}

TEST(AdminSite, RowsArePlainTextWhateverAPeerSent) {
  AdminFixture fixture;
  AccessRecord record;
  record.authority = "\xff<script>\n";
  record.downstream_remote = "127.0.0.1:4711";
  record.begin = TimePoint(std::chrono::seconds(8));
  fixture.source.records = {record};
  const boost::json::value state = boost::json::parse(fixture.get("/state.json").body);
  const auto& rows = state.at("tunnels").at("rows").as_array();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("target"), "\\xff<script>\\x0a");
  EXPECT_EQ(rows[0].at("age"), 2000);
  EXPECT_EQ(rows[0].at("waits"), "connecting");
}

TEST(AdminSite, TheYoungestRowsAreShownAndNoMoreThanTheMost) {
  AdminFixture fixture;
  for (int i = 0; i < 600; ++i) {
    AccessRecord record;
    record.begin = TimePoint(std::chrono::milliseconds(i));
    fixture.source.records.push_back(std::move(record));
  }
  const boost::json::value state = boost::json::parse(fixture.get("/state.json").body);
  EXPECT_EQ(state.at("tunnels").at("rows").as_array().size(), 500U);
}

TEST(AdminSite, ManyWhoAskAtOnceAskTheWorkersOnce) {
  AdminFixture fixture;
  fixture.source.silent_workers = 1;
  const auto first = fixture.start(AdminFixture::request("GET", "/state.json"));
  const auto second = fixture.start(AdminFixture::request("GET", "/state.json"));
  EXPECT_FALSE(first->has_value() || second->has_value());
  EXPECT_EQ(fixture.source.listings, 1);
  fixture.source.kept.clear();  // that worker has ended
  fixture.io.restart();
  fixture.io.poll();
  ASSERT_TRUE(first->has_value() && second->has_value());
  EXPECT_TRUE(boost::json::parse((*first)->body).at("tunnels").at("complete").as_bool());
  // And soon after not at all.
  fixture.get("/state.json");
  EXPECT_EQ(fixture.source.listings, 1);
}

TEST(AdminSite, AWorkerThatDoesNotAnswerIsNotWaitedForForEver) {
  AdminFixture fixture;
  fixture.source.records.resize(1);
  fixture.source.silent_workers = 1;
  const auto answer = fixture.start(AdminFixture::request("GET", "/state.json"));
  fixture.io.restart();
  fixture.io.run();  // until its patience is over
  ASSERT_TRUE(answer->has_value());
  const boost::json::value state = boost::json::parse((*answer)->body);
  EXPECT_FALSE(state.at("tunnels").at("complete").as_bool());
  EXPECT_EQ(state.at("tunnels").at("rows").as_array().size(), 1U);
  // What it says after that belongs to no answer.
  fixture.source.kept.front()(fixture.source.listing_of(1));
  fixture.source.kept.clear();
  fixture.io.restart();
  fixture.io.poll();
  fixture.source.silent_workers = 0;
  EXPECT_TRUE(boost::json::parse(fixture.get("/state.json").body).at("tunnels").at("complete").as_bool());
}

}  // namespace
}  // namespace tunnel
