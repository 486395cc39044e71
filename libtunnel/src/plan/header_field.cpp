// SPDX-License-Identifier: Apache-2.0
#include "plan/header_field.hpp"

#include <algorithm>
#include <array>

#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::array<std::string_view, 12> kOwn{
    "host", "content-length", "transfer-encoding", "connection", "keep-alive",     "proxy-connection",
    "te",   "trailer",        "upgrade",           "expect",     "http2-settings", "proxy-authenticate"};
constexpr std::array<std::string_view, 3> kSecret{"proxy-authorization", "authorization", "cookie"};

bool is_token_char(char c) {
  const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  return letter_or_digit || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

std::string field_name_fault(std::string_view name) {
  if (name.empty()) return "the name of the field is missing";
  if (name.front() == ':') return in_quotes(name) + " belongs to HTTP/2 itself and cannot be set";
  const auto bad = std::find_if_not(name.begin(), name.end(), is_token_char);
  if (bad != name.end()) return in_quotes(std::string_view(&*bad, 1)) + " cannot be part of a field's name";
  if (std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end())
    return std::string(name) + " depends on the connection or the body and cannot be set";
  return "";
}

std::string field_value_fault(std::string_view value) {
  for (const char c : value)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
      return "the value has a control character in it";
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!value.empty() && (blank(value.front()) || blank(value.back()))) return "the value has a blank at an end";
  return "";
}

bool is_secret_field(std::string_view name) { return std::find(kSecret.begin(), kSecret.end(), name) != kSecret.end(); }

}  // namespace tunnel::plan
