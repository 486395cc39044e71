// SPDX-License-Identifier: Apache-2.0
#include "envoy/access_log.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "envoy/data_source.hpp"
#include "envoy/extension.hpp"
#include "plan/access_format.hpp"
#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

std::string read_format(const Value& value) {
  const std::optional<std::string> text = value.text();
  if (!text) return "";
  if (const std::string fault = plan::access_text_fault(*text); !fault.empty()) {
    value.refuse(fault);
    return "";
  }
  return *text;
}

void read_text(const Value& value, plan::AccessFormat& format) {
  const std::optional<std::string> text = value.text();
  if (text && text->empty())
    return value.refuse("a format is missing; without one the lines are those of --log-format");
  format.text = read_format(value);
}

// For Envoy 5, 0.5 and yes without quotes are no texts.
bool is_plain_number(const YAML::Node& node) {
  bool truth = false;
  double number = 0;
  return node.Tag() != "!" && (YAML::convert<bool>::decode(node, truth) || YAML::convert<double>::decode(node, number));
}

// An object, whose fields Envoy writes in the order of their names.
std::vector<plan::AccessField> read_object(const Value& value, int depth) {
  std::vector<plan::AccessField> fields;
  if (!value.node().IsMap() || value.node().size() == 0) {
    value.refuse("a JSON object with a field or more is expected here");
    return fields;
  }
  if (depth > plan::kDeepestObject) {
    value.refuse("there are at most " + std::to_string(plan::kDeepestObject) + " objects in each other");
    return fields;
  }
  std::set<std::string> names;
  for (const auto& entry : value.node()) {
    const YAML::Node& node = entry.second;
    if (!entry.first.IsScalar()) {
      value.refuse("the name of a field is expected here");
      continue;
    }
    const std::string& name = entry.first.Scalar();
    const Value field(value.document(), node, value.path() + "." + name);
    if (!value.document().may_go_on(field.place())) return fields;
    if (!names.insert(name).second) field.refuse("the field " + plan::in_quotes(name) + " is there twice");
    if (node.IsMap())
      fields.push_back({name, "", read_object(field, depth + 1)});
    else if (node.IsScalar() && !is_plain_number(node))
      fields.push_back({name, read_format(field)});
    else
      field.refuse("a text or an object is expected here; nothing else is supported by this version");
  }
  std::sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return fields;
}

void read_source(const Value& value, plan::AccessFormat& format) {
  if (const auto text = read_inline_string(value)) read_text(*text, format);
}

void read_log_format(const Value& value, plan::AccessFormat& format) {
  read_message(value, [&](Fields& fields) {
    fields.refuse({"content_type", "formatters", "json_format_options"});
    if (const auto omit = fields.find("omit_empty_values")) format.omit_empty_values = omit->boolean().value_or(false);
    const auto source = fields.find("text_format_source");
    const auto older = fields.find("text_format");
    const auto json = fields.find("json_format");
    if (source.has_value() + older.has_value() + json.has_value() != 1)
      return value.refuse("give one of text_format_source, json_format and text_format");
    if (source) read_source(*source, format);
    if (older) read_text(*older, format);
    if (json) format.fields = read_object(*json, 1);
  });
}

void read_file(Fields& fields, plan::Listener& listener) {
  fields.refuse({"json_format"});
  const auto format = fields.find("log_format");
  const auto older = fields.find("format");
  const auto json = fields.find("typed_json_format");
  if (format.has_value() + older.has_value() + json.has_value() > 1)
    fields.value().refuse("give one of log_format, format and typed_json_format");
  else if (format)
    read_log_format(*format, listener.access_format);
  else if (older)
    read_text(*older, listener.access_format);
  else if (json)
    listener.access_format.fields = read_object(*json, 1);
  const auto path = fields.need("path");
  const auto text = path ? path->text() : std::nullopt;
  if (!text) return;
  if (text->empty() || *text == "-") return path->refuse("the name of a file is expected here");
  listener.access_log = *text == "/dev/stdout" ? "-" : *text;
}

void read_stream(Fields& fields, const char* path, plan::Listener& listener) {
  if (const auto format = fields.find("log_format")) read_log_format(*format, listener.access_format);
  listener.access_log = path;
}

}  // namespace

void read_access_log(const Value& value, plan::Listener& listener) {
  const std::vector<Value> loggers = value.items();
  if (loggers.size() > 1) loggers[1].refuse("there is one access log; leave out the others");
  for (const Value& logger : loggers) {
    read_message(logger, [&](Fields& fields) {
      fields.label("name");
      fields.refuse({"filter"});
      const auto config = fields.need("typed_config");
      if (!config) return;
      read_typed(*config, {{"envoy.extensions.access_loggers.file.v3.FileAccessLog",
                            [&](Fields& inner) { read_file(inner, listener); }},
                           {"envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                            [&](Fields& inner) { read_stream(inner, "-", listener); }},
                           {"envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
                            [&](Fields& inner) { read_stream(inner, "/dev/stderr", listener); }}});
    });
  }
}

}  // namespace tunnel::envoy
