// SPDX-License-Identifier: Apache-2.0
#include "config/address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "config/address_options.hpp"
#include "config/file.hpp"
#include "config/value.hpp"
#include "plan/host_port.hpp"
#include "plan/metadata.hpp"
#include "plan/source.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::array<std::string_view, 8> kSchemes = {"tcp",     "unix",    "internal", "fd",
                                                      "systemd", "respond", "echo",     "discard"};
// Reserved, but not of this version: named, so that nobody takes them for hosts.
constexpr std::array<std::string_view, 1> kAbsentSchemes = {"tls"};

constexpr std::size_t kFdDigits = 7;

constexpr std::uint64_t kMostPooled = 10'000;
constexpr std::uint64_t kMostStreams = 1'000'000;
constexpr std::size_t kSmallestWindow = 65536;  // what a stream starts with
constexpr std::size_t kLargestWindow = 1073741824;

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
    throw given.refusal("standard input and output can only be listened on (-l -); write HOST:PORT or internal:NAME");
  if (colon == std::string_view::npos) return {"", std::string(text)};
  if (holds(kAbsentSchemes, scheme)) {
    throw given.refusal(std::string(scheme) + ": is not supported by this version; use [HOST:]PORT or internal:NAME");
  }
  if (!holds(kSchemes, scheme)) return {"", std::string(text)};
  return {std::string(scheme), std::string(text.substr(colon + 1))};
}

bool answers_on_the_spot(const Parts& parts) {
  return parts.scheme == "respond" || parts.scheme == "echo" || parts.scheme == "discard";
}

// Of an address to listen on.
Parts split_listen(const Given& given) {
  Parts parts = split_scheme(given, given.value);
  if (!answers_on_the_spot(parts)) return parts;
  throw given.refusal(parts.scheme + ": gives an answer, nobody can listen on it; use [HOST:]PORT or internal:NAME");
}

