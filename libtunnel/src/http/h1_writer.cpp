// SPDX-License-Identifier: Apache-2.0
#include "http/h1_writer.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string>

#include "http/date.hpp"
#include "http/policy.hpp"
#include "http/text.hpp"
#include "tunnel/address.hpp"

namespace tunnel::h1 {
namespace {

using http::Body;
using http::Field;
using http::Fields;
using Text = fmt::memory_buffer;

void add(Text& text, std::string_view bytes) { text.append(bytes.data(), bytes.data() + bytes.size()); }

void add_field(Text& text, std::string_view name, std::string_view value) {
  add(text, name);
  add(text, ": ");
  add(text, value);
  add(text, "\r\n");
}

// The codec's own: they depend on the connection or on the framing, never on what a handler passes through.
bool is_codecs_field(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kOwn{"connection",        "keep-alive",     "proxy-connection",
                                                        "transfer-encoding", "content-length", "host"};
  for (const std::string_view own : kOwn)
    if (name == own) return true;
  return false;
}

bool add_fields(Text& text, const Fields& fields) {
  for (const Field& field : fields) {
    if (is_codecs_field(field.name)) continue;
    if (!http::is_field_name(field.name) || !http::is_field_value(field.value)) return false;
    add_field(text, field.name, field.value);
  }
  return true;
}

bool expects_content(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

Error unfit(std::string_view what) { return Error(Error::Kind::protocol, what).with(400, "http_request_error"); }

const char* check_request(const http::RequestHead& head, const Body& body) {
  if (!http::is_token(head.method)) return "the method is not a token";
  if (!head.protocol.empty()) return "extended CONNECT over HTTP/1.1";
  if (head.is_connect()) {
    if (!parse_authority(head.authority)) return "invalid CONNECT authority";
    if (body.kind != Body::Kind::tunnel) return "CONNECT with content";
    return nullptr;
  }
  if (body.kind == Body::Kind::tunnel && head.method != "POST") return "a tunnel without CONNECT or POST";
  if (!http::is_host(head.authority)) return "invalid authority";
  const bool asterisk = head.path == "*" && head.method == "OPTIONS";
  if (!asterisk && (!http::is_target(head.path) || head.path.front() != '/')) return "invalid path";
  return nullptr;
}

Framing frame_request(Text& text, const http::RequestHead& head, const Body& body) {
  switch (body.kind) {
    case Body::Kind::length:
      fmt::format_to(std::back_inserter(text), "content-length: {}\r\n", body.length);
      return Framing::length;
    case Body::Kind::unknown:
      add(text, "transfer-encoding: chunked\r\n");
      return Framing::chunked;
    case Body::Kind::tunnel:
      if (head.is_connect()) return Framing::tunnel;
      add(text, "transfer-encoding: chunked\r\n");
      return Framing::chunked;
    case Body::Kind::none:
      break;
  }
  if (expects_content(head.method)) add(text, "content-length: 0\r\n");
  return Framing::none;
}

Framing frame_response(Text& text, const http::ResponseHead& head, const Body& body, const ResponseContext& context) {
  const std::uint16_t status = head.status;
  if (status < 200 || status == 204) return Framing::none;
  if (body.kind == Body::Kind::tunnel && context.to_connect) return Framing::tunnel;
  if (context.to_head || status == 304) {
    const std::string* length = head.fields.find("content-length");
    if (body.kind == Body::Kind::length)
      fmt::format_to(std::back_inserter(text), "content-length: {}\r\n", body.length);
    else if (length != nullptr && !length->empty() && length->find_first_not_of("0123456789") == std::string::npos)
      add_field(text, "content-length", *length);
    return Framing::none;
  }
  if (body.kind == Body::Kind::unknown || body.kind == Body::Kind::tunnel) {
    if (context.to_http10) return Framing::until_end;
    add(text, "transfer-encoding: chunked\r\n");
    return Framing::chunked;
  }
  fmt::format_to(std::back_inserter(text), "content-length: {}\r\n", body.kind == Body::Kind::length ? body.length : 0);
  return body.kind == Body::Kind::length ? Framing::length : Framing::none;
}

void take(Buffer& to, const Text& text) { to.append(std::string_view(text.data(), text.size())); }

}  // namespace

Result<Framing> write_request(Buffer& to, const http::RequestHead& head, const Body& body) {
  if (const char* what = check_request(head, body)) return unfit(what);
  Text text;
  const bool connect = head.is_connect();
  add(text, head.method);
  add(text, " ");
  add(text, connect ? head.authority : head.path);
  add(text, " HTTP/1.1\r\n");
  add_field(text, "host", head.authority);
  if (!add_fields(text, head.fields)) return unfit("a header field may not be sent");
  // TE concerns this connection only and must be named (RFC 9110 section 10.1.4).
  if (head.fields.contains("te")) add(text, "connection: te\r\n");
  const Framing framing = frame_request(text, head, body);
  add(text, "\r\n");
  take(to, text);
  return framing;
}

Result<Framing> write_response(Buffer& to, const http::ResponseHead& head, const Body& body,
                               const ResponseContext& context) {
  const bool success = head.status / 100 == 2;
  const bool tunnel = context.to_connect && success;
  const bool by_post = context.to_post && success && head.status != 204 && body.kind == Body::Kind::tunnel;
  if (head.status < 100 || head.status > 999 || head.status == 101)
    return Error(Error::Kind::internal, "a status that may not be sent");
  if ((tunnel || by_post) != (body.kind == Body::Kind::tunnel))
    return Error(Error::Kind::internal, "a tunnel is a 2xx to CONNECT or to a POST without a length, and nothing else");
  Text text;
  fmt::format_to(std::back_inserter(text), "HTTP/1.1 {} {}\r\n", head.status, http::reason_phrase(head.status));
  if (!add_fields(text, head.fields)) return Error(Error::Kind::internal, "a header field may not be sent");
  if (head.status >= 200 && !head.fields.contains("date")) add_field(text, "date", http::current_date());
  const Framing framing = frame_response(text, head, body, context);
  if (head.status >= 200 && !tunnel) {
    if (context.close || framing == Framing::until_end)
      add(text, "connection: close\r\n");
    else if (context.to_http10)
      add(text, "connection: keep-alive\r\n");
  }
  add(text, "\r\n");
  take(to, text);
  return framing;
}

void write_chunk(Buffer& to, Buffer& body, std::size_t bytes) {
  Text text;
  fmt::format_to(std::back_inserter(text), "{:x}\r\n", bytes);
  take(to, text);
  body.move_to(to, bytes);
  to.append("\r\n");
}

void write_last_chunk(Buffer& to, const Fields& trailers) {
  Text text;
  add(text, "0\r\n");
  for (const Field& field : trailers)
    if (http::is_field_name(field.name) && http::is_field_value(field.value) && http::may_be_trailer(field.name))
      add_field(text, field.name, field.value);
  add(text, "\r\n");
  take(to, text);
}

}  // namespace tunnel::h1
