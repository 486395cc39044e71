// SPDX-License-Identifier: Apache-2.0
#include "config/describe.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <variant>

#include "plan/host_port.hpp"

namespace tunnel::config {
namespace {

template <class... Calls>
struct Either : Calls... {
  using Calls::operator()...;
};
template <class... Calls>
Either(Calls...) -> Either<Calls...>;

std::string bracketed(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

// The bytes of the UTF-8 sequence `text` begins with; 0 if it is none, or a control character.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : 4;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  const bool control = lead == 0xc2 && byte(1) < 0xa0;                                         // C1
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);  // RFC 3629
  const bool beyond = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);  // surrogates
  return control || overlong || beyond ? 0 : length;
}

// A listener without a host is on both loopback addresses; one on every interface is there, too.
bool is_on_loopback(const std::string& host) {
  return host.empty() || host == "*" || host == "0.0.0.0" || host == "::";
}

bool leads_to(const plan::Address& dialled, const plan::Address& own) {
  const auto* to = std::get_if<plan::Tcp>(&dialled);
  const auto* at = std::get_if<plan::Tcp>(&own);
  if (to != nullptr && at != nullptr) {
    if (to->port != at->port) return false;
    if (to->host == at->host) return true;
    const bool loopback = to->host == "127.0.0.1" || to->host == "::1" || to->host == "localhost";
    return loopback && is_on_loopback(at->host);
  }
  const auto* path = std::get_if<plan::Unix>(&dialled);
  const auto* own_path = std::get_if<plan::Unix>(&own);
  if (path != nullptr && own_path != nullptr) return path->path == own_path->path;
  const auto* name = std::get_if<plan::Internal>(&dialled);
  const auto* own_name = std::get_if<plan::Internal>(&own);
  return name != nullptr && own_name != nullptr && name->listener == own_name->listener;
}

}  // namespace

std::string size_text(std::size_t bytes) {
  if (bytes != 0 && bytes % 1073741824 == 0) return std::to_string(bytes / 1073741824) + "G";
  if (bytes != 0 && bytes % 1048576 == 0) return std::to_string(bytes / 1048576) + "M";
  if (bytes != 0 && bytes % 1024 == 0) return std::to_string(bytes / 1024) + "K";
  return std::to_string(bytes);
}

std::string address_text(const plan::Address& address) {
  return std::visit(Either{
                        [](const plan::Tcp& tcp) {
                          return (tcp.host.empty() ? "" : bracketed(tcp.host) + ":") + std::to_string(tcp.port);
                        },
                        [](const plan::Internal& internal) {
                          return "internal:" + internal.listener +
                                 (internal.endpoint_id.empty() ? "" : "/" + printable(internal.endpoint_id));
                        },
                        [](const plan::Unix& local) { return "unix:" + printable(local.path); },
                        [](const plan::Inherited& handed) {
                          return handed.name.empty() ? "fd:" + std::to_string(handed.fd)
                                                     : "systemd:" + printable(handed.name);
                        },
                        [](const plan::Stdio&) { return std::string("-"); },
                    },
                    address);
}

std::string rule_text(const plan::Rule& rule) {
  const std::size_t slash = rule.host.find('/');
  std::string text = bracketed(rule.host.substr(0, slash));
  if (slash != std::string::npos) text += rule.host.substr(slash);
  text += ":" + std::to_string(rule.first_port);
  if (rule.last_port != rule.first_port) text += "-" + std::to_string(rule.last_port);
  if (rule.literal) text += ", no names";
  return text;
}

std::string_view http_text(plan::Http version) {
  if (version == plan::Http::automatic) return "HTTP/1.1 or HTTP/2";
  return version == plan::Http::h1 ? "HTTP/1.1" : "HTTP/2";
}

std::string_view lb_text(plan::Lb lb) {
  if (lb == plan::Lb::least) return "least";
  return lb == plan::Lb::first ? "first" : "round-robin";
}

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string shown;
  while (!text.empty()) {
    const std::size_t length = sequence(text);
    if (length == 0) {
      const auto byte = static_cast<unsigned char>(text.front());
      shown += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    }
    shown += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return shown;
}

std::vector<const plan::Listener*> listeners_at(const plan::Plan& plan, const plan::Address& address) {
  std::vector<const plan::Listener*> found;
  for (const plan::Listener& listener : plan.listeners) {
    const auto same = [&](const plan::Address& own) { return leads_to(address, own); };
    if (std::any_of(listener.addresses.begin(), listener.addresses.end(), same)) found.push_back(&listener);
  }
  return found;
}

const plan::Cluster* find_cluster(const plan::Plan& plan, const std::string& name) {
  const auto found = std::find_if(plan.clusters.begin(), plan.clusters.end(),
                                  [&](const plan::Cluster& cluster) { return cluster.name == name; });
  return found == plan.clusters.end() ? nullptr : &*found;
}

}  // namespace tunnel::config
