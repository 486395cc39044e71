// SPDX-License-Identifier: Apache-2.0
// Envoy's files as Plans: what each field becomes, its default, and how everything else is refused.
#include "envoy/load.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "envoy/export.hpp"
#include "envoy/spelt_out.hpp"
#include "support/plan_pieces.hpp"
#include "support/random_plan.hpp"
#include "unit/envoy/load_cases.hpp"

namespace tunnel::envoy {
namespace {

using namespace std::chrono_literals;

plan::Plan plan_of(const std::string& text) {
  Loaded loaded = load(text, "f");
  EXPECT_EQ(plan::all(loaded.problems), "") << text;
  plan::Plan plan;
  plan.listeners = std::move(loaded.listeners);
  plan.clusters = std::move(loaded.clusters);
  plan.process.admin = std::move(loaded.admin);
  EXPECT_EQ(plan::all(plan::check(plan)), "") << text;
  return plan;
}

plan::Listener only_listener(const std::string& text) { return plan_of(text).listeners.at(0); }
plan::Cluster only_cluster(const std::string& fields) {
  return plan_of(file(listener_of(tcp_proxy()), cluster_of(fields))).clusters.at(0);
}
plan::Tunnel tunnel_of(const std::string& fields, const std::string& beside = "") {
  const plan::Listener listener =
      only_listener(file(listener_of(tcp_proxy("tunneling_config: {" + fields + "}"), beside)));
  return std::get<plan::TcpProxy>(listener.handler).tunnel.value_or(plan::Tunnel{});
}
std::vector<plan::Route> routes_of(const std::string& hosts, const std::string& fields = "") {
  return std::get<plan::HttpProxy>(only_listener(file(listener_of(http(hosts, fields)))).handler).routes;
}

TEST(EnvoyLoad, AbsentFieldsHaveEnvoysDefaults) {
  const plan::Plan plan = plan_of(file(listener_of(tcp_proxy())));
  plan::Listener listener = plan::listener("in", plan::Tcp{"127.0.0.1", 1}, plan::TcpProxy{"up", std::nullopt});
  listener.idle_timeout = 1h;
  listener.stat_prefix = "s";
  plan::Cluster cluster = plan::cluster("up", plan::Tcp{"10.0.0.1", 2});
  cluster.connect_timeout = 5s;
  EXPECT_TRUE(plan.listeners == std::vector{listener});
  EXPECT_TRUE(plan.clusters == std::vector{cluster});
}

TEST(EnvoyLoad, AStatPrefixIsKeptUnlessItIsTheListenersName) {
  std::string text = file(listener_of(tcp_proxy()));
  text.replace(text.find("stat_prefix: s"), 14, "stat_prefix: in");
  EXPECT_EQ(plan_of(text).listeners.at(0).stat_prefix, "");
  text.replace(text.find("stat_prefix: in"), 15, "stat_prefix: ''");
  EXPECT_TRUE(said(text).ends_with(".stat_prefix: it must have a character or more\n")) << said(text);
}

TEST(EnvoyLoad, APlaceIsWhereTheMessageBegins) {
  const plan::Plan plan = plan_of(file(listener_of(tcp_proxy())));
  EXPECT_EQ(plan::to_string(plan.listeners.at(0).place), "f:3:5");
  EXPECT_EQ(plan::to_string(plan.clusters.at(0).place), "f:5:5");
}

TEST(EnvoyLoad, InternalListenersTakeTheirBufferFromTheBootstrap) {
  const std::string inside = "{name: in, internal_listener: {}, filter_chains: [{filters: [" + tcp_proxy() + "]}]}";
  const auto extension = [](const std::string& fields) {
    return "bootstrap_extensions: [" +
           typed("envoy.extensions.bootstrap.internal_listener.v3.InternalListener", fields) + "]\n";
  };
  EXPECT_EQ(only_listener(extension("") + file(inside)).buffer_bytes, 1048576U);
  EXPECT_EQ(only_listener(extension("buffer_size_kb: 8") + file(inside)).buffer_bytes, 8192U);
  EXPECT_EQ(said(file(inside)),
            "static_resources.listeners[0].internal_listener: internal listeners need the bootstrap extension "
            "envoy.extensions.bootstrap.internal_listener.v3.InternalListener\n");
}

TEST(EnvoyLoad, MetadataAndItsPassthrough) {
  const std::string clear = "transport_socket: " + typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer");
  const std::string sources = "passthrough_metadata: [{name: a.b, kind: {host: {}}}, {name: c, kind: {cluster: {}}}], ";
  const std::string cluster =
      "{name: up, metadata: {filter_metadata: {c: {k: \"5\"}}}, transport_socket: " +
      typed("envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport", sources + clear) +
      ", load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {envoy_internal_address: "
      "{server_listener_name: in}}}, metadata: {filter_metadata: {a.b: {s: x y, q: \"true\", n: -5, h: 0x10, t: true, "
      "f: 1.50, big: 99999999999}}}}]}]}}";
  const std::string inside = "{name: in, internal_listener: {}, filter_chains: [{filters: [" +
                             typed("envoy.extensions.filters.network.echo.v3.Echo") + "]}]}";
  const std::string extension =
      "bootstrap_extensions: [" + typed("envoy.extensions.bootstrap.internal_listener.v3.InternalListener") + "]\n";
  const plan::Cluster read = plan_of(extension + file(inside, cluster)).clusters.at(0);
  using Kind = plan::Metadata::Kind;
  EXPECT_EQ(read.endpoints.at(0).metadata, (std::vector<plan::Metadata>{{"a.b", "s", "x y"},
                                                                        {"a.b", "q", "true"},
                                                                        {"a.b", "n", "-5", Kind::number},
                                                                        {"a.b", "h", "16", Kind::number},
                                                                        {"a.b", "t", "true", Kind::boolean},
                                                                        {"a.b", "f", "1.50"},
                                                                        {"a.b", "big", "99999999999"}}));
  EXPECT_EQ(read.metadata, (std::vector<plan::Metadata>{{"c", "k", "5"}}));
  EXPECT_EQ(read.passthrough, (std::vector<plan::Passthrough>{{"a.b", plan::Passthrough::From::host},
                                                              {"c", plan::Passthrough::From::cluster}}));
  EXPECT_TRUE(only_cluster(clear + ", " + kSomewhere).passthrough.empty());
}

TEST(EnvoyLoad, ATargetMayHaveOperators) {
  const auto target = [](const std::string& hostname) {
    const std::string inside = "{name: in, internal_listener: {}, filter_chains: [{filters: [" +
                               tcp_proxy("tunneling_config: {hostname: \"" + hostname + "\"}") + "]}]}";
    const std::string extension =
        "bootstrap_extensions: [" + typed("envoy.extensions.bootstrap.internal_listener.v3.InternalListener") + "]\n";
    const plan::Listener listener = only_listener(extension + file(inside));
    return std::get<plan::TcpProxy>(listener.handler).tunnel.value_or(plan::Tunnel{}).target;
  };
  EXPECT_EQ(target("%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%"), "@endpoint");
  EXPECT_EQ(target("%DYNAMIC_METADATA(a.b:c)%"), "%DYNAMIC_METADATA(a.b:c)%");
  EXPECT_EQ(target("%DYNAMIC_METADATA(a.b:c):9%.example:80"), "%DYNAMIC_METADATA(a.b:c):9%.example:80");
}

TEST(EnvoyLoad, TheServersNameIsLookedForWhereTheFilterStands) {
  const std::string named = tcp_proxy("tunneling_config: {hostname: \"%REQUESTED_SERVER_NAME%:443\"}");
  const auto relay = [&](const std::string& filters) {
    const plan::Listener listener = only_listener(
        file("{name: in, " + filters + "address: {socket_address: {address: 127.0.0.1, port_value: 1}}, " +
             "filter_chains: [{filters: [" + named + "]}]}"));
    return std::get<plan::TcpProxy>(listener.handler);
  };
  const std::string inspector = typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector");
  EXPECT_TRUE(relay("listener_filters: [" + inspector + "], ").tls_inspector);
  EXPECT_FALSE(relay("").tls_inspector);
  EXPECT_EQ(relay("").tunnel.value_or(plan::Tunnel{}).target, "%REQUESTED_SERVER_NAME%:443");
}

TEST(EnvoyLoad, JsonAndLowerCamelCaseAreTheSame) {
  const std::string json =
      R"({"staticResources": {"listeners": [{"name": "in", "address": {"socketAddress": {"address": "127.0.0.1",
         "portValue": 1}}, "filterChains": [{"filters": [{"name": "t", "typedConfig": {"@type":
         "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "statPrefix": "s",
         "cluster": "up", "idleTimeout": "0.25s"}}]}]}], "clusters": [{"name": "up", "connectTimeout": "1.5s",
         "loadAssignment": {"endpoints": [{"lbEndpoints": [{"endpoint": {"address": {"socketAddress": {"address":
         "10.0.0.1", "portValue": 2}}}}]}]}}]}})";
  const plan::Plan plan = plan_of(json);
  EXPECT_EQ(plan.listeners.at(0).idle_timeout, 250ms);
  EXPECT_EQ(plan.clusters.at(0).connect_timeout, 1500ms);
}

