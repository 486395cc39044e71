// SPDX-License-Identifier: Apache-2.0
#include "envoy/tcp_proxy.hpp"

#include <utility>

#include "envoy/access_log.hpp"
#include "envoy/stat_prefix.hpp"
#include "envoy/timeout.hpp"
#include "envoy/tunnel.hpp"
#include "plan/check.hpp"

namespace tunnel::envoy {

void read_tcp_proxy(Fields& fields, bool redirected, plan::Listener& listener) {
  plan::TcpProxy proxy;
  read_stat_prefix(fields, listener);
  fields.refuse({"weighted_clusters", "metadata_match", "backoff_options", "hash_policy", "access_log_flush_interval",
                 "access_log_options", "flush_access_log_on_connected", "on_demand", "upstream_connect_mode",
                 "max_early_data_bytes", "downstream_idle_timeout", "upstream_idle_timeout", "proxy_protocol_tlvs"});
  if (const auto cluster = fields.need("cluster")) proxy.cluster = cluster->text().value_or("");
  if (const auto idle = fields.find("idle_timeout"))
    listener.idle_timeout = idle->duration().value_or(listener.idle_timeout);
  if (const auto lifetime = fields.find("max_downstream_connection_duration"))
    listener.max_lifetime = read_timeout(*lifetime).value_or(listener.max_lifetime);
  if (const auto attempts = fields.find("max_connect_attempts"))
    proxy.connect_attempts =
        static_cast<unsigned>(attempts->number(1, plan::kMostAttempts).value_or(proxy.connect_attempts));
  if (const auto tunnel = fields.find("tunneling_config")) proxy.tunnel = read_tunnel(*tunnel, redirected);
  if (const auto log = fields.find("access_log")) read_access_log(*log, listener);
  listener.handler = std::move(proxy);
}

}  // namespace tunnel::envoy
