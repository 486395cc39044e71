// SPDX-License-Identifier: Apache-2.0
// tun-run --envoy: files beside lines and each other, and what they refer to.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

std::string listener(const std::string& name, const std::string& address, const std::string& cluster) {
  return "  - {name: " + name + ", " + address +
         ", filter_chains: [{filters: [{name: t, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, cluster: " +
         cluster + "}}]}]}\n";
}
std::string at(int port) {
  return "address: {socket_address: {address: 127.0.0.1, port_value: " + std::to_string(port) + "}}";
}
std::string cluster(const std::string& name, const std::string& address) {
  return "  - {name: " + name + ", load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {" + address +
         "}}}]}]}}\n";
}
std::string to(const std::string& internal) {
  return "envoy_internal_address: {server_listener_name: " + internal + "}";
}
const std::string kOut = "socket_address: {address: 10.0.0.1, port_value: 2}";
const std::string kInside =
    "bootstrap_extensions: [{name: i, typed_config: {\"@type\": "
    "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}}]\n";

std::string file(const std::string& listeners, const std::string& clusters) {
  return kInside + "static_resources:\n  listeners:\n" + listeners + "  clusters:\n" + clusters;
}

// What is said about one file, without the program's name and the file's.
std::string said(const std::string& text, int status = 78) {
  const TemporaryFile written("e.yaml", text);
  const Typed typed = type(Program::tun_run, {"--envoy", written.path(), "--check"});
  EXPECT_EQ(typed.status, status) << typed.err;
  std::string err = typed.err;
  for (const std::string& gone : {std::string("tun-run: "), written.path() + ":"})
    for (std::size_t i = err.find(gone); i != std::string::npos; i = err.find(gone)) err.erase(i, gone.size());
  return err;
}

TEST(EnvoyFiles, StandBesideLinesAndEachOther) {
  const TemporaryFile one("one.yaml", file(listener("in", at(1), "mid"), cluster("mid", to("line"))));
  const TemporaryFile two("two.yaml", file(listener("other", at(2), "out"), cluster("out", kOut)));
  const plan::Plan plan = plan_of(Program::tun_run, {"--envoy", one.path(), "-e", "tcp-chain -l internal:line -t a:1",
                                                     "--envoy", two.path(), "--workers", "3"});
  ASSERT_EQ(plan.listeners.size(), 3U);
  EXPECT_EQ(plan.listeners[0].name, "in");
  EXPECT_EQ(plan.listeners[2].name, "other");
  EXPECT_EQ(plan.process.workers, 3U);
}

TEST(EnvoyFiles, CompatIsForThem) {
  const TemporaryFile one("one.yaml", file(listener("in", at(1), "out"), cluster("out", kOut)));
  const std::vector<std::string> both = {"--envoy-compat", "--envoy", one.path()};
  EXPECT_TRUE(plan_of(Program::tun_run, both).process.envoy_compat);
  EXPECT_FALSE(plan_of(Program::tun_run, {"--envoy", one.path()}).process.envoy_compat);
  const Typed alone = type(Program::tun_run, {"--envoy-compat", "-e", "tcp-chain -l 1 -t a:1"});
  EXPECT_EQ(alone.status, 64);
  EXPECT_EQ(alone.err, "tun-run: --envoy-compat is for Envoy's files; give --envoy FILE, too (try tun-run --help)\n");
  EXPECT_EQ(type(Program::tcp_chain, {"--envoy-compat", "-l", "1", "-t", "a:1"}).status, 64);
}

TEST(EnvoyFiles, CompatIsLostOnNoWay) {
  const TemporaryFile one("one.yaml", file(listener("in", at(1), "out"), cluster("out", kOut)));
  const auto shown = [&](const std::string& wish) {
    return type(Program::tun_run, {"--envoy-compat", "--envoy", one.path(), wish});
  };
  EXPECT_EQ(shown("--check").status, 0);
  EXPECT_NE(shown("--explain").out.find("--envoy-compat"), std::string::npos);
  EXPECT_EQ(shown("--export=envoy").status, 0) << shown("--export=envoy").err;
  EXPECT_EQ(shown("--as-shell").status, 78);
}

TEST(EnvoyFiles, WhatNobodyDefinesIsRefused) {
  EXPECT_EQ(said(file(listener("in", at(1), "mid"), cluster("mid", to("mod")) + cluster("spare", kOut))),
            "6:5: cluster mid: there is no internal listener called 'mod'\n");
  EXPECT_EQ(said(file(listener("in", at(1), "ot"), cluster("out", kOut))),
            "4:5: listener in: there is no cluster called 'ot', did you mean out?\n");
  EXPECT_EQ(said(file(listener("in", at(1), "mid") + listener("end", at(2), "out"),
                      cluster("mid", to("end")) + cluster("out", kOut))),
            "7:5: cluster mid: listener end is no internal one; write internal_listener: {} there\n");
}