TEST(EnvoyLoad, Tunnels) {
  EXPECT_EQ(tunnel_of("hostname: a.b:443"), (plan::Tunnel{"a.b:443"}));
  EXPECT_EQ(tunnel_of("hostname: a.b:443, use_post: true, post_path: /t"), (plan::Tunnel{"a.b:443", true, "/t"}));
  EXPECT_EQ(
      tunnel_of("hostname: \"%DOWNSTREAM_LOCAL_ADDRESS%\"",
                "listener_filters: [" + typed("envoy.extensions.filters.listener.original_dst.v3.OriginalDst") + "], ")
          .target,
      "@orig-dst");
  const plan::Tunnel tunnel = tunnel_of(
      "hostname: a.b:443, headers_to_add: [{header: {key: X-Port, value: \"%DOWNSTREAM_LOCAL_PORT%\"}}, "
      "{header: {key: x-half, value: 50%%}}, {header: {key: x-none, value: \"\"}, keep_empty_value: true}]");
  EXPECT_EQ(tunnel.headers, (std::vector<plan::Header>{{"x-port", "%DOWNSTREAM_LOCAL_PORT%", false, true},
                                                       {"x-half", "50%", false, false},
                                                       {"x-none", "", false, false}}));
}

TEST(EnvoyLoad, Routes) {
  const std::string to_up = "route: {cluster: up}";
  const std::string ends = "route: {cluster: up, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}";
  const std::string post = "headers: [{name: \":method\", string_match: {exact: POST}}]";
  const auto match = [](const std::string& fields) {
    return routes_of(host_with("{match: {" + fields + "}, route: {cluster: up}}")).at(0).match;
  };
  EXPECT_EQ(match("prefix: /a"), (plan::Match{false, "/a"}));
  EXPECT_EQ(match("path: /a"), (plan::Match{false, "/a", true}));
  EXPECT_EQ(match("prefix: /, headers: [{name: Foo, exact_match: bar}]"),
            (plan::Match{false, "/", false, "", {{"foo", "bar"}}}));
  EXPECT_EQ(match("prefix: /, " + post), (plan::Match{false, "/", false, "POST"}));
  const std::vector<plan::Route> end = routes_of(host_with("{match: {connect_matcher: {}}, " + ends + "}"));
  EXPECT_EQ(end, (std::vector<plan::Route>{{{true, "/"}, plan::Terminate{"up"}, {}}}));
  const std::vector<plan::Route> passed = routes_of(host_with("{match: {connect_matcher: {}}, " + to_up + "}"),
                                                    "upgrade_configs: [{upgrade_type: connect}]");
  EXPECT_EQ(passed, (std::vector<plan::Route>{{{true, "/"}, plan::Forward{"up"}, {}}}));
}

