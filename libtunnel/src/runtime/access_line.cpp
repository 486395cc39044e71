// SPDX-License-Identifier: Apache-2.0
#include "runtime/access_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "plan/host_port.hpp"
#include "plan/state.hpp"
#include "proxy/formatted_value.hpp"
#include "runtime/response_flags.hpp"

namespace tunnel::runtime {
namespace {

using Op = plan::AccessOperator;

// Heads have their own limits; this is for what escaping makes of them.
constexpr std::size_t kMostValueBytes = 1 << 20;

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::value(text)); }

// A quote of a peer's must not look like the end of one of the format's.
std::string escaped(std::string_view bytes) {
  std::string text = log::escape(bytes, kMostValueBytes);
  for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at)) text.replace(at, 1, "\\x22");
  return text;
}

// Asked for once.
const std::string& host_name() {
  static const std::string asked = [] {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
  }();
  return asked;
}

// Where the port of HOST:PORT begins; npos: it has none, as "internal:NAME/ID" and "unix:PATH" whatever they end in.
std::size_t colon_of(std::string_view address) {
  if (address.starts_with("internal:") || address.starts_with("unix:")) return std::string_view::npos;
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == address.size()) return std::string_view::npos;
  const bool digits = address.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  return digits ? colon : std::string_view::npos;
}

std::string host_of(std::string_view address) {
  const std::size_t colon = colon_of(address);
  if (colon == std::string_view::npos) return plan::as_envoy_writes(address);
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

// Empty of an address that has none.
std::string port_of(std::string_view address) {
  const std::size_t colon = colon_of(address);
  return colon == std::string_view::npos ? "" : std::string(address.substr(colon + 1));
}

std::optional<std::string> if_any(std::string text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(std::move(text));
}

// Of an internal hop our end has a name, of a unix socket none.
std::string upstream_local(const AccessRecord& record) {
  if (record.upstream.starts_with("internal:")) return "internal:internal_client_address";
  return record.upstream_local.family() == AF_UNSPEC ? "" : record.upstream_local.to_string();
}

// What stands behind the name in "internal:NAME/ID".
std::string endpoint_id(const AccessRecord& record) {
  const std::string name = "internal:" + std::string(record.listener) + "/";
  return record.downstream_local.starts_with(name) ? record.downstream_local.substr(name.size()) : "";
}

std::uint16_t status_of(const AccessRecord& record) { return record.client_had_gone() ? 0 : record.status; }

const LoggedFields::List& fields_for(Op op, const LoggedFields& fields) {
  if (op == Op::trailer) return fields.trailers;
  return op == Op::request ? fields.request : fields.response;
}

std::optional<std::string> field_of(const AccessRecord& record, Op op, const std::string& name) {
  if (name == ":method") return if_any(record.method);
  if (name == ":path") return if_any(record.path);
  if (name == ":authority") return if_any(record.kind == AccessRecord::Kind::connection ? "" : record.authority);
  if (name == ":status") return if_any(status_of(record) == 0 ? "" : std::to_string(status_of(record)));
  if (!record.fields) return std::nullopt;
  const LoggedFields::List& list = fields_for(op, *record.fields);
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& field) { return field.first == name; });
  return found == list.end() ? std::nullopt : std::optional(found->second);
}

std::string time_of(const AccessRecord& record, const std::string& format) {
  const auto since = record.start.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds);
  return plan::format_time(format, seconds.count(), static_cast<std::uint32_t>(rest.count()));
}

// No flag is "-", also where empty values are left out, as in Envoy.
std::string flags_of(const AccessRecord& record, bool in_full) {
  const ResponseFlag flag = response_flag(record);
  std::string text(in_full ? flag.long_flag : flag.flag);
  if (text.empty()) return "-";
  if (used_up_attempts(record)) text += in_full ? ",UpstreamRetryLimitExceeded" : ",URX";
  return text;
}

