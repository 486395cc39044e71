// SPDX-License-Identifier: Apache-2.0
#include "config/address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "config/file.hpp"
#include "plan/host_port.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::array<std::string_view, 5> kSchemes = {"tcp", "internal", "respond", "echo", "discard"};
// Of cli.md's grammar, but not of this version: named, so that nobody takes them for hosts.
constexpr std::array<std::string_view, 4> kAbsentSchemes = {"tls", "unix", "fd", "systemd"};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <std::size_t N>
std::vector<std::string> names_of(const std::array<std::string_view, N>& names) {
  return {names.begin(), names.end()};
}

struct Parts {
  std::string scheme;  // empty: none written
  std::string body;
};

Parts split_scheme(const Given& given, std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  if (text == "-")
    throw given.refusal("standard input is not supported by this version; use [HOST:]PORT or internal:NAME");
  if (colon == std::string_view::npos) return {"", std::string(text)};
  if (holds(kAbsentSchemes, scheme)) {
    throw given.refusal(std::string(scheme) + ": is not supported by this version; use [HOST:]PORT or internal:NAME");
  }
  if (!holds(kSchemes, scheme)) return {"", std::string(text)};
  return {std::string(scheme), std::string(text.substr(colon + 1))};
}

// Takes ",," as a literal comma and refuses what a single one introduces.
std::string without_options(const Given& given, const std::string& body) {
  std::string plain;
  for (std::size_t at = 0; at < body.size(); ++at) {
    if (body[at] == ',') {
      if (at + 1 == body.size() || body[at + 1] != ',') {
        throw given.refusal("address options such as " + plan::in_quotes(body.substr(at)) +
                            " are not supported by this version; leave them out");
      }
      ++at;
    }
    plain += body[at];
  }
  return plain;
}

plan::Internal parse_internal(const Given& given, const std::string& body) {
  const std::string plain = without_options(given, body);
  const std::size_t slash = plain.find('/');
  plan::Internal internal{plain.substr(0, slash), ""};
  if (const std::string fault = plan::name_fault(internal.listener); !fault.empty()) throw given.refusal(fault);
  if (slash == std::string::npos) return internal;
  internal.endpoint_id = plain.substr(slash + 1);
  if (internal.endpoint_id.empty())
    throw given.refusal("the endpoint id after '/' is missing; write it or leave out the '/'");
  if (const std::string fault = plan::endpoint_id_fault(internal.endpoint_id); !fault.empty())
    throw given.refusal(fault);
  return internal;
}

// "interal:mid" reads as a host called interal: say what was probably meant.
std::string scheme_hint(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return "";
  const std::string name = plan::nearest(text.substr(0, colon), names_of(kSchemes));
  return name.empty() ? "" : ", did you mean " + name + ":?";
}

plan::Tcp parse_tcp(const Given& given, const Parts& parts) {
  plan::Tcp tcp;
  const std::string plain = without_options(given, parts.body);
  if (const std::string fault = plan::parse_host_port(plain, tcp); !fault.empty()) {
    throw given.refusal(fault + (parts.scheme.empty() ? scheme_hint(plain) : ""));
  }
  return tcp;
}

std::string read_body(const Given& given, const std::string& path) {
  FileText file = read_file(path);
  if (!file.fault.empty()) throw Refusal(given.place, label(*given.option) + ": " + file.fault, kNoInput);
  return std::move(file.bytes);
}

plan::Respond parse_respond(const Given& given, const std::string& body) {
  const std::size_t colon = body.find(':');
  const std::string code = body.substr(0, colon);
  const bool number = code.size() == 3 && code.find_first_not_of("0123456789") == std::string::npos;
  if (!number || code < "200" || code > "599") {
    throw given.refusal("the status must be a number from 200 to 599; write respond:200:TEXT");
  }
  if (colon == std::string::npos) throw given.refusal("the text is missing; write respond:" + code + ":TEXT");
  const std::string text = body.substr(colon + 1);
  plan::Respond respond{std::stoi(code), ""};
  const bool bodiless = code == "204" || code == "205" || code == "304";
  if (bodiless && !text.empty()) throw given.refusal("an answer " + code + " has no body; write respond:" + code + ":");
  if (bodiless) return respond;
  respond.body = text.starts_with('@') ? read_body(given, text.substr(1)) : text + "\n";
  return respond;
}

