// SPDX-License-Identifier: Apache-2.0
#include "envoy/tunnel.hpp"

#include <string>
#include <utility>
#include <vector>

#include "base/letter_case.hpp"
#include "plan/connection_format.hpp"
#include "plan/header_field.hpp"
#include "plan/host_port.hpp"
#include "plan/source.hpp"

namespace tunnel::envoy {
namespace {

std::string read_target(const Value& value, bool redirected) {
  const std::string text = value.text().value_or("");
  if (const std::string fault = plan::connection_format_fault(text); !fault.empty()) {
    value.refuse(fault);
    return "";
  }
  const plan::ConnectionFormat parts = plan::parse_connection_format(text);
  const plan::Operator op = parts.size() == 1 ? parts.front().op : plan::Operator::none;
  if (op == plan::Operator::endpoint_id) return "@endpoint";
  if (op == plan::Operator::local_address) {
    if (!redirected)
      value.refuse("this would lead a tunnel back here, unless the listener filter original_dst stands before");
    return "@orig-dst";
  }
  const bool written = parts.empty() || (parts.size() == 1 && op == plan::Operator::none);
  std::string target = written && !parts.empty() ? parts.front().text : text;
  const std::string fault = written ? plan::target_fault(target) : plan::target_source_fault(target);
  if (!fault.empty()) value.refuse(fault);
  return target;
}

// A text without operators is no format any more.
void read_value(const Value& value, bool keep_empty, plan::Header& header) {
  header.value = value.text().value_or("");
  std::string fault = plan::connection_format_fault(header.value);
  if (fault.empty()) fault = plan::field_value_fault(header.value);
  if (fault.empty() && header.value.empty() && !keep_empty)
    fault = "an empty value is not sent; write keep_empty_value: true, or leave the header out";
  if (!fault.empty()) return value.refuse(fault);
  const plan::ConnectionFormat parts = plan::parse_connection_format(header.value);
  header.format = parts.size() > 1 || (parts.size() == 1 && parts.front().op != plan::Operator::none);
  if (header.format && keep_empty)
    value.refuse("a value that is taken from the connection is not sent when it is empty");
  if (!header.format && !parts.empty()) header.value = parts.front().text;
}

void read_header(Fields& option, plan::Tunnel& tunnel) {
  option.refuse({"append"});
  if (const auto action = option.find("append_action"))
    (void)action->choice<bool>({{"APPEND_IF_EXISTS_OR_ADD", true}},
                               {"ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"});
  bool keep_empty = false;
  if (const auto keep = option.find("keep_empty_value")) keep_empty = keep->boolean().value_or(false);
  const auto header = option.need("header");
  if (!header) return;
  read_message(*header, [&](Fields& fields) {
    fields.refuse({"raw_value"});
    plan::Header read;
    if (const auto key = fields.need("key")) {
      read.name = to_lower(key->text().value_or(""));
      if (const std::string fault = plan::field_name_fault(read.name); !fault.empty()) key->refuse(fault);
    }
    if (const auto value = fields.need("value")) read_value(*value, keep_empty, read);
    read.secret = plan::is_secret_field(read.name);
    tunnel.headers.push_back(std::move(read));
  });
}

}  // namespace

plan::Tunnel read_tunnel(const Value& value, bool redirected) {
  plan::Tunnel tunnel;
  read_message(value, [&](Fields& fields) {
    fields.refuse({"request_id_extension", "request_id_header", "request_id_metadata_key"});
    if (const auto keep = fields.find("propagate_response_headers"))
      tunnel.keeps_response_headers = keep->boolean().value_or(false);
    if (const auto keep = fields.find("propagate_response_trailers"))
      tunnel.keeps_response_trailers = keep->boolean().value_or(false);
    if (const auto hostname = fields.need("hostname")) tunnel.target = read_target(*hostname, redirected);
    if (const auto post = fields.find("use_post")) tunnel.post = post->boolean().value_or(false);
    if (const auto path = fields.find("post_path")) {
      tunnel.post_path = path->text().value_or("/");
      if (!tunnel.post) path->refuse("a path is for tunnels by POST; write use_post: true");
    }
    if (const auto headers = fields.find("headers_to_add"))
      read_messages(*headers, [&](Fields& header) { read_header(header, tunnel); });
  });
  return tunnel;
}

}  // namespace tunnel::envoy
