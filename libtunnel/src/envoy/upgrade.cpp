// SPDX-License-Identifier: Apache-2.0
#include "envoy/upgrade.hpp"

#include "base/letter_case.hpp"
#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

void read_connect(const Value& value, Upgrade& upgrade) {
  read_message(value, [&](Fields& fields) {
    fields.refuse({"proxy_protocol_config"});
    if (const auto post = fields.find("allow_post")) upgrade.post = post->boolean().value_or(false);
  });
}

void read_one(Fields& fields, bool in_route, Upgrade& upgrade) {
  fields.refuse({"filters", "ignore_http11_upgrade"});
  const auto type = fields.need("upgrade_type");
  const auto name = type ? type->text() : std::nullopt;
  const auto enabled = fields.find("enabled");
  const bool on = enabled ? enabled->boolean().value_or(true) : true;
  const auto connect = in_route ? fields.find("connect_config") : std::nullopt;
  if (!name) return;
  if (!equal_ignoring_case(*name, "connect"))
    return type->refuse("the upgrade " + plan::in_quotes(*name) + " is not supported by this version; CONNECT is");
  if (upgrade.enabled) return type->refuse("CONNECT is given twice");
  upgrade.enabled = on;
  if (!connect) return;
  upgrade.terminated = true;
  read_connect(*connect, upgrade);
}

}  // namespace

Upgrade read_upgrades(const Value& value, bool in_route) {
  Upgrade upgrade;
  read_messages(value, [&](Fields& fields) { read_one(fields, in_route, upgrade); });
  return upgrade;
}

}  // namespace tunnel::envoy
