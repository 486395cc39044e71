// SPDX-License-Identifier: Apache-2.0
// The filter set_filter_state of an Envoy file: what it sets, and what of it is refused.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "envoy/load.hpp"
#include "unit/envoy/load_cases.hpp"

namespace tunnel::envoy {
namespace {

std::string setting(const std::string& objects) {
  return typed("envoy.extensions.filters.network.set_filter_state.v3.Config", "on_new_connection: [" + objects + "]") +
         ", " + tcp_proxy();
}

std::string object(const std::string& value, const std::string& more = "factory_key: envoy.string") {
  return "{object_key: a.b, " + more + ", format_string: {text_format_source: {inline_string: '" + value + "'}}}";
}

TEST(EnvoyState, ObjectsAreSetInTheirOrder) {
  const std::string objects =
      object("one") + ", " +
      object("%DOWNSTREAM_REMOTE_ADDRESS%", "factory_key: envoy.hashable_string, shared_with_upstream: ONCE") +
      ", {object_key: envoy.filters.listener.original_dst.local_ip, shared_with_upstream: TRANSITIVE, skip_if_empty: "
      "true, format_string: {text_format: '%FILTER_STATE(a.b:PLAIN)%', omit_empty_values: true}}";
  const Loaded loaded = load(file(listener_of(setting(objects))), "f.yaml");
  ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front().text;
  EXPECT_EQ(loaded.listeners.at(0).state,
            (std::vector<plan::State>{{"a.b", "one", StateShare::none},
                                      {"a.b", "%DOWNSTREAM_REMOTE_ADDRESS%", StateShare::once},
                                      {"envoy.filters.listener.original_dst.local_ip", "%FILTER_STATE(a.b:PLAIN)%",
                                       StateShare::transitive}}));
}

TEST(EnvoyState, WhatWouldDifferIsRefused) {
  const std::string at = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.on_new_connection[0]";
  const std::string text = at + ".format_string.text_format_source.inline_string: ";
  const auto refused = [](const std::string& one) { return file(listener_of(setting(one))); };
  expect_refused({
      {refused(object("x", "factory_key: envoy.other")),
       at + ".factory_key: an object of the kind 'envoy.other' is not supported by this version; write envoy.string or "
            "envoy.hashable_string"},
      {refused("{object_key: a.b, format_string: {text_format_source: {inline_string: x}}}"),
       at + ": an object of the kind 'a.b' is not supported by this version; write envoy.string or "
            "envoy.hashable_string"},
      {refused(object("%DYNAMIC_METADATA(a:b)%")),
       text + "for a value that is missing there would be a '-'; write omit_empty_values: true"},
      {refused(object("%DOWNSTREAM_LOCAL_PORT%")),
       text + "an object that is empty is not supported by this version; write skip_if_empty: true"},
      {refused(object("%PROTOCOL%")), text + "'%PROTOCOL%' is not supported by this version"},
      {refused(object("x", "factory_key: envoy.string, read_only: true")),
       at + ".read_only: not supported by this version"},
      {refused("{object_key: envoy.tcp_proxy.cluster, factory_key: envoy.string, format_string: {text_format_source: "
               "{inline_string: x}}}"),
       at + ".object_key: 'envoy.tcp_proxy.cluster' is an object of Envoy's own, which is not supported by this "
            "version; choose another key"},
      {refused("{object_key: a, factory_key: envoy.string, format_string: {}}"),
       at + ".format_string: give text_format_source"},
  });
}

// A transport socket that passes things on does nothing around a connection that leaves the process.
TEST(EnvoyState, IsPassedOnToInternalListenersOnly) {
  const std::string socket =
      "transport_socket: " +
      typed("envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
            "transport_socket: " + typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")) +
      ", ";
  const Loaded loaded = load(file(listener_of(tcp_proxy()), cluster_of(socket + kSomewhere)), "f.yaml");
  ASSERT_TRUE(loaded.problems.empty()) << loaded.problems.front().text;
  EXPECT_FALSE(loaded.clusters.at(0).passes_state);
}

}  // namespace
}  // namespace tunnel::envoy