// With --envoy-compat, but for what says that it has none.
TEST(EnvoyLoad, AnAbsentTimeoutOfARouteIsEnvoysIfThatIsAskedFor) {
  const auto timeout = [](const std::string& fields, const Defaults& defaults) {
    const std::string text =
        file(listener_of(http(host_with("{match: {prefix: /}, route: {cluster: up" + fields + "}}"))));
    const Loaded loaded = load(text, "f", defaults);
    EXPECT_EQ(plan::all(loaded.problems), "");
    const auto& proxy = std::get<plan::HttpProxy>(loaded.listeners.at(0).handler);
    return std::get<plan::Forward>(proxy.routes.at(0).action).timeout;
  };
  EXPECT_EQ(timeout("", {}), 0ms);
  EXPECT_EQ(timeout("", kEnvoysDefaults), 15s);
  EXPECT_EQ(timeout(", timeout: 0s", kEnvoysDefaults), 0ms);
  EXPECT_EQ(timeout(", timeout: 7s", kEnvoysDefaults), 7s);
}

TEST(EnvoyLoad, TimesOfRoutesAndStreams) {
  const std::string times = ", timeout: 1.5s, idle_timeout: 0s";
  EXPECT_EQ(routes_of(host_with("{match: {prefix: /}, route: {cluster: up" + times + "}}")),
            (std::vector<plan::Route>{{{}, plan::Forward{"up", 1500ms, 0ms}, {}}}));
  const auto end = [](const std::string& match, const std::string& fields) {
    return "{match: {" + match + "}, route: {cluster: up" + fields +
           ", upgrade_configs: [{upgrade_type: CONNECT, connect_config: {allow_post: " +
           (match.starts_with("prefix") ? "true" : "false") + "}}]}}";
  };
  const std::string post = "prefix: /, headers: [{name: \":method\", string_match: {exact: POST}}]";
  EXPECT_EQ(routes_of(host_with(end("connect_matcher: {}", times) + ", " + end(post, times))),
            (std::vector<plan::Route>{{{true, "/"}, plan::Terminate{"up", true, 1500ms, 0ms}, {}}}));
  EXPECT_EQ(routes_of(host_with(end("connect_matcher: {}", times) + ", " + end(post, ""))).size(), 2U);
  const auto streams = [](const std::string& fields) {
    const plan::Listener listener =
        only_listener(file(listener_of(http(host_with("{match: {prefix: /}, route: {cluster: up}}"), fields))));
    return std::get<plan::HttpProxy>(listener.handler).stream_idle_timeout;
  };
  EXPECT_EQ(streams("common_http_protocol_options: {idle_timeout: 0s}"), std::nullopt);
  EXPECT_EQ(streams("common_http_protocol_options: {idle_timeout: 7s}, stream_idle_timeout: 7s"), std::nullopt);
  EXPECT_EQ(streams("stream_idle_timeout: 300s"), 300s);
  EXPECT_EQ(streams("stream_idle_timeout: 0s"), 0s);
  EXPECT_EQ(only_listener(file(listener_of(tcp_proxy("idle_timeout: 0s")))).idle_timeout, 0s);
}

