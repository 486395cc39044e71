// SPDX-License-Identifier: Apache-2.0
#include "proxy/formatted_value.hpp"

#include <cstdint>
#include <string_view>

#include "plan/host_port.hpp"
#include "plan/state.hpp"

namespace tunnel::proxy {
namespace {

bool is_set(const SocketAddress& address) { return address.family() != AF_UNSPEC; }

enum class Part : std::uint8_t { address, host, port, id };

// Where it was accepted (`direct`) or, if that is known, where it was going.
std::string local_value(Part part, bool direct, const ConnectionInfo& info) {
  const bool redirected = !direct && is_set(info.original);
  if (info.hops > 0 && !redirected) {
    if (part == Part::id) return info.endpoint_id;
    return part == Part::port ? "" : plan::as_envoy_writes(info.local_name);
  }
  const SocketAddress& local = redirected ? info.original : info.local;
  if (!is_set(local) || part == Part::id) return "";
  if (part == Part::address) return local.to_string();
  return part == Part::host ? local.ip() : std::to_string(local.port());
}

std::string remote_value(plan::Operator op, const ConnectionInfo& info) {
  if (!is_set(info.remote)) return "";
  if (op == plan::Operator::remote_address) return info.remote.to_string();
  return op == plan::Operator::remote_host ? info.remote.ip() : std::to_string(info.remote.port());
}

std::string metadata_of(const plan::ConnectionPart& part, const ConnectionInfo& info) {
  const MetadataValue* value = metadata_value(info.metadata.get(), part.space, part.key);
  return value == nullptr ? "" : value->text.substr(0, part.most_bytes.value_or(std::string::npos));
}

std::string value_of(const plan::ConnectionPart& part, const ConnectionInfo& info) {
  switch (part.op) {
    case plan::Operator::none:
      return part.text;
    case plan::Operator::local_address:
      return local_value(Part::address, false, info);
    case plan::Operator::local_host:
      return local_value(Part::host, false, info);
    case plan::Operator::local_port:
      return local_value(Part::port, false, info);
    case plan::Operator::endpoint_id:
      return local_value(Part::id, false, info);
    case plan::Operator::direct_address:
      return local_value(Part::address, true, info);
    case plan::Operator::direct_host:
      return local_value(Part::host, true, info);
    case plan::Operator::direct_port:
      return local_value(Part::port, true, info);
    case plan::Operator::direct_id:
      return local_value(Part::id, true, info);
    case plan::Operator::remote_address:
    case plan::Operator::remote_host:
    case plan::Operator::remote_port:
      return remote_value(part.op, info);
    case plan::Operator::server_name:
      return info.server_name;
    case plan::Operator::metadata:
      return metadata_of(part, info);
    case plan::Operator::state:
      return plan::state_value(info.state.get(), part.key, part.plain)
          .substr(0, part.most_bytes.value_or(std::string::npos));
  }
  return "";
}

}  // namespace

const MetadataValue* metadata_value(const DynamicMetadata* metadata, std::string_view space, std::string_view key) {
  if (metadata == nullptr) return nullptr;
  const auto keys = metadata->find(space);
  if (keys == metadata->end()) return nullptr;
  const auto value = keys->second.find(key);
  return value == keys->second.end() ? nullptr : &value->second;
}

plan::ConnectionFormat format_of(const std::string& text, bool inspector) {
  plan::ConnectionFormat format = plan::parse_connection_format(text);
  if (!inspector)
    std::erase_if(format, [](const plan::ConnectionPart& part) { return part.op == plan::Operator::server_name; });
  return format;
}

std::string formatted_value(const plan::ConnectionFormat& format, const ConnectionInfo& info) {
  std::string value;
  for (const plan::ConnectionPart& part : format) value += value_of(part, info);
  return value;
}

}  // namespace tunnel::proxy
