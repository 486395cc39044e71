// SPDX-License-Identifier: Apache-2.0
// What of an Envoy file is refused, and in which words.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "envoy/load.hpp"
#include "support/plan_pieces.hpp"
#include "unit/envoy/load_cases.hpp"

namespace tunnel::envoy {
namespace {

using namespace std::chrono_literals;

TEST(EnvoyRefusal, WhatNobodyReadsIsRefused) {
  const std::string at = "static_resources.listeners[0].";
  expect_refused({
      {file(listener_of(tcp_proxy(), "adress: 1, ")), at + "adress: unknown field, did you mean address?"},
      {file(listener_of(tcp_proxy(), "zzz: 1, ")), at + "zzz: unknown field"},
      {file(listener_of(tcp_proxy(), "freebind: true, ")), at + "freebind: not supported by this version"},
      {file(listener_of(tcp_proxy("stat_prefix: t"))),
       at + "filter_chains[0].filters[0].typed_config.stat_prefix: given twice"},
      {file(listener_of(tcp_proxy("statPrefix: t"))),
       at + "filter_chains[0].filters[0].typed_config.stat_prefix: given twice"},
      {"dynamic_resources: {}\n" + file(listener_of(tcp_proxy())), "dynamic_resources: not supported by this version"},
  });
}

TEST(EnvoyRefusal, TypesAreRefusedByTheirNames) {
  const std::string filter = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
  const std::string here =
      "; what may stand here: envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, "
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
      "envoy.extensions.filters.network.echo.v3.Echo";
  expect_refused({
      {file(listener_of(typed("envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy"))),
       filter +
           ".@type: 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy' is not supported by this version" +
           here},
      {file(listener_of(typed("envoy.extensions.filters.network.echo.v3.Ecko"))),
       filter + ".@type: there is no type 'envoy.extensions.filters.network.echo.v3.Ecko' here, did you mean "
                "envoy.extensions.filters.network.echo.v3.Echo?"},
      {file(listener_of("{name: envoy.filters.network.echo}")),
       "static_resources.listeners[0].filter_chains[0].filters[0]: typed_config is missing"},
  });
  const std::string tls =
      "transport_socket: " + typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", "sni: a") + ", ";
  EXPECT_NE(
      said(file(listener_of(tcp_proxy()), cluster_of(tls + kSomewhere)))
          .find("'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext' is not supported by this version"),
      std::string::npos);
}

TEST(EnvoyRefusal, MetadataThatCannotBePassedOn) {
  const std::string up = "static_resources.clusters[0].transport_socket.typed_config";
  const std::string clear = "transport_socket: " + typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer");
  const auto socket = [&](const std::string& fields) {
    return file(
        listener_of(tcp_proxy()),
        cluster_of("transport_socket: " +
                   typed("envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport", fields) +
                   ", " + kSomewhere));
  };
  const auto source = [&](const std::string& fields) {
    return socket("passthrough_metadata: [{" + fields + "}], " + clear);
  };
  const auto metadata = [&](const std::string& value) {
    return file(listener_of(tcp_proxy()),
                cluster_of("metadata: {filter_metadata: {a: {k: " + value + "}}}, " + kSomewhere));
  };
  const std::string first = up + ".passthrough_metadata[0]";
  const std::string key = "static_resources.clusters[0].metadata.filter_metadata.a.k: ";
  const std::string kind =
      "metadata of this kind is not supported by this version; write a text, a number, true or false";
  expect_refused({
      {socket(""), up + ": transport_socket is missing"},
      {source("kind: {host: {}}"), first + ": name is missing"},
      {source("name: a"), first + ": kind is missing"},
      {source("name: a, kind: {}"), first + ".kind: give one of host: {} and cluster: {}"},
      {source("name: a, kind: {host: {}, cluster: {}}"), first + ".kind: give one of host: {} and cluster: {}"},
      {source("name: a, kind: {route: {}}"),
       first + ".kind.route: metadata of this kind cannot be passed on; write host: {} or cluster: {}"},
      {socket("passthrough_filter_state_objects: [], " + clear),
       up + ".passthrough_filter_state_objects: unknown field"},
      {metadata("{}"), key + kind},
      {metadata("[1]"), key + kind},
      {metadata("null"), key + kind},
      {metadata("\"a\\nb\""), key + "a value of metadata has a control character in it"},
      {file(listener_of(tcp_proxy("tunneling_config: {hostname: \"%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%:1\"}"))),
       "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.tunneling_config.hostname: the address "
       "a "
       "connection was accepted on would lead a tunnel back here; of a redirected one @orig-dst is where it wanted to "
       "go"},
  });
}

TEST(EnvoyRefusal, ValuesAreJudged) {
  const std::string config = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.";
  const std::string cluster = "static_resources.clusters[0].";
  const auto timeout = [&](const std::string& value) {
    return file(listener_of(tcp_proxy()), cluster_of("connect_timeout: " + value + ", " + kSomewhere));
  };
  const std::string no_time = " is no time; write seconds and an s, such as 5s or 0.25s";
  expect_refused({
      {timeout("5"), cluster + "connect_timeout: '5'" + no_time},
      {timeout("-1s"), cluster + "connect_timeout: '-1s'" + no_time},
      {timeout("1.s"), cluster + "connect_timeout: '1.s'" + no_time},
      {timeout("0.0001s"), cluster + "connect_timeout: '0.0001s' is finer than a millisecond, which no timer here is"},
      {timeout("0s"),
       cluster + "connect_timeout: to have no such timeout is not supported by this version; write a long one"},
      {timeout("[]"), cluster + "connect_timeout: a time is expected here; write 5s or 0.25s"},
      {file(listener_of(tcp_proxy()), cluster_of("type: STATICK, " + kSomewhere)),
       cluster + "type: 'STATICK' is none of STATIC, STRICT_DNS, LOGICAL_DNS or ORIGINAL_DST, did you mean STATIC?"},
      {file(listener_of(tcp_proxy()), cluster_of("type: EDS, " + kSomewhere)),
       cluster + "type: EDS is not supported by this version; write STATIC, STRICT_DNS, LOGICAL_DNS or ORIGINAL_DST"},
      {file(listener_of(tcp_proxy("tunneling_config: {hostname: a.b}"))),
       config + "tunneling_config.hostname: the port is missing; write HOST:PORT"},
      {file(listener_of(tcp_proxy("tunneling_config: {hostname: \"a:1\", headers_to_add: [{header: {key: x, value: "
                                  "\"%NOSUCH%\"}}]}"))),
       config + "tunneling_config.headers_to_add[0].header.value: '%NOSUCH%' is not supported by this version"},
      {file(listener_of(http(host_with("{match: {connect_matcher: {}}, route: {cluster: up}}")))),
       config +
           "route_config.virtual_hosts[0].routes[0].route: a CONNECT has a route here, but nothing allows it, so that "
           "each would be refused; add upgrade_configs with upgrade_type: CONNECT"},
  });
}

TEST(EnvoyRefusal, AnUnknownTypeIsQuotedAndCut) {
  const std::string quoted = said(file(listener_of(
      "{name: x, typed_config: {\"@type\": \"type.googleapis.com/envoy.\\e[2J" + std::string(3000, 'a') + "\"}}")));
  EXPECT_NE(quoted.find("@type: 'envoy.\\x1b[2Ja"), std::string::npos) << quoted;
  EXPECT_NE(quoted.find("a...' is not supported by this version"), std::string::npos) << quoted;
  EXPECT_LT(quoted.size(), 600U);
}

TEST(EnvoyRefusal, ABadNameIsToldOnceAndStandsForNothing) {
  const std::string bad = "\"a\\e[2J b\"";
  const std::string text = "static_resources:\n  listeners:\n  - {name: " + bad +
                           ", address: {socket_address: {address: 127.0.0.1, port_value: 1}}, filter_chains: "
                           "[{filters: [" +
                           typed("envoy.extensions.filters.network.echo.v3.Echo") +
                           "]}]}\n  clusters:\n  - {name: " + bad + ", " + kSomewhere + "}\n";
  const Loaded loaded = load(text, "f");
  ASSERT_EQ(loaded.problems.size(), 2U) << plan::all(loaded.problems);
  EXPECT_EQ(loaded.problems[0].text.find("static_resources.listeners[0].name: "), 0U);
  EXPECT_EQ(loaded.problems[1].text.find("static_resources.clusters[0].name: "), 0U);
  EXPECT_EQ(plan::all(loaded.problems).find('\x1b'), std::string::npos);
  EXPECT_TRUE(loaded.listeners.empty());
  EXPECT_TRUE(loaded.clusters.empty());
  EXPECT_FALSE(loaded.names_known);
}

TEST(EnvoyRefusal, AZeroByteIsRefusedInEveryText) {
  const std::string cluster = "static_resources.clusters[0].";
  const std::string none = "a zero byte cannot be part of a text";
  expect_refused({
      {file(listener_of(tcp_proxy()), "{name: \"up\\0\", " + kSomewhere + "}"), cluster + "name: " + none},
      {file(listener_of(tcp_proxy()), cluster_of("type: \"STATIC\\0\", " + kSomewhere)), cluster + "type: " + none},
      {file(listener_of(
           http(host_with("{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: \"a\\0b\"}}}")))),
       "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0]."
       "direct_response.body.inline_string: " +
           none},
  });
}

TEST(EnvoyRefusal, FormsOfAccessLogsThatNobodyCouldWrite) {
  const auto logged = [](const std::string& fields) {
    return file(listener_of(
        tcp_proxy("access_log: [" +
                  typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", "path: /l, " + fields) + "]")));
  };
  const std::string at =
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.access_log[0]."
      "typed_config.";
  const std::string json = at + "log_format.json_format";
  expect_refused({
      {logged("log_format: {text_format_source: {inline_string: \"%ROUTE_NAME%\"}}"),
       at + "log_format.text_format_source.inline_string: '%ROUTE_NAME%' is not supported by this version"},
      {logged("log_format: {omit_empty_values: 1, text_format: x}"),
       at + "log_format.omit_empty_values: write true or false"},
      {logged("log_format: {text_format_source: {inline_string: \"\"}}"),
       at + "log_format.text_format_source.inline_string: a format is missing; without one the lines are those of "
            "--log-format"},
      {logged("log_format: {}"), at + "log_format: give one of text_format_source, json_format and text_format"},
      {logged("log_format: {json_format: {a: [x]}}"),
       json + ".a: a text or an object is expected here; nothing else is supported by this version"},
      {logged("log_format: {json_format: {a: 5}}"),
       json + ".a: a text or an object is expected here; nothing else is supported by this version"},
      {logged("log_format: {json_format: {a: yes}}"),
       json + ".a: a text or an object is expected here; nothing else is supported by this version"},
      {logged("log_format: {json_format: {? [a] : b}}"), json + ": the name of a field is expected here"},
      {logged("log_format: {json_format: {}}"), json + ": a JSON object with a field or more is expected here"},
      {logged("log_format: {json_format: {a: x, a: z}}"), json + ".a: the field 'a' is there twice"},
      {logged("log_format: {json_format: {a: {b: \"%X%\"}}}"), json + ".a.b: '%X%' is not supported by this version"},
      {logged("format: x, typed_json_format: {a: b}"),
       at.substr(0, at.size() - 1) + ": give one of log_format, format and typed_json_format"},
  });
}

TEST(EnvoyRefusal, OtherLimitsOfAClusterThanItsConnections) {
  const auto limits = [](const std::string& thresholds) {
    return file(listener_of(tcp_proxy()),
                cluster_of(kSomewhere + ", circuit_breakers: {thresholds: [" + thresholds + "]}"));
  };
  const std::string at = "static_resources.clusters[0].circuit_breakers.thresholds";
  expect_refused({
      {limits("{max_connections: 0}"),
       at + "[0].max_connections: a number from 1 to 4294967295 is expected here, not '0'"},
      {limits("{max_requests: 1024}"),
       at + "[0].max_requests: such a limit is not supported by this version; write 4294967295 for none"},
      {limits("{priority: HIGH}"), at + "[0].priority: HIGH is not supported by this version; write DEFAULT"},
      {limits("{}, {}"), at + "[1]: there is one set of limits; leave out the others"},
  });
}

TEST(EnvoyRefusal, ProtocolOptionsStandInOnePlace) {
  const auto both = [](const std::string& chosen, const std::string& older) {
    return file(listener_of(tcp_proxy()),
                cluster_of(older + ", " + kSomewhere +
                           ", typed_extension_protocol_options: "
                           "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": "
                           "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
                           "explicit_http_config: {" +
                           chosen + ": {}}}}"));
  };
  for (const std::string chosen : {"http_protocol_options", "http2_protocol_options"}) {
    for (const std::string older : {"http_protocol_options", "http2_protocol_options"}) {
      EXPECT_EQ(said(both(chosen, older + ": {}")), "static_resources.clusters[0]." + older +
                                                        ": HttpProtocolOptions stands here, too; leave this one out\n");
    }
  }
}

TEST(EnvoyRefusal, AHostIsMatchedByDomains) {
  const std::string name =
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0]."
      "match.headers[0].name: ";
  const auto matching = [](const std::string& header) {
    return file(listener_of(http(host_with("{match: {prefix: /, headers: [{name: \"" + header +
                                           "\", exact_match: a}]}, route: {cluster: up}}"))));
  };
  const std::string domains = " is not matched by this version; write the host into domains of the virtual host";
  expect_refused({
      {matching(":authority"), name + "':authority'" + domains},
      {matching("Host"), name + "'host'" + domains},
      {matching(":path"), name + "':path' is not matched by this version; write prefix or path"},
      {matching(":scheme"), name + "':scheme' is not matched by this version"},
      {matching("te"), name + "'te' is not matched by this version"},
      {matching("a b"), name + "' ' cannot be part of a field's name"},
  });
}

TEST(EnvoyRefusal, EverythingIsToldInTheOrderOfTheFileWithItsPlace) {
  const std::string text =
      "static_resources:\n"
      "  listeners:\n"
      "  - name: in\n"
      "    colour: red\n"
      "    address: {socket_address: {address: here, port_value: 70000}}\n"
      "    filter_chains: []\n"
      "  clusters:\n"
      "  - name: up\n"
      "    lb_policy: MAGLEV\n";
  EXPECT_EQ(
      plan::all(load(text, "f.yaml").problems),
      "f.yaml:4:5: static_resources.listeners[0].colour: unknown field\n"
      "f.yaml:5:59: static_resources.listeners[0].address.socket_address.port_value: a number from 0 to 65535 is "
      "expected here, not '70000'\n"
      "f.yaml:6:20: static_resources.listeners[0].filter_chains: a filter chain is missing, so no connection could "
      "be served\n"
      "f.yaml:8:5: static_resources.clusters[0]: load_assignment is missing\n"
      "f.yaml:9:16: static_resources.clusters[0].lb_policy: MAGLEV is not supported by this version; write "
      "ROUND_ROBIN or LEAST_REQUEST\n");
}

TEST(EnvoyRefusal, WhatIsNoConfigurationIsToldOnce) {
  for (const std::string text :
       {"", "a: [", "[]", "--- {}\n--- {}\n", "x", "\t- a: b", "{a: *b}", "a: b\n]\n", "a\n  b: c\n"}) {
    const Loaded loaded = load(text, "f");
    EXPECT_EQ(loaded.problems.size(), 1U) << text << plan::all(loaded.problems);
  }
  EXPECT_NE(said(std::string(1048577, ' ')).find("larger than 1 MiB"), std::string::npos);
}

TEST(EnvoyRefusal, WhatIsTooDeepIsCalledThat) {
  EXPECT_EQ(said(std::string(5000, '[')),
            "lists and fields stand too deep in each other from here on; no field of Envoy's is so deep\n");
}

// With several files, the place says which of them has more.
TEST(EnvoyRefusal, WhatIsOnlyCountedHasAPlaceToo) {
  std::string text = "static_resources: {}\n";
  for (int i = 2; i <= 121; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const std::vector<plan::Problem> problems = load(text, "f").problems;
  ASSERT_EQ(problems.size(), 101U);
  const plan::Place& place = problems.back().place;
  EXPECT_EQ(problems.back().text, "and 20 more like these");
  EXPECT_EQ(place.file, "f");
  EXPECT_EQ(place.line, 102);
  EXPECT_EQ(place.column, 1);
}

TEST(EnvoyRefusal, OnlyARelayHasUseForTheServersName) {
  const std::string type = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
  const std::string echo = typed("envoy.extensions.filters.network.echo.v3.Echo");
  EXPECT_EQ(said(file(listener_of(echo, "listener_filters: [" + typed(type) + "], "))),
            "static_resources.listeners[0].listener_filters[0]: only a tcp_proxy has use for what tls_inspector finds; "
            "leave it out\n");
  EXPECT_EQ(said(file(listener_of(tcp_proxy(), "listener_filters: [" + typed(type) + "], "))), "");
  EXPECT_EQ(said(file(listener_of(tcp_proxy(),
                                  "listener_filters: [" + typed(type, "enable_ja3_fingerprinting: true") + "], "))),
            "static_resources.listeners[0].listener_filters[0].typed_config.enable_ja3_fingerprinting: not supported "
            "by this version\n");
}

// One after the other, each compared with all before it, they took a minute.
TEST(EnvoyRefusal, ManyFieldsAreReadInOneGo) {
  std::string text = "{";
  for (int i = 0; i < 95000; ++i) text += "k" + std::to_string(i) + ": 1,";
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<plan::Problem> problems = load(text + "k0: 1}", "f").problems;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
  EXPECT_EQ(problems.size(), 101U);
  EXPECT_EQ(problems.back().text, "and 94902 more like these");
}

// Some kilobytes that stand for 10^9 filters.
TEST(EnvoyRefusal, AliasesDoNotMultiplyWithoutEnd) {
  const auto thousand = [](const std::string& first, const std::string& again) {
    std::string text = first;
    for (int i = 1; i < 1000; ++i) text += ", " + again;
    return text;
  };
  const std::string filters = "&f [" + thousand("{}", "{}") + "]";
  const std::string chains = "&c [" + thousand("{filters: " + filters + "}", "{filters: *f}") + "]";
  const std::string text =
      "static_resources: {listeners: [" + thousand("{filter_chains: " + chains + "}", "{filter_chains: *c}") + "]}\n";
  const std::vector<plan::Problem> problems = load(text, "f").problems;
  EXPECT_EQ(problems.size(), 101U);
  EXPECT_EQ(problems.back().text.substr(0, 4), "and ");
}

}  // namespace
}  // namespace tunnel::envoy