TEST(EnvoyLoad, AccessLogs) {
  const auto logged = [](const std::string& type, const std::string& fields) {
    const std::string log = typed("envoy.extensions.access_loggers." + type, fields);
    return only_listener(file(listener_of(tcp_proxy("access_log: [" + log + "]"))));
  };
  const auto form = [&](const std::string& fields) {
    return logged("file.v3.FileAccessLog", "path: /l, " + fields).access_format;
  };
  EXPECT_EQ(logged("stream.v3.StdoutAccessLog", "").access_log, "-");
  EXPECT_EQ(logged("stream.v3.StderrAccessLog", "").access_log, "/dev/stderr");
  EXPECT_EQ(logged("file.v3.FileAccessLog", "path: /l").access_log, "/l");
  EXPECT_EQ(logged("file.v3.FileAccessLog", "path: /dev/stdout").access_log, "-");
  EXPECT_EQ(logged("file.v3.FileAccessLog", "path: /l").access_format, plan::AccessFormat{});
  const plan::AccessFormat text{"%DURATION% ms\n", {}};
  EXPECT_EQ(form("log_format: {text_format_source: {inline_string: \"%DURATION% ms\\n\"}}"), text);
  EXPECT_EQ(form("log_format: {text_format: \"%DURATION% ms\\n\"}"), text);
  EXPECT_EQ(form("log_format: {text_format: \"%DURATION% ms\\n\", omit_empty_values: true}"),
            (plan::AccessFormat{text.text, {}, true}));
  EXPECT_EQ(form("format: \"%DURATION% ms\\n\""), text);
  const plan::AccessFormat json{"", {{"a", "", {{"c", "1"}, {"d", "e"}}}, {"b", "%DURATION%"}}};
  EXPECT_EQ(form("log_format: {json_format: {b: \"%DURATION%\", a: {d: e, c: '1'}}}"), json);
  EXPECT_EQ(form("typed_json_format: {b: \"%DURATION%\", a: {d: e, c: '1'}}"), json);
}

TEST(EnvoyLoad, AttemptsToConnect) {
  const auto attempts = [](const std::string& fields) {
    return std::get<plan::TcpProxy>(only_listener(file(listener_of(tcp_proxy(fields)))).handler).connect_attempts;
  };
  EXPECT_EQ(attempts(""), 1U);
  EXPECT_EQ(attempts("max_connect_attempts: 3"), 3U);
}

