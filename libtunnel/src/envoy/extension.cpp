// SPDX-License-Identifier: Apache-2.0
#include "envoy/extension.hpp"

#include <algorithm>
#include <string>

#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::string_view kPrefix = "type.googleapis.com/";

std::string listed(const std::vector<Kind>& kinds) {
  std::string text;
  for (const Kind& kind : kinds) text += (text.empty() ? "" : ", ") + std::string(kind.type);
  return text;
}

std::string_view last_part(std::string_view type) { return type.substr(type.rfind('.') + 1); }

// The type whose last part is that of `name`, or nearly so; what stands before it is much the same for all.
std::string nearest_type(std::string_view name, const std::vector<Kind>& kinds) {
  std::vector<std::string> parts;
  for (const Kind& kind : kinds) {
    if (last_part(kind.type) == last_part(name)) return std::string(kind.type);
    parts.emplace_back(last_part(kind.type));
  }
  const std::string near = plan::nearest(last_part(name), parts);
  for (const Kind& kind : kinds)
    if (last_part(kind.type) == near) return std::string(kind.type);
  return "";
}

void refuse_type(const Value& type, std::string_view name, const std::vector<Kind>& kinds) {
  if (const std::string near = nearest_type(name, kinds); !near.empty())
    return type.refuse("there is no type " + plan::in_quotes(name) + " here, did you mean " + near + "?");
  const bool of_envoy = name.starts_with("envoy.") || name.starts_with("xds.");
  type.refuse(plan::in_quotes(name) + (of_envoy ? " is not supported by this version" : " is no type of Envoy's") +
              (kinds.empty() ? "" : "; what may stand here: " + listed(kinds)));
}

}  // namespace

void read_typed(const Value& value, const std::vector<Kind>& kinds) {
  Fields fields(value);
  const std::optional<Value> type = fields.need("@type");
  const std::optional<std::string> url = type ? type->text() : std::nullopt;
  if (!url) return;
  if (!url->starts_with(kPrefix)) return type->refuse("a type begins with " + std::string(kPrefix));
  const std::string_view name = std::string_view(*url).substr(kPrefix.size());
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& each) { return each.type == name; });
  if (kind == kinds.end()) return refuse_type(*type, name, kinds);
  kind->read(fields);
  fields.close();
}

void read_extension(const Value& value, const std::vector<Kind>& kinds) {
  read_message(value, [&](Fields& fields) {
    fields.label("name");
    fields.refuse({"config_discovery"});
    if (const auto config = fields.need("typed_config")) read_typed(*config, kinds);
  });
}

}  // namespace tunnel::envoy
