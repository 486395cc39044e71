// SPDX-License-Identifier: Apache-2.0
#include "plan/state.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/log.hpp"
#include "plan/connection_format.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::size_t kMostKeyBytes = 256;
constexpr std::size_t kMostValueBytes = 4096;  // of the format; it becomes a part of heads, which are limited, too

bool is_odd(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == ':' || c == '=' || c == '%'; }

std::string key_fault(const std::string& key) {
  if (key.empty()) return "an object of filter state has a key";
  if (key.size() > kMostKeyBytes)
    return "a key of filter state has at most " + std::to_string(kMostKeyBytes) + " bytes";
  if (std::any_of(key.begin(), key.end(), &is_odd))
    return "a key of filter state has no blank, no control character and none of : = %";
  if (key.starts_with("envoy.") && key != kOriginalStateKey)
    return in_quotes(key) + " is an object of Envoy's own, which is not supported by this version; choose another key";
  return "";
}

std::string json_of(const StateObject& object) {
  if (object.is_json) return object.value;
  return boost::json::serialize(boost::json::value(log::escape(object.value, object.value.size() * 4)));
}

}  // namespace

std::string state_fault(const State& state) {
  std::string fault = key_fault(state.key);
  if (fault.empty() && state.value.size() > kMostValueBytes)
    fault = "a value of filter state has at most " + std::to_string(kMostValueBytes) + " bytes";
  if (fault.empty()) fault = connection_format_fault(state.value);
  if (fault.empty() && has_operator(parse_connection_format(state.value), Operator::server_name))
    fault = "%REQUESTED_SERVER_NAME% is known once the client has spoken, and this is set before";
  if (fault.empty() && state.value.empty()) fault = "an object without a value would never be there; give it one";
  return fault;
}

std::string read_state_name(const FormatPart& part, StateName& name) {
  const std::size_t colon = part.arguments.find(':');
  name.key = part.arguments.substr(0, colon);
  const std::string kind = colon == std::string::npos ? "TYPED" : part.arguments.substr(colon + 1);
  name.plain = kind == "PLAIN";
  if (name.key.empty()) return in_quotes(to_string(part)) + " names no object; write %FILTER_STATE(KEY:PLAIN)%";
  if (name.plain || kind == "TYPED") return "";
  return in_quotes(to_string(part)) + ": " + in_quotes(kind) +
         " is not supported by this version; there is PLAIN and TYPED";
}

std::string state_value(const FilterState* state, std::string_view key, bool plain) {
  if (state == nullptr) return "";
  const auto found = state->find(key);
  if (found == state->end()) return "";
  if (plain) return found->second.is_json ? "" : found->second.value;
  return json_of(found->second);
}

std::string to_string(const State& state) {
  std::string text;
  if (state.share == StateShare::none) text = "none:";
  if (state.share == StateShare::once) text = "once:";
  return text.append(state.key).append("=").append(state.value);
}

}  // namespace tunnel::plan