TEST(EnvoyLoad, AConnectAndAPostThatEndAlikeAreOneRoute) {
  const auto end = [](const std::string& match, const std::string& config) {
    return "{match: {" + match + "}, route: {cluster: up, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {" +
           config + "}}]}}";
  };
  const std::string post =
      end("prefix: /, headers: [{name: \":method\", string_match: {exact: POST}}]", "allow_post: true");
  EXPECT_EQ(routes_of(host_with(post)),
            (std::vector<plan::Route>{{{false, "/", false, "POST"}, plan::Terminate{"up", true}, {}}}));
  EXPECT_EQ(routes_of(host_with(end("connect_matcher: {}", "") + ", " + post)),
            (std::vector<plan::Route>{{{true, "/"}, plan::Terminate{"up", true}, {}}}));
}

TEST(EnvoyLoad, VirtualHostsAreTheDomainsOfTheirRoutes) {
  const std::vector<plan::Route> routes = routes_of(
      "{name: a, domains: [A.example, \"*.b\"], routes: [{match: {prefix: /}, direct_response: {status: 418}}]}, " +
      host_with("{match: {prefix: /}, route: {cluster: up}}"));
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].match.domains, (std::vector<std::string>{"a.example", "*.b"}));
  EXPECT_EQ(routes[1].match.domains, std::vector<std::string>{});
}

TEST(EnvoyLoad, Clusters) {
  EXPECT_EQ(only_cluster("lb_policy: LEAST_REQUEST, " + kSomewhere).lb, plan::Lb::least);
  const std::string named =
      "load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: a.b, port_value: "
      "2}}}}]}]}";
  EXPECT_EQ(only_cluster("type: LOGICAL_DNS, dns_lookup_family: V4_ONLY, " + named).family, plan::Family::v4);
  EXPECT_EQ(only_cluster("http2_protocol_options: {}, " + kSomewhere).protocol, plan::Http::h2);
  const plan::Cluster pooled = only_cluster(
      kSomewhere +
      ", typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, common_http_protocol_options: "
      "{idle_timeout: 7s}, explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 9, "
      "initial_stream_window_size: 65536, connection_keepalive: {interval: 3s, timeout: 1s}}}}}");
  EXPECT_EQ(pooled.pool, (plan::Pool{0, 9, 0, 3s, 7s, 65536}));
}

TEST(EnvoyLoad, TheConnectionsOfACluster) {
  const auto most = [](const std::string& fields) {
    return only_cluster(kSomewhere + ", circuit_breakers: {thresholds: [{" + fields + "}]}").max_connections;
  };
  EXPECT_EQ(most("max_connections: 7"), 7U);
  EXPECT_EQ(most("priority: DEFAULT, max_connections: 4294967295, max_requests: 4294967295"), 0U);
  EXPECT_EQ(most(""), 0U);
}

// Deny by domain would be of no use if a name, or what only a resolver takes for an address, were gone to.
TEST(EnvoyLoad, OriginalDstGoesToLiteralAddressesOnly) {
  const std::string original =
      "type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {use_http_header: true, "
      "http_header_name: \":authority\"}";
  const std::string end =
      "{match: {connect_matcher: {}}, route: {cluster: up, upgrade_configs: [{upgrade_type: CONNECT, connect_config: "
      "{}}]}}";
  const plan::Cluster cluster = plan_of(file(listener_of(http(host_with(end))), cluster_of(original))).clusters.at(0);
  EXPECT_EQ(cluster.find, plan::Cluster::Find::request);
  EXPECT_EQ(cluster.rules, all_literals());
}

// Of generated plans, those that Envoy has a field for everything of.
TEST(EnvoyLoad, WhatIsExportedLoadsAsTheSamePlan) {
  test::PlanTaste taste;
  taste.handed_over = false;
  int exported = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    plan::Plan plan = test::random_plan(seed, taste);
    const std::optional<plan::Address> admin = plan.process.admin;
    plan.process = {};
    if (!plan::check(plan).empty()) continue;
    const Exported text = export_plan(plan, false);
    if (!text.problems.empty()) continue;
    ++exported;
    plan::Plan loaded = spelt_out(plan_of(text.text));
    EXPECT_TRUE(loaded == spelt_out(plan)) << "seed " << seed << "\n" << text.text;
  }
  EXPECT_GT(exported, 10);
}

}  // namespace
}  // namespace tunnel::envoy
