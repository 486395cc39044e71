// SPDX-License-Identifier: Apache-2.0
#include "http/policy.hpp"

#include <array>
#include <cstring>
#include <optional>

#include "http/text.hpp"
#include "tunnel/address.hpp"

namespace tunnel::http {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // as HTTP/2 counts a field (RFC 9113 section 6.5.2)

bool is_sub_delimiter(char c) { return std::string_view("!$&'()*+;=").find(c) != std::string_view::npos; }

bool is_port(std::string_view digits) {
  if (digits.size() > 5) return false;
  unsigned port = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

bool is_ip_literal(std::string_view text) {
  if (text.size() < 4 || text.back() != ']') return false;
  const auto address = SocketAddress::from_literal(text.substr(1, text.size() - 2), 0);
  return address && address->family() == AF_INET6;
}

bool is_reg_name(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) return false;
    } else if (!is_digit(c) && !is_alpha(c) && !is_sub_delimiter(c) &&
               std::string_view("-._~").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

Fault judge_size(const Fields& fields, const Limits& limits, std::uint16_t status) {
  std::size_t bytes = 0;
  for (const Field& field : fields) bytes += field.name.size() + field.value.size() + kFieldOverhead;
  if (fields.size() > limits.head_fields || bytes > limits.head_bytes)
    return {status, "too many or too large header fields"};
  return {};
}

// What the framing fields of a head say. Beast has refused what contradicts itself in ways it knows.
struct Framing {
  bool has_length = false;
  std::uint64_t length = 0;
  bool has_coding = false;
  bool chunked = false;          // exactly "chunked", once
  bool chunked_is_last = false;  // something unknown, then chunked
  bool broken = false;
};

void read_length(std::string_view list, Framing& framing) {
  bool any = false;
  for_each_token(list, [&](std::string_view digits) {
    any = true;
    std::uint64_t value = 0;
    for (const char c : digits) {
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (!is_digit(c) || value > (UINT64_MAX - digit) / 10) {
        framing.broken = true;
        return;
      }
      value = value * 10 + digit;
    }
    if (framing.has_length && framing.length != value) framing.broken = true;
    framing.has_length = true;
    framing.length = value;
  });
  // The largest number no signed count can hold either.
  if (!any || framing.length > static_cast<std::uint64_t>(INT64_MAX)) framing.broken = true;
}

Framing read_framing(const Fields& fields) {
  Framing framing;
  std::size_t codings = 0;
  for (const Field& field : fields) {
    if (field.name == "content-length") read_length(field.value, framing);
    if (field.name == "transfer-encoding") {
      framing.has_coding = true;
      framing.chunked_is_last = false;
      for_each_token(field.value, [&](std::string_view coding) {
        ++codings;
        const bool chunked = equal_ignoring_case(coding, "chunked");
        if (chunked && codings > 1 && framing.chunked) framing.broken = true;
        framing.chunked = chunked && codings == 1;
        framing.chunked_is_last = chunked && codings > 1 && !framing.broken;
      });
    }
  }
  return framing;
}

Fault judge_request_framing(const RawHead& raw, const Framing& framing) {
  if (framing.broken) return {400, "invalid content-length or transfer-encoding"};
  if (!framing.has_coding) return {};
  if (framing.has_length) return {400, "content-length beside transfer-encoding"};
  if (raw.version < 11) return {400, "transfer-encoding in HTTP/1.0"};
  if (framing.chunked) return {};
  // We could find the end of the body, but would pass on bytes in a coding nobody announced.
  if (framing.chunked_is_last) return {501, "unknown transfer coding"};
  return {400, "the last transfer coding is not chunked"};
}

bool keeps_alive(const RawHead& raw) {
  if (raw.fields.has_token("connection", "close")) return false;
  return raw.version >= 11 || raw.fields.has_token("connection", "keep-alive");
}

std::size_t count(const Fields& fields, std::string_view name) {
  std::size_t n = 0;
  for (const Field& field : fields) n += field.name == name ? 1 : 0;
  return n;
}

// http://host:port/path: the authority overrides Host (RFC 9112 section 3.2.2).
Fault split_absolute(std::string_view target, RequestHead& head) {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return {400, "invalid request target"};
  head.scheme = to_lower(target.substr(0, colon));
  if (head.scheme != "http" && head.scheme != "https") return {400, "unknown scheme in the request target"};
  target.remove_prefix(colon + 3);
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  if (!is_host(target.substr(0, end))) return {400, "invalid authority in the request target"};
  head.authority = target.substr(0, end);
  head.path = target.substr(end);
  if (head.path.empty()) head.path = head.method == "OPTIONS" ? "*" : "/";
  if (head.path.front() == '?') head.path.insert(head.path.begin(), '/');
  return {};
}

Fault judge_target(const RawHead& raw, RequestHead& head) {
  if (!is_target(raw.target)) return {400, "invalid request target"};
  const std::string* host = raw.fields.find("host");
  if (head.is_connect()) {
    if (!parse_authority(raw.target)) return {400, "invalid CONNECT target"};
    head.authority = raw.target;
    return {};
  }
  head.scheme = "http";
  if (host != nullptr) head.authority = *host;
  if (raw.target.front() == '/' || (raw.target == "*" && head.method == "OPTIONS")) {
    head.path = raw.target;
    return {};
  }
  return split_absolute(raw.target, head);
}

Fault judge_host(const RawHead& raw) {
  const std::size_t hosts = count(raw.fields, "host");
  if (hosts > 1) return {400, "more than one Host field"};
  if (hosts == 0) return raw.version >= 11 ? Fault{400, "no Host field"} : Fault{};
  if (!is_host(*raw.fields.find("host"))) return {400, "invalid Host field"};
  return {};
}

void drop_framing(Fields& fields) {
  fields.remove_if(
      [](const Field& f) { return f.name == "content-length" || f.name == "transfer-encoding" || f.name == "host"; });
}

}  // namespace

HeadScanner::Scan HeadScanner::scan(std::string_view bytes) {
  Scan result;
  for (;;) {
    const void* found = bytes.size() > seen_ ? std::memchr(bytes.data() + seen_, '\n', bytes.size() - seen_) : nullptr;
    if (found == nullptr) break;
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    seen_ = end + 1;
    if (seen_ > limits_->head_bytes) {
      result.fault = {431, "the head is too large"};
      return result;
    }
    const std::string_view line = bytes.substr(line_start_, end - line_start_);
    line_start_ = seen_;
    result.fault = judge_line(line);
    if (result.fault) return result;
    if (line.size() == 1) {
      result.length = seen_;
      return result;
    }
    ++lines_;
  }
  // What is not a line yet: refuse early what can never become one.
  const std::string_view rest = bytes.substr(seen_);
  if (std::memchr(rest.data(), '\0', rest.size()) != nullptr) result.fault = {400, "NUL in the head"};
  seen_ = bytes.size();
  if (seen_ > limits_->head_bytes) result.fault = {431, "the head is too large"};
  return result;
}

Fault HeadScanner::judge_line(std::string_view line) {
  if (line.empty() || line.back() != '\r') return {400, "bare LF in the head"};
  line.remove_suffix(1);
  if (std::memchr(line.data(), '\r', line.size()) != nullptr) return {400, "bare CR in the head"};
  if (std::memchr(line.data(), '\0', line.size()) != nullptr) return {400, "NUL in the head"};
  if (!line.empty() && is_blank(line.front())) return {400, "a line of the head begins with a blank"};
  // lines_ counts the start line, so it is the number of this field.
  if (!line.empty() && lines_ > limits_->head_fields) return {431, "too many header fields"};
  return {};
}

Fault judge_request(RawHead& raw, const Limits& limits, JudgedRequest& judged) {
  if (Fault fault = judge_size(raw.fields, limits, 431)) return fault;
  const Framing framing = read_framing(raw.fields);
  if (Fault fault = judge_request_framing(raw, framing)) return fault;
  if (Fault fault = judge_host(raw)) return fault;
  judged.head.method = std::move(raw.method);
  const bool connect = judged.head.is_connect();
  if (connect && (framing.has_coding || framing.length != 0)) return {400, "CONNECT with content"};
  if (Fault fault = judge_target(raw, judged.head)) return fault;
  if (connect)
    judged.body = Body::tunnel();
  else
    judged.body = framing.chunked ? Body::unknown() : Body::of(framing.length);
  judged.keep_alive = keeps_alive(raw) && !connect;
  judged.head.fields = std::move(raw.fields);
  drop_framing(judged.head.fields);
  return {};
}

Fault judge_response(RawHead& raw, std::string_view method, const Limits& limits, JudgedResponse& judged) {
  if (Fault fault = judge_size(raw.fields, limits, 502)) return fault;
  if (raw.status < 100) return {502, "invalid status"};
  if (raw.status == 101) return {502, "switched to a protocol nobody asked for"};
  judged.head.status = static_cast<std::uint16_t>(raw.status);
  const bool interim = raw.status < 200;
  const bool tunnel = method == "CONNECT" && raw.status / 100 == 2;
  const bool bodyless = interim || method == "HEAD" || raw.status == 204 || raw.status == 304;
  judged.keep_alive = keeps_alive(raw) && method != "CONNECT";
  if (tunnel) {
    judged.body = Body::tunnel();
  } else {
    const Framing framing = read_framing(raw.fields);
    if (framing.broken) return {502, "invalid content-length or transfer-encoding"};
    if (framing.has_coding && (framing.has_length || raw.version < 11 || !framing.chunked))
      return {502, "invalid transfer-encoding"};
    if (!bodyless) {
      judged.until_end = !framing.has_length && !framing.chunked;
      judged.body = framing.has_length ? Body::of(framing.length) : Body::unknown();
      if (judged.until_end) judged.keep_alive = false;
    }
  }
  judged.head.fields = std::move(raw.fields);
  // A length without a body tells the length a GET would have had.
  const bool informative = method == "HEAD" || raw.status == 304;
  std::optional<std::string> length;
  if (const std::string* value = judged.head.fields.find("content-length"); informative && value != nullptr)
    length = *value;
  drop_framing(judged.head.fields);
  if (length) judged.head.fields.add("content-length", *length);
  return {};
}

bool may_be_trailer(std::string_view name) {
  static constexpr std::array<std::string_view, 16> kNever{"content-length",
                                                           "transfer-encoding",
                                                           "host",
                                                           "connection",
                                                           "keep-alive",
                                                           "proxy-connection",
                                                           "te",
                                                           "trailer",
                                                           "upgrade",
                                                           "expect",
                                                           "max-forwards",
                                                           "cache-control",
                                                           "authorization",
                                                           "content-encoding",
                                                           "content-type",
                                                           "proxy-authorization"};
  for (const std::string_view never : kNever)
    if (name == never) return false;
  return true;
}

bool is_field_name(std::string_view name) {
  if (!is_token(name)) return false;
  for (const char c : name)
    if (c >= 'A' && c <= 'Z') return false;
  return true;
}

bool is_field_value(std::string_view value) {
  if (!value.empty() && (is_blank(value.front()) || is_blank(value.back()))) return false;
  for (const char c : value)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return false;
  return true;
}

bool is_host(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  std::string_view host = text;
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    if (!is_port(text.substr(colon + 1))) return false;
    host = text.substr(0, colon);
  }
  if (host.empty() || host.size() > 255) return false;
  return host.front() == '[' ? is_ip_literal(host) : is_reg_name(host);
}

bool is_target(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#') return false;
  return !text.empty();
}

}  // namespace tunnel::http