// Why there was no connection; Envoy has no blanks in it either.
std::string failure_of(const AccessRecord& record) {
  if (!record.error || !record.upstream.empty() || record.refused || record.error.side == Error::Side::downstream)
    return "";
  std::string text(record.error.text());
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

std::optional<std::string> cut(std::optional<std::string> value, std::optional<std::size_t> most_bytes) {
  if (value && most_bytes && value->size() > *most_bytes) value->resize(*most_bytes);
  return value;
}

std::optional<std::string> field_value(const plan::AccessPart& part, const AccessRecord& record) {
  std::optional<std::string> value = field_of(record, part.op, part.first);
  if (!value && !part.second.empty()) value = field_of(record, part.op, part.second);
  return cut(std::move(value), part.most_bytes);
}

const MetadataValue* metadata_of(const plan::AccessPart& part, const AccessRecord& record) {
  return proxy::metadata_value(record.metadata.get(), part.first, part.second);
}

std::optional<std::string> metadata_text(const plan::AccessPart& part, const AccessRecord& record) {
  const MetadataValue* value = metadata_of(part, record);
  return value == nullptr ? std::nullopt : cut(value->text, part.most_bytes);
}

std::optional<std::string> object_text(const plan::AccessPart& part, const AccessRecord& record) {
  const FilterStatePtr& state = part.op == Op::state ? record.state : record.far_state;
  return cut(if_any(plan::state_value(state.get(), part.first, part.plain)), part.most_bytes);
}

// What is JSON as it stands.
bool is_typed(const plan::AccessPart& part) {
  return (part.op == Op::state || part.op == Op::far_state) && !part.plain;
}

enum class Of : std::uint8_t { address, host, port };

std::optional<std::string> address_part(Of part, const std::string& address) {
  if (address.empty()) return std::nullopt;
  if (part == Of::address) return plan::as_envoy_writes(address);
  return part == Of::host ? host_of(address) : port_of(address);
}

std::optional<std::string> address_value(Op op, const AccessRecord& record) {
  switch (op) {
    case Op::upstream_address:
      return address_part(Of::address, record.upstream);
    case Op::upstream_host:
      return address_part(Of::host, record.upstream);
    case Op::upstream_port:
      return address_part(Of::port, record.upstream);
    case Op::upstream_local_address:
      return address_part(Of::address, upstream_local(record));
    case Op::upstream_local_host:
      return address_part(Of::host, upstream_local(record));
    case Op::upstream_local_port:
      return address_part(Of::port, upstream_local(record));
    case Op::remote_address:
      return address_part(Of::address, record.downstream_remote);
    case Op::remote_host:
      return address_part(Of::host, record.downstream_remote);
    case Op::remote_port:
      return address_part(Of::port, record.downstream_remote);
    case Op::local_address:
      return address_part(Of::address, record.downstream_local);
    case Op::local_host:
      return address_part(Of::host, record.downstream_local);
    default:
      return address_part(Of::port, record.downstream_local);
  }
}

// Nothing: it has none.
std::optional<std::string> value_of(const plan::AccessPart& part, const AccessRecord& record) {
  switch (part.op) {
    case Op::none:
      return part.text;
    case Op::start_time:
      return time_of(record, part.first);
    case Op::request:
    case Op::response:
    case Op::trailer:
      return field_value(part, record);
    case Op::metadata:
      return metadata_text(part, record);
    case Op::state:
    case Op::far_state:
      return object_text(part, record);
    case Op::server_name:
      return if_any(record.server_name);
    case Op::protocol:
      return if_any(record.protocol == "TCP" ? "" : std::string(record.protocol));
    case Op::response_code:
      return std::to_string(status_of(record));
    case Op::response_code_details:
      return if_any(response_details(record));
    case Op::response_flags:
    case Op::response_flags_long:
      return flags_of(record, part.op == Op::response_flags_long);
    case Op::bytes_received:
      return std::to_string(record.bytes_received);
    case Op::bytes_sent:
      return std::to_string(record.bytes_sent);
    case Op::duration:
      return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(record.duration).count());
    case Op::upstream_attempts:
      return std::to_string(record.attempts);
    case Op::upstream_cluster:
      return if_any(std::string(record.cluster));
    case Op::upstream_failure:
      return if_any(failure_of(record));
    case Op::endpoint_id:
      return endpoint_id(record);
    case Op::termination_details:
      return std::nullopt;  // only filters there are none of here, RBAC and TLS, leave any
    case Op::log_type:
      return record.kind == AccessRecord::Kind::connection ? "TcpConnectionEnd" : "DownstreamEnd";
    case Op::host_name:
      return if_any(host_name());
    default:
      return address_value(part.op, record);
  }
}

std::string text_of(const plan::AccessParts& parts, const AccessRecord& record, std::string_view nothing) {
  std::string text;
  for (const plan::AccessPart& part : parts) {
    if (part.op == Op::none) {
      text += part.text;
      continue;
    }
    const std::optional<std::string> value = value_of(part, record);
    if (!value)
      text += nothing;
    else
      text += is_typed(part) ? *value : escaped(*value);
  }
  return text;
}

// An operator alone keeps what it is in JSON; "": it has no value.
std::string json_of(const plan::AccessPart& part, const AccessRecord& record) {
  if (part.op == Op::metadata) {
    const MetadataValue* value = metadata_of(part, record);
    if (value != nullptr && !value->is_text) return value->text;  // which is not cut
  }
  const std::optional<std::string> value = value_of(part, record);
  if (!value) return "";
  if (is_typed(part) && !part.most_bytes) return *value;
  return plan::is_number(part.op) ? *value : quoted(log::escape(*value, kMostValueBytes));
}

}  // namespace

AccessLine::AccessLine(const plan::AccessFormat& format)
    : text_(plan::parse_access_text(format.text)),
      fields_(compiled(format.fields)),
      omits_empty_(format.omit_empty_values) {}

std::vector<AccessLine::Field> AccessLine::compiled(const std::vector<plan::AccessField>& fields) {
  std::vector<Field> made;
  made.reserve(fields.size());
  for (const plan::AccessField& field : fields)
    made.push_back({quoted(field.name) + ":", plan::parse_access_text(field.text), compiled(field.fields)});
  return made;
}

std::string AccessLine::json_value(const Field& field, const AccessRecord& record) const {
  if (!field.fields.empty()) return json_object(field.fields, record);
  const bool alone = field.parts.size() == 1 && field.parts.front().op != Op::none;
  std::string value = alone ? json_of(field.parts.front(), record) : quoted(text_of(field.parts, record, nothing()));
  return value.empty() && !omits_empty_ ? "null" : value;
}

std::string AccessLine::json_object(const std::vector<Field>& fields, const AccessRecord& record) const {
  std::string object;
  for (const Field& field : fields) {
    const std::string value = json_value(field, record);
    if (value.empty()) continue;
    object += object.empty() ? '{' : ',';
    object += field.begin + value;
  }
  return object.empty() ? object : object + '}';
}

std::string AccessLine::of(const AccessRecord& record) const {
  if (fields_.empty()) return text_of(text_, record, nothing());
  const std::string object = json_object(fields_, record);
  return (object.empty() ? "{}" : object) + '\n';
}

}  // namespace tunnel::runtime
