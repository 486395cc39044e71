// SPDX-License-Identifier: Apache-2.0
#include "config/access_format.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <string>
#include <vector>

#include "config/value.hpp"
#include "plan/access_format.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

// In the order they are written.
std::vector<plan::AccessField> fields_of(const Given& given, const boost::json::object& object) {
  if (object.empty()) throw given.refusal("an object has a field or more");
  std::vector<plan::AccessField> fields;
  for (const auto& [name, value] : object) {
    if (value.is_object())
      fields.push_back({std::string(name), "", fields_of(given, value.get_object())});
    else if (value.is_string())
      fields.push_back({std::string(name), std::string(value.get_string())});
    else
      throw given.refusal("the field " + plan::in_quotes(std::string(name)) + " is no text and no object");
  }
  return fields;
}

std::vector<plan::AccessField> read_object(const Given& given, const std::string& text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  if (error) throw given.refusal("what begins with { is a JSON object, and this is none");
  return fields_of(given, value.as_object());
}

}  // namespace

std::string parse_access_log(const Given& given) {
  if (given.value.empty()) throw given.refusal("give a file name, or - for standard output");
  return given.value;
}

plan::AccessFormat parse_access_format(const Given& given) {
  const bool from_file = given.value.starts_with('@');
  std::string text = from_file ? parse_file(given, given.value.substr(1)) : given.value;
  if (text.empty()) throw given.refusal("give text with operators, as '%START_TIME% %BYTES_SENT%', or a JSON object");
  plan::AccessFormat format;
  if (text.starts_with('{'))
    format.fields = read_object(given, text);
  else
    format.text = text.ends_with('\n') ? std::move(text) : std::move(text) + '\n';
  if (const std::vector<std::string> faults = plan::access_format_faults(format); !faults.empty())
    throw given.refusal(faults.front());
  return format;
}

}  // namespace tunnel::config
