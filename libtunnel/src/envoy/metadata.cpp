// SPDX-License-Identifier: Apache-2.0
#include "envoy/metadata.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "envoy/extension.hpp"
#include "plan/metadata.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::string_view kRawBuffer = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
constexpr std::string_view kInternalUpstream =
    "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport";

// As Envoy takes a scalar of YAML: what is quoted is a text, so is any number but a whole one of 32 bits.
void read_scalar(const YAML::Node& node, plan::Metadata& into) {
  const bool quoted = node.Tag() == "!";
  bool truth = false;
  std::int64_t number = 0;
  into.value = node.Scalar();
  if (quoted) return;
  if (YAML::convert<bool>::decode(node, truth)) {
    into.kind = plan::Metadata::Kind::boolean;
    into.value = truth ? "true" : "false";
  } else if (YAML::convert<std::int64_t>::decode(node, number) && number >= std::numeric_limits<std::int32_t>::min() &&
             number <= std::numeric_limits<std::int32_t>::max()) {
    into.kind = plan::Metadata::Kind::number;
    into.value = std::to_string(number);
  }
}

void read_value(const std::string& space, const std::string& key, const Value& value,
                std::vector<plan::Metadata>& metadata) {
  if (!value.node().IsScalar() || value.node().IsNull())
    return value.refuse(
        "metadata of this kind is not supported by this version; write a text, a number, true or false");
  plan::Metadata read{space, key, ""};
  read_scalar(value.node(), read);
  if (const std::string fault = plan::metadata_fault(read); !fault.empty()) return value.refuse(fault);
  metadata.push_back(std::move(read));
}

void read_source(Fields& fields, std::vector<plan::Passthrough>& passthrough) {
  const auto name = fields.need("name");
  const auto space = name ? name->text() : std::nullopt;
  if (space && space->empty()) name->refuse("the space of the metadata is missing");
  const auto kind = fields.need("kind");
  if (!kind) return;
  std::optional<plan::Passthrough::From> from;
  read_message(*kind, [&](Fields& kinds) {
    const auto host = kinds.find("host");
    const auto cluster = kinds.find("cluster");
    if (host) from = plan::Passthrough::From::host;
    if (cluster) from = plan::Passthrough::From::cluster;
    if (host) read_empty(*host);
    if (cluster) read_empty(*cluster);
    bool other = false;
    for (const char* unsupported : {"request", "route"}) {
      const auto found = kinds.find(unsupported);
      other = other || found;
      if (found) found->refuse("metadata of this kind cannot be passed on; write host: {} or cluster: {}");
    }
    if (!other && host.has_value() == cluster.has_value()) kind->refuse("give one of host: {} and cluster: {}");
  });
  if (space && from) passthrough.push_back({*space, *from});
}

void read_internal_upstream(Fields& fields, plan::Cluster& cluster) {
  cluster.passes_state = true;
  if (const auto sources = fields.find("passthrough_metadata"))
    read_messages(*sources, [&](Fields& source) { read_source(source, cluster.passthrough); });
  if (const auto inner = fields.need("transport_socket")) read_extension(*inner, {{kRawBuffer, [](Fields&) {}}});
}

}  // namespace

std::vector<plan::Metadata> read_metadata(const Value& value) {
  std::vector<plan::Metadata> metadata;
  read_message(value, [&](Fields& fields) {
    fields.refuse({"typed_filter_metadata"});
    const auto spaces = fields.find("filter_metadata");
    if (!spaces) return;
    read_message(*spaces, [&](Fields& all) {
      for (const auto& [space, values] : all.all())
        read_message(values, [&, &name = space](Fields& keys) {
          for (const auto& [key, one] : keys.all()) read_value(name, key, one, metadata);
        });
    });
  });
  return metadata;
}

void read_transport_socket(const Value& value, plan::Cluster& cluster) {
  read_extension(value, {{kRawBuffer, [](Fields&) {}},
                         {kInternalUpstream, [&](Fields& fields) { read_internal_upstream(fields, cluster); }}});
}

}  // namespace tunnel::envoy
