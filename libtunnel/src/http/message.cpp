// SPDX-License-Identifier: Apache-2.0
#include "http/message.hpp"

#include <algorithm>
#include <array>

#include "http/text.hpp"

namespace tunnel::http {
namespace {

constexpr std::array<std::string_view, 8> kHopByHop{"connection",          "keep-alive",         "proxy-connection",
                                                    "transfer-encoding",   "proxy-authenticate", "upgrade",
                                                    "proxy-authorization", "http2-settings"};

struct Phrase {
  std::uint16_t status;
  std::string_view text;
};

constexpr std::array<Phrase, 47> kPhrases{{
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
}};

}  // namespace

void Fields::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Fields::remove(std::string_view name) {
  std::erase_if(fields_, [name](const Field& field) { return field.name == name; });
}

const std::string* Fields::find(std::string_view name) const {
  const auto found = std::find_if(fields_.begin(), fields_.end(), [name](const Field& f) { return f.name == name; });
  return found == fields_.end() ? nullptr : &found->value;
}

bool Fields::has_token(std::string_view name, std::string_view token) const {
  for (const Field& field : fields_) {
    if (field.name != name) continue;
    bool found = false;
    for_each_token(field.value, [&](std::string_view word) { found = found || equal_ignoring_case(word, token); });
    if (found) return true;
  }
  return false;
}

std::string_view reason_phrase(std::uint16_t status) {
  const auto found =
      std::find_if(kPhrases.begin(), kPhrases.end(), [status](const Phrase& p) { return p.status == status; });
  return found == kPhrases.end() ? std::string_view("Status") : found->text;
}

void remove_hop_by_hop(Fields& fields) {
  std::vector<std::string> named;
  for (const Field& field : fields)
    if (field.name == "connection" || field.name == "proxy-connection")
      for_each_token(field.value, [&named](std::string_view word) { named.push_back(to_lower(word)); });
  const bool wants_trailers = fields.has_token("te", "trailers");
  fields.remove_if([&named](const Field& field) {
    return field.name == "te" || std::find(kHopByHop.begin(), kHopByHop.end(), field.name) != kHopByHop.end() ||
           std::find(named.begin(), named.end(), field.name) != named.end();
  });
  if (wants_trailers) fields.add("te", "trailers");
}

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

}  // namespace tunnel::http
