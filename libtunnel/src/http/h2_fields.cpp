// SPDX-License-Identifier: Apache-2.0
#include "http/h2_fields.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "http/policy.hpp"
#include "http/text.hpp"
#include "tunnel/address.hpp"

namespace tunnel::h2 {
namespace {

constexpr std::size_t kFieldOverheadBytes = 32;  // RFC 9113 section 6.5.2
constexpr std::array<std::string_view, 7> kNeverSent{
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "content-length"};

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

nghttp2_nv nv_of(std::string_view name, std::string_view value) {
  // nghttp2 takes mutable pointers and only reads them.
  return nghttp2_nv{const_cast<std::uint8_t*>(bytes_of(name)), const_cast<std::uint8_t*>(bytes_of(value)), name.size(),
                    value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void ReceivedHead::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kFieldOverheadBytes;
  if (++count_ > limits_.head_fields || bytes_ > limits_.head_bytes) too_large_ = true;
  if (too_large_) return;
  if (name.starts_with(':'))
    add_pseudo(name, value);
  else if (name == "host")
    host_ = std::string(value);
  else if (name == "content-length")
    content_length_ = number(value);
  else if (name == "cookie")
    cookies_.append(cookies_.empty() ? "" : "; ").append(value);
  else if (name != "te" || http::equal_ignoring_case(value, "trailers"))
    fields_.add(name, value);
}

void ReceivedHead::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method")
    request_.method = value;
  else if (name == ":scheme")
    request_.scheme = value;
  else if (name == ":authority")
    request_.authority = value;
  else if (name == ":path")
    request_.path = value;
  else if (name == ":protocol")
    request_.protocol = value;
  else if (name == ":status")
    status_ = static_cast<std::uint16_t>(number(value).value_or(0));
}

std::optional<ReceivedHead::Refusal> ReceivedHead::take_request(http::RequestHead& into) {
  if (!cookies_.empty()) fields_.add("cookie", cookies_);
  into = std::move(request_);
  into.fields = std::move(fields_);
  if (too_large_) return Refusal{431, "the head is too large"};
  if (into.is_connect()) {
    if (!into.protocol.empty()) return Refusal{501, "extended CONNECT"};
    if (!parse_authority(into.authority)) return Refusal{400, "CONNECT without a valid host:port"};
    if (content_length_) return Refusal{400, "CONNECT with a content-length"};
    if (host_ && !http::equal_ignoring_case(*host_, into.authority))
      return Refusal{400, "host differs from :authority"};
    return std::nullopt;
  }
  if (into.scheme != "http" && into.scheme != "https") return Refusal{400, "a scheme other than http and https"};
  if (host_ && !into.authority.empty() && !http::equal_ignoring_case(*host_, into.authority))
    return Refusal{400, "host differs from :authority"};
  if (into.authority.empty() && host_) into.authority = std::move(*host_);
  if (into.authority.empty()) return Refusal{400, "neither :authority nor host"};
  if (!http::is_host(into.authority)) return Refusal{400, "not an authority"};
  if (!http::is_target(into.path)) return Refusal{400, "invalid characters in :path"};
  return std::nullopt;
}

void FieldList::add(std::string_view name, std::string_view value) { fields_.push_back(nv_of(name, value)); }

void FieldList::add_number(std::string_view name, std::uint64_t value) {
  numbers_.push_back(std::to_string(value));
  add(name, numbers_.back());
}

bool FieldList::add_all(const http::Fields& fields, bool keep_content_length) {
  for (const http::Field& field : fields) {
    const bool kept = keep_content_length && field.name == "content-length";
    if (!kept && std::find(kNeverSent.begin(), kNeverSent.end(), field.name) != kNeverSent.end()) continue;
    const std::string_view value = http::trim(field.value);
    if (field.name == "te" && !http::equal_ignoring_case(value, "trailers")) continue;
    if (!http::is_field_name(field.name) || !http::is_field_value(value)) return false;
    add(field.name, value);
  }
  return true;
}

bool may_be_sent(const http::RequestHead& head) {
  if (!http::is_token(head.method)) return false;
  if (head.is_connect()) return head.protocol.empty() && parse_authority(head.authority).has_value();
  return http::is_host(head.authority) && http::is_target(head.path) &&
         (head.scheme == "http" || head.scheme == "https");
}

}  // namespace tunnel::h2