// CONNECT ended by a cluster that goes where it says, behind an internal hop or not.
std::string open_proxy(const std::string& address, bool hop) {
  const auto manager = [](const std::string& name, const std::string& at) {
    return "  - {name: " + name + ", " + at +
           ", filter_chains: [{filters: [{name: h, typed_config: {\"@type\": "
           "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
           "stat_prefix: s, http_filters: [{name: r, typed_config: {\"@type\": "
           "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}], route_config: {virtual_hosts: "
           "[{name: "
           "v, domains: ['*'], routes: [{match: {connect_matcher: {}}, route: {cluster: any, upgrade_configs: "
           "[{upgrade_type: CONNECT, connect_config: {}}]}}]}]}}}]}]}\n";
  };
  const std::string any =
      "  - {name: any, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {use_http_header: "
      "true, "
      "http_header_name: ':authority'}}\n";
  const std::string outside = "address: {socket_address: {address: " + address + ", port_value: 1}}";
  if (!hop) return file(manager("in", outside), any);
  return file(listener("in", outside, "mid") + manager("end", "internal_listener: {}"),
              any + cluster("mid", to("end")));
}

TEST(EnvoyFiles, AnOpenProxyIsOneOnlyWhenToldSo) {
  for (const bool hop : {false, true}) {
    EXPECT_EQ(said(open_proxy("127.0.0.1", hop), 0), "");
    EXPECT_EQ(said(open_proxy("0.0.0.0", hop)),
              "4:5: whoever reaches listener 'in' could use it as a proxy to anywhere (ORIGINAL_DST); let it listen on "
              "loopback or give tun-run --insecure-open\n");
    const TemporaryFile written("e.yaml", open_proxy("0.0.0.0", hop));
    EXPECT_EQ(type(Program::tun_run, {"--envoy", written.path(), "--insecure-open", "--check"}).status, 0);
  }
  const Typed lines = type(Program::tun_run, {"--insecure-open", "-e", "tcp-chain -l 9 -t a:1", "--check"});
  EXPECT_NE(lines.err.find("--insecure-open is for --envoy files here"), std::string::npos) << lines.err;
}

TEST(EnvoyFiles, ANameGivenTwiceIsRefused) {
  const std::string twice = said(
      file(listener("in", at(1), "out") + listener("in", at(3), "out"), cluster("out", kOut) + cluster("out", kOut)));
  EXPECT_NE(twice.find("5:5: a second listener is called in (the first is at 4:5); give one of them another name\n"),
            std::string::npos)
      << twice;
  EXPECT_NE(twice.find("8:5: a second cluster is called out (the first is at 7:5); give one of them another name\n"),
            std::string::npos)
      << twice;
}

TEST(EnvoyFiles, ACircleIsRefused) {
  const std::string text =
      file(listener("a", "internal_listener: {}", "b") + listener("b", "internal_listener: {}", "a"),
           cluster("a", to("a")) + cluster("b", to("b")));
  EXPECT_EQ(said(text), "5:5: the listeners go round in a circle: a -> b -> a; send one of them elsewhere\n");
}

TEST(EnvoyFiles, ThereIsOneAdminServer) {
  const std::string admin = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9}}}\n";
  const std::string text = admin + file(listener("in", at(1), "out"), cluster("out", kOut));
  const TemporaryFile written("e.yaml", text);
  EXPECT_EQ(plan_of(Program::tun_run, {"--envoy", written.path()}).process.admin,
            plan::Address(plan::Tcp{"127.0.0.1", 9}));
  const Typed typed = type(Program::tun_run, {"--envoy", written.path(), "--admin", "10"});
  EXPECT_EQ(typed.status, 78);
  EXPECT_EQ(typed.err,
            "tun-run: " + written.path() + ":1:18: admin: there is an admin server already; leave one of them out\n");
}

TEST(EnvoyFiles, FaultsOfTheFileAndOfTheWholeAreToldTogether) {
  const std::string text =
      file("  - {name: in, colour: red}\n" + listener("other", at(1), "nowhere"), cluster("out", kOut));
  EXPECT_EQ(said(text),
            "4:5: static_resources.listeners[0]: address is missing\n"
            "4:5: static_resources.listeners[0]: filter_chains is missing\n"
            "4:16: static_resources.listeners[0].colour: unknown field\n"
            "5:5: listener other: there is no cluster called 'nowhere'\n");
}

TEST(EnvoyFiles, AFileThatCannotBeReadIsNoInput) {
  EXPECT_EQ(type(Program::tun_run, {"--envoy", "/nowhere/e.yaml"}).status, 66);
}

TEST(EnvoyFiles, HasNoLinesForAsShell) {
  const TemporaryFile written("e.yaml", file(listener("in", at(1), "out"), cluster("out", kOut)));
  const Typed typed = type(Program::tun_run, {"--envoy", written.path(), "--as-shell"});
  EXPECT_NE(typed.status, 0);
  EXPECT_NE(typed.err.find("--as-shell rewrites lines, and an Envoy file has none"), std::string::npos) << typed.err;
}

}  // namespace
}  // namespace tunnel::config
