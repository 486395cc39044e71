// SPDX-License-Identifier: Apache-2.0
#include "proxy/taken_value.hpp"

#include "plan/wording.hpp"
#include "proxy/formatted_value.hpp"

namespace tunnel::proxy {
namespace {

Error bad_request(std::string_view text) {
  return Error(Error::Kind::protocol, text).with(400, "http_request_error").on(Error::Side::downstream);
}

Result<std::string> original_of(const ConnectionInfo& info) {
  if (info.hops > 0 && info.original.family() == AF_UNSPEC)
    return Error(Error::Kind::unknown_destination,
                 info.local_name + " was dialled without metadata that says where the connection was going")
        .with(502, "proxy_configuration_error");
  // There is always the address it was accepted on, but a tunnel to that would lead back to us.
  if (info.original.family() == AF_UNSPEC)
    return Error(Error::Kind::denied, "it came straight to " + info.local.to_string() +
                                          "; only connections that a firewall rule redirects there have a target");
  return info.original.to_string();
}

}  // namespace

Result<Authority> target_of(const http::RequestHead& head) {
  if (head.is_connect()) {
    if (const auto target = parse_authority(head.authority)) return *target;
    return bad_request("the target of CONNECT is no host:port");
  }
  std::string text = head.authority;
  const std::size_t colon = text.rfind(':');
  const bool without_port = colon == std::string::npos || (text.back() == ']' && text.front() == '[');
  // "host:" has the port of its scheme too (RFC 3986 section 3.2.3).
  if (without_port || colon + 1 == text.size())
    text.replace(without_port ? text.size() : colon, std::string::npos, head.scheme == "https" ? ":443" : ":80");
  if (const auto target = parse_authority(text)) return *target;
  return bad_request("the authority of the request is no host:port");
}

Result<Authority> clear_target_of(const http::RequestHead& head) {
  if (head.scheme == "https") return bad_request("a request for https would travel in clear; ask for it by CONNECT");
  return target_of(head);
}

Result<std::string> taken_value(plan::Source source, const ConnectRequest& request) {
  switch (source) {
    case plan::Source::authority:
      if (!request.authority.empty()) return request.authority;
      return bad_request("no request names a target");
    case plan::Source::endpoint:
      if (parse_authority(request.info.endpoint_id)) return request.info.endpoint_id;
      return Error(Error::Kind::unknown_destination, request.info.endpoint_id.empty()
                                                         ? request.info.local_name + " was dialled without a target"
                                                         : request.info.local_name + " ends in no host:port")
          .with(502, "proxy_configuration_error");
    case plan::Source::original:
      return original_of(request.info);
    case plan::Source::written:
    case plan::Source::format:
      break;
  }
  return Error(Error::Kind::internal, "nothing is taken from the connection");
}

Result<std::string> formatted_target(const std::string& text, const plan::ConnectionFormat& format,
                                     const ConnectionInfo& info) {
  std::string target = formatted_value(format, info);
  if (parse_authority(target)) return target;
  std::string what = target.empty() ? "is empty" : "is " + plan::in_quotes(target) + ", which is no host:port";
  if (info.server_name.empty() && plan::has_operator(format, plan::Operator::server_name))
    what = "lacks its host: no TLS ClientHello came that names a server (SNI)";
  return Error(Error::Kind::unknown_destination,
               "of a connection to " + info.local_name + " the target " + text + " " + what)
      .with(502, "proxy_configuration_error");
}

}  // namespace tunnel::proxy
