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

#include "base/log.hpp"
#include "plan/host_port.hpp"
#include "plan/state.hpp"
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

std::string port_of(std::string_view address) {
  const std::size_t colon = colon_of(address);
  return colon == std::string_view::npos ? "" : std::string(address.substr(colon + 1));
}

// What a client that had gone was told is no answer.
std::uint16_t status_of(const AccessRecord& record) {
  const bool gone = record.error.side == Error::Side::downstream && is_ordinary_end(record.error);
  return gone && record.answer == AccessRecord::Answer::none ? 0 : record.status;
}

std::string field_of(const AccessRecord& record, Op op, const std::string& name) {
  if (name == ":method") return record.method;
  if (name == ":path") return record.path;
  if (name == ":authority") return record.kind == AccessRecord::Kind::connection ? "" : record.authority;
  if (name == ":status") return status_of(record) == 0 ? "" : std::to_string(status_of(record));
  if (!record.fields) return "";
  const LoggedFields::List& list = op == Op::request ? record.fields->request : record.fields->response;
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& field) { return field.first == name; });
  return found == list.end() ? "" : found->second;
}

std::string time_of(const AccessRecord& record, const std::string& format) {
  const auto since = record.start.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds);
  return plan::format_time(format, seconds.count(), static_cast<std::uint32_t>(rest.count()));
}

std::string flags_of(const AccessRecord& record, bool in_full) {
  const ResponseFlag flag = response_flag(record);
  std::string text(in_full ? flag.long_flag : flag.flag);
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

std::string request_value(const plan::AccessPart& part, const AccessRecord& record) {
  std::string value = field_of(record, part.op, part.first);
  if (value.empty() && !part.second.empty()) value = field_of(record, part.op, part.second);
  if (part.most_bytes && value.size() > *part.most_bytes) value.resize(*part.most_bytes);
  return value;
}

std::string object_value(const plan::AccessPart& part, const AccessRecord& record) {
  const FilterStatePtr& state = part.op == Op::state ? record.state : record.far_state;
  std::string value = plan::state_value(state.get(), part.first, part.plain);
  if (part.most_bytes && value.size() > *part.most_bytes) value.resize(*part.most_bytes);
  return value;
}

// What is JSON as it stands.
bool is_typed(const plan::AccessPart& part) {
  return (part.op == Op::state || part.op == Op::far_state) && !part.plain;
}

std::string address_value(Op op, const AccessRecord& record) {
  switch (op) {
    case Op::upstream_address:
      return plan::as_envoy_writes(record.upstream);
    case Op::upstream_host:
      return host_of(record.upstream);
    case Op::upstream_port:
      return port_of(record.upstream);
    case Op::remote_address:
      return plan::as_envoy_writes(record.downstream_remote);
    case Op::remote_host:
      return host_of(record.downstream_remote);
    case Op::remote_port:
      return port_of(record.downstream_remote);
    case Op::local_address:
      return plan::as_envoy_writes(record.downstream_local);
    case Op::local_host:
      return host_of(record.downstream_local);
    default:
      return port_of(record.downstream_local);
  }
}

// "": it has none.
std::string value_of(const plan::AccessPart& part, const AccessRecord& record) {
  switch (part.op) {
    case Op::none:
      return part.text;
    case Op::start_time:
      return time_of(record, part.first);
    case Op::request:
    case Op::response:
      return request_value(part, record);
    case Op::protocol:
      return record.protocol == "TCP" ? "" : std::string(record.protocol);
    case Op::response_code:
      return std::to_string(status_of(record));
    case Op::response_code_details:
      return response_details(record);
    case Op::response_flags:
    case Op::response_flags_long:
      return flags_of(record, part.op == Op::response_flags_long);
    case Op::bytes_received:
      return std::to_string(record.bytes_received);
    case Op::bytes_sent:
      return std::to_string(record.bytes_sent);
    case Op::duration:
      return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(record.duration).count());
    case Op::upstream_cluster:
      return std::string(record.cluster);
    case Op::upstream_failure:
      return failure_of(record);
    case Op::state:
    case Op::far_state:
      return object_value(part, record);
    case Op::server_name:
      return record.server_name;
    case Op::log_type:
      return record.kind == AccessRecord::Kind::connection ? "TcpConnectionEnd" : "DownstreamEnd";
    case Op::host_name:
      return host_name();
    default:
      return address_value(part.op, record);
  }
}

std::string text_of(const plan::AccessParts& parts, const AccessRecord& record) {
  std::string text;
  for (const plan::AccessPart& part : parts) {
    const std::string value = value_of(part, record);
    if (part.op == Op::none || (is_typed(part) && !value.empty()))
      text += value;
    else
      text += value.empty() ? "-" : escaped(value);
  }
  return text;
}

// An operator alone keeps what it is in JSON: a number, or null where there is no value; no flag is "-", as in Envoy.
std::string json_of(const plan::AccessParts& parts, const AccessRecord& record) {
  if (parts.size() != 1 || parts.front().op == Op::none) return quoted(text_of(parts, record));
  const Op op = parts.front().op;
  std::string value = value_of(parts.front(), record);
  if (value.empty()) return op == Op::response_flags || op == Op::response_flags_long ? quoted("-") : "null";
  if (is_typed(parts.front()) && !parts.front().most_bytes) return value;
  return plan::is_number(op) ? value : quoted(log::escape(value, kMostValueBytes));
}

}  // namespace

AccessLine::AccessLine(const plan::AccessFormat& format)
    : text_(plan::parse_access_text(format.text)), fields_(compiled(format.fields)) {}

std::vector<AccessLine::Field> AccessLine::compiled(const std::vector<plan::AccessField>& fields) {
  std::vector<Field> made;
  made.reserve(fields.size());
  for (const plan::AccessField& field : fields)
    made.push_back({(made.empty() ? "" : ",") + quoted(field.name) + ":", plan::parse_access_text(field.text),
                    compiled(field.fields)});
  return made;
}

void AccessLine::write(const std::vector<Field>& fields, const AccessRecord& record, std::string& line) {
  line += '{';
  for (const Field& field : fields) {
    line += field.begin;
    if (field.fields.empty())
      line += json_of(field.parts, record);
    else
      write(field.fields, record, line);
  }
  line += '}';
}

std::string AccessLine::of(const AccessRecord& record) const {
  if (fields_.empty()) return text_of(text_, record);
  std::string line;
  write(fields_, record, line);
  return line + '\n';
}

}  // namespace tunnel::runtime