void require_empty(const Given& given, const Parts& parts) {
  if (parts.body.empty()) return;
  throw given.refusal(parts.scheme + ": takes nothing after it; a host called " + parts.scheme +
                      " is tcp:" + parts.scheme + ":PORT");
}

Dial parse_dial_text(const Given& given, std::string_view text) {
  const Parts parts = split_scheme(given, text);
  if (parts.scheme == "internal") return parse_internal(given, parts.body);
  if (parts.scheme == "respond") return parse_respond(given, parts.body);
  if (parts.scheme == "echo" || parts.scheme == "discard") {
    require_empty(given, parts);
    if (parts.scheme == "echo") return plan::Echo{};
    return plan::Discard{};
  }
  if (const auto port = plan::parse_port(parts.body); port) {
    throw given.refusal("the host is missing; write 127.0.0.1:" + parts.body);
  }
  return parse_tcp(given, parts);
}

plan::Tcp parse_listen_tcp(const Given& given, const Parts& parts) {
  const std::string plain = without_options(given, parts.body);
  if (const auto port = plan::parse_port(plain); port) return {"", *port};
  if (plain.find_first_not_of("0123456789") == std::string::npos)
    throw given.refusal("a port is a number from 1 to 65535");
  if (plain.starts_with("*:")) {
    const auto port = plan::parse_port(std::string_view(plain).substr(2));
    if (!port) throw given.refusal("the port must be a number from 1 to 65535");
    return {"*", *port};
  }
  plan::Tcp tcp = parse_tcp(given, parts);
  if (tcp.host == "localhost") tcp.host.clear();
  if (!tcp.host.empty() && !plan::is_ipv4(tcp.host) && !plan::is_ipv6(tcp.host)) {
    throw given.refusal("listen on an address of this machine, on PORT for loopback or on *:PORT for every interface" +
                        scheme_hint(plain));
  }
  return tcp;
}

}  // namespace

plan::Address parse_listen(const Given& given) {
  const Parts parts = split_scheme(given, given.value);
  if (parts.scheme.empty() || parts.scheme == "tcp") return parse_listen_tcp(given, parts);
  if (parts.scheme != "internal") {
    throw given.refusal(parts.scheme + ": gives an answer, nobody can listen on it; use [HOST:]PORT or internal:NAME");
  }
  plan::Internal internal = parse_internal(given, parts.body);
  if (!internal.endpoint_id.empty()) {
    throw given.refusal("a listener has no endpoint id; write internal:" + internal.listener);
  }
  return internal;
}

Dial parse_dial(const Given& given) { return parse_dial_text(given, given.value); }

Proxy parse_proxy(const Given& given) {
  constexpr std::array<std::string_view, 2> kVersions = {"h1", "h2c"};
  constexpr std::array<std::string_view, 3> kAbsent = {"https", "h2", "h1s"};
  const std::string_view text = given.value;
  const std::size_t end = std::min(text.find_first_of(":+"), text.size());
  const std::string_view version = text.substr(0, end);
  if (holds(kAbsent, version)) {
    throw given.refusal("TLS to a proxy (" + std::string(version) +
                        ") is not supported by this version; use h1 or h2c");
  }
  if (!holds(kVersions, version) || end == text.size()) {
    throw given.refusal("say which HTTP the proxy speaks, h1:HOST:PORT or h2c:HOST:PORT" +
                        plan::did_you_mean(version, names_of(kVersions)));
  }
  Proxy proxy{version == "h1" ? plan::Http::h1 : plan::Http::h2, {}};
  const std::string rest(text.substr(end + 1));
  if (text[end] == ':') {
    proxy.address = parse_tcp(given, {"tcp", rest});
    return proxy;
  }
  const Dial dial = parse_dial_text(given, rest);
  if (const auto* tcp = std::get_if<plan::Tcp>(&dial)) {
    proxy.address = *tcp;
  } else if (const auto* internal = std::get_if<plan::Internal>(&dial)) {
    proxy.address = *internal;
  } else {
    throw given.refusal("a proxy is reached at HOST:PORT or internal:NAME");
  }
  return proxy;
}

std::string parse_target(const Given& given) {
  if (given.value.starts_with('@')) {
    throw given.refusal("a target taken from the connection is not supported by this version; write HOST:PORT");
  }
  if (const std::string fault = plan::target_fault(given.value); !fault.empty()) throw given.refusal(fault);
  return given.value;
}

}  // namespace tunnel::config
