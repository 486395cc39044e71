// SPDX-License-Identifier: Apache-2.0
#include "envoy/direct_response.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tunnel::envoy {
namespace {

constexpr std::uint64_t kLeastStatus = 200;
constexpr std::uint64_t kMostStatus = 599;

// RFC 4648 section 4, as JSON has bytes.
std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::string bytes;
  unsigned group = 0;
  unsigned bits = 0;
  for (const char c : digits) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    group = (group << 6U | static_cast<unsigned>(digit)) & 0xffffffU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xffU);
  }
  return bytes;
}

std::string read_body(Fields& fields, const Value& value) {
  fields.refuse({"filename", "environment_variable", "watched_directory"});
  const auto text = fields.find("inline_string");
  const auto encoded = fields.find("inline_bytes");
  if (text.has_value() == encoded.has_value()) {
    value.refuse("give one of inline_string and inline_bytes");
    return "";
  }
  if (text) return text->text().value_or("");
  const std::optional<std::string> digits = encoded->text();
  const std::optional<std::string> bytes = digits ? from_base64(*digits) : std::nullopt;
  if (digits && !bytes) encoded->refuse("these are no bytes in base64");
  return bytes.value_or("");
}

}  // namespace

plan::Respond read_direct_response(const Value& value, std::uint64_t most_body) {
  plan::Respond respond;
  read_message(value, [&](Fields& fields) {
    fields.refuse({"body_format"});
    if (const auto status = fields.need("status"))
      respond.status = static_cast<int>(status->number(kLeastStatus, kMostStatus).value_or(kLeastStatus));
    const auto body = fields.find("body");
    if (!body) return;
    read_message(*body, [&](Fields& source) { respond.body = read_body(source, *body); });
    if (respond.body.size() > most_body)
      body->refuse("it has " + std::to_string(respond.body.size()) +
                   " bytes, and max_direct_response_body_size_bytes is " + std::to_string(most_body));
  });
  return respond;
}

}  // namespace tunnel::envoy