plan::Internal parse_internal(const Given& given, const std::string& plain) {
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

plan::Unix parse_unix(const Given& given, const std::string& plain) {
  if (const std::string fault = plan::unix_path_fault(plain); !fault.empty()) throw given.refusal(fault);
  return {plain};
}

// "interal:mid" reads as a host called interal: say what was probably meant.
std::string scheme_hint(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return "";
  const std::string name = plan::nearest(text.substr(0, colon), names_of(kSchemes));
  return name.empty() ? "" : ", did you mean " + name + ":?";
}

plan::Tcp parse_tcp(const Given& given, const std::string& scheme, const std::string& plain) {
  plan::Tcp tcp;
  if (const std::string fault = plan::parse_host_port(plain, tcp); !fault.empty()) {
    throw given.refusal(fault + (scheme.empty() ? scheme_hint(plain) : ""));
  }
  return tcp;
}

// What is connected to, with its options taken off.
plan::Address parse_endpoint(const Given& given, const std::string& scheme, const std::string& plain) {
  if (scheme == "internal") return parse_internal(given, plain);
  if (scheme == "unix") return parse_unix(given, plain);
  if (scheme == "fd" || scheme == "systemd") {
    throw given.refusal(scheme + ": is a socket to listen on; connect to HOST:PORT, unix:PATH or internal:NAME");
  }
  return parse_tcp(given, scheme, plain);
}

// What stands behind internal:NAME: "meta." and a space, which may have dots, a dot and a key without one.
std::vector<plan::Metadata> parse_metadata(AddressOptions& options) {
  constexpr std::string_view kPrefix = "meta.";
  std::vector<plan::Metadata> metadata;
  for (const Given* given : options.values(kPrefix)) {
    const std::string name = given->key.substr(kPrefix.size());
    const std::size_t dot = name.rfind('.');
    plan::Metadata value{name.substr(0, std::min(dot, name.size())), "", given->value};
    if (dot != std::string::npos) value.key = name.substr(dot + 1);
    if (value.space.empty() || value.key.empty()) throw given->refusal("write meta.SPACE.KEY=VALUE");
    if (const std::string fault = plan::metadata_fault(value); !fault.empty()) throw given->refusal(fault);
    if (value.space == plan::kOriginalSpace && value.key == plan::kOriginalKey)
      if (const std::string fault = plan::original_fault(value); !fault.empty()) throw given->refusal(fault);
    metadata.push_back(std::move(value));
  }
  return metadata;
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

// respond: takes all that follows, commas included.
Dial parse_answer(const Given& given, const Parts& parts) {
  if (parts.scheme == "respond") return parse_respond(given, parts.body);
  if (!parts.body.empty()) {
    throw given.refusal(parts.scheme + ": takes nothing after it; a host called " + parts.scheme +
                        " is tcp:" + parts.scheme + ":PORT");
  }
  if (parts.scheme == "echo") return plan::Echo{};
  return plan::Discard{};
}

plan::Tcp parse_listen_tcp(const Given& given, const std::string& scheme, const std::string& plain) {
  if (const auto port = plan::parse_port(plain); port) return {"", *port};
  if (plain.find_first_not_of("0123456789") == std::string::npos)
    throw given.refusal("a port is a number from 1 to 65535");
  if (plain.starts_with("*:")) {
    const auto port = plan::parse_port(std::string_view(plain).substr(2));
    if (!port) throw given.refusal("the port must be a number from 1 to 65535");
    return {"*", *port};
  }
  plan::Tcp tcp = parse_tcp(given, scheme, plain);
  if (tcp.host == "localhost") tcp.host.clear();
  if (!tcp.host.empty() && !plan::is_ipv4(tcp.host) && !plan::is_ipv6(tcp.host)) {
    throw given.refusal("listen on an address of this machine, on PORT for loopback or on *:PORT for every interface" +
                        scheme_hint(plain));
  }
  return tcp;
}

plan::Internal parse_listen_internal(const Given& given, const std::string& plain) {
  plan::Internal internal = parse_internal(given, plain);
  if (!internal.endpoint_id.empty()) {
    throw given.refusal("a listener has no endpoint id; write internal:" + internal.listener);
  }
  return internal;
}

plan::Unix parse_listen_unix(const Given& given, AddressOptions& options) {
  plan::Unix socket = parse_unix(given, options.body());
  if (const Given* mode = options.value("mode")) {
    if (socket.path.starts_with('@')) {
      throw given.refusal("an abstract socket has no file and so no mode; leave it out, or write a path");
    }
    socket.mode = parse_mode(*mode);
  }
  return socket;
}

plan::Inherited parse_inherited(const Given& given, const Parts& parts, const std::string& plain) {
  if (parts.scheme == "systemd") {
    const std::string fault = plan::fd_name_fault(plain);
    if (!fault.empty()) throw given.refusal(fault);
    return {-1, plain};
  }
  const bool number = !plain.empty() && plain.size() <= kFdDigits;
  if (!number || plain.find_first_not_of("0123456789") != std::string::npos) {
    throw given.refusal("a descriptor is a number, such as fd:3");
  }
  return {std::stoi(plain), ""};
}

plan::Address parse_listen_address(const Given& given, const Parts& parts, AddressOptions& options) {
  if (parts.scheme == "internal") return parse_listen_internal(given, options.body());
  if (parts.scheme == "unix") return parse_listen_unix(given, options);
  if (parts.scheme == "fd" || parts.scheme == "systemd") return parse_inherited(given, parts, options.body());
  return parse_listen_tcp(given, parts.scheme, options.body());
}

plan::Pool parse_pool(AddressOptions& options, plan::Http protocol) {
  plan::Pool pool;
  if (const Given* given = options.value("conns"))
    pool.connections = static_cast<unsigned>(parse_number(*given, 1, kMostPooled));
  if (const Given* given = options.value("prewarm")) {
    pool.prewarm = static_cast<unsigned>(parse_number(*given, 0, kMostPooled));
    if (pool.connections > 0 && pool.prewarm > pool.connections)
      throw given->refusal("more than conns= allows cannot be kept ready; raise conns= or lower prewarm=");
  }
  if (const Given* given = options.value("idle")) pool.idle = parse_duration(*given, plan::Milliseconds(1));
  const Given* streams = options.value("streams");
  const Given* ping = options.value("ping");
  const Given* window = options.value("window");
  for (const Given* given : {streams, ping, window}) {
    if (given == nullptr || protocol == plan::Http::h2) continue;
    throw given->refusal("HTTP/1.1 has no streams, pings or windows; leave it out, or use h2c: if the proxy speaks it");
  }
  if (streams != nullptr) pool.streams = static_cast<unsigned>(parse_number(*streams, 1, kMostStreams));
  if (ping != nullptr) pool.ping = parse_duration(*ping, plan::Milliseconds(0));
  if (window != nullptr) pool.window_bytes = parse_size(*window, kSmallestWindow, kLargestWindow);
  return pool;
}

// Without what was typed, for a password may be in it.
[[noreturn]] void refuse_credentials(const Given& given) {
  throw Refusal(given.place, label(*given.option) +
                                 ": credentials are no part of a proxy's address in this version; give them "
                                 "with --header 'Proxy-Authorization: @FILE'");
}

}  // namespace

Listen parse_listen(const Given& given) {
  if (given.value == "-") return {plan::Stdio{}};
  const Parts parts = split_listen(given);
  AddressOptions options(given, parts.body);
  Listen listen{parse_listen_address(given, parts, options)};
  if (const Given* streams = options.value("streams")) {
    listen.streams = static_cast<unsigned>(parse_number(*streams, 1, kMostStreams));
    listen.streams_given = *streams;
  }
  options.finish();
  return listen;
}

plan::Address parse_admin(const Given& given) {
  constexpr const char* kElsewhere = "a browser or a prober must reach it; use [HOST:]PORT or unix:PATH";
  if (given.value == "-") throw given.refusal(kElsewhere);
  const Parts parts = split_listen(given);
  AddressOptions options(given, parts.body);
  plan::Address address = parse_listen_address(given, parts, options);
  options.finish();
  const auto* local = std::get_if<plan::Unix>(&address);
  if (local == nullptr && !std::holds_alternative<plan::Tcp>(address)) throw given.refusal(kElsewhere);
  if (local != nullptr && local->path.starts_with('@'))
    throw given.refusal("an abstract socket is open to every user of this machine; write a path");
  return address;
}

Dial parse_dial(const Given& given) {
  const Parts parts = split_scheme(given, given.value);
  if (answers_on_the_spot(parts)) return parse_answer(given, parts);
  AddressOptions options(given, parts.body);
  std::vector<plan::Metadata> metadata;
  if (parts.scheme == "internal") metadata = parse_metadata(options);
  options.finish();
  const bool tcp = parts.scheme.empty() || parts.scheme == "tcp";
  if (tcp && plan::parse_port(options.body())) {
    throw given.refusal("the host is missing; write 127.0.0.1:" + options.body());
  }
  return plan::Endpoint{parse_endpoint(given, parts.scheme, options.body()), std::move(metadata)};
}

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
  // Nothing of it is printed back before it is known to hold no password.
  const bool may_have_at =
      text.find("+unix:") != std::string_view::npos || text.find("+internal:") != std::string_view::npos;
  if (!may_have_at && text.find('@') != std::string_view::npos) refuse_credentials(given);
  if (text.starts_with("http://")) {
    const std::string_view rest = text.substr(7);
    throw given.refusal("a URL is not an address; write h1:" + std::string(rest.substr(0, rest.find('/'))));
  }
  if (!holds(kVersions, version) || end == text.size()) {
    throw given.refusal("say which HTTP the proxy speaks, h1:HOST:PORT or h2c:HOST:PORT" +
                        plan::did_you_mean(version, names_of(kVersions)));
  }
  Proxy proxy{version == "h1" ? plan::Http::h1 : plan::Http::h2, {}, {}};
  const std::string rest(text.substr(end + 1));
  const Parts parts = text[end] == ':' ? Parts{"tcp", rest} : split_scheme(given, rest);
  if (text[end] == ':' && (rest.starts_with("unix:") || rest.starts_with("internal:"))) {
    // As a host of that name, unless it cannot be one.
    plan::Tcp tcp;
    if (!plan::parse_host_port(rest, tcp).empty())
      throw given.refusal("a '+' leads to what is no HOST:PORT; write " + std::string(version) + "+" + rest);
  }
  if (answers_on_the_spot(parts)) throw given.refusal("a proxy is reached at HOST:PORT, unix:PATH or internal:NAME");
  AddressOptions options(given, parts.body);
  if (options.has("user") || options.has("pass-file")) refuse_credentials(given);
  proxy.pool = parse_pool(options, proxy.protocol);
  if (parts.scheme == "internal") proxy.endpoint.metadata = parse_metadata(options);
  options.finish();
  proxy.endpoint.address = parse_endpoint(given, parts.scheme, options.body());
  return proxy;
}

std::string parse_target(const Given& given) {
  if (const std::string fault = plan::target_source_fault(given.value); !fault.empty()) throw given.refusal(fault);
  if (given.value == "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%") return "@endpoint";
  if (plan::target_source_of(given.value) != plan::Source::written) return given.value;
  std::string target = plan::with_brackets(given.value);
  if (const std::string fault = plan::target_fault(target); !fault.empty()) throw given.refusal(fault);
  return target;
}

}  // namespace tunnel::config
