// SPDX-License-Identifier: Apache-2.0
#include "plan/socket_place.hpp"

#include <filesystem>
#include <variant>

#include "plan/host_port.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

// Without "." and "..", so that a path has one spelling.
std::string plain_path(const std::string& path) {
  return path.starts_with('@') ? path : std::filesystem::path(path).lexically_normal().string();
}

}  // namespace

std::string listen_fault(const Address& address) {
  if (const auto* tcp = std::get_if<Tcp>(&address)) {
    if (tcp->host.empty() || tcp->host == "*" || is_ipv4(tcp->host) || is_ipv6(tcp->host)) return "";
    return in_quotes(tcp->host) + " is not an address of this machine; listen on a number or *";
  }
  if (const auto* socket = std::get_if<Unix>(&address)) {
    if (const std::string fault = unix_path_fault(socket->path); !fault.empty()) return fault;
    return socket->mode > 0777 ? "the permissions of a socket file go up to 777" : "";
  }
  if (const auto* inherited = std::get_if<Inherited>(&address); inherited != nullptr && inherited->fd < 0)
    return fd_name_fault(inherited->name);
  return "";
}

std::string sole_socket(const Address& address) {
  if (const auto* socket = std::get_if<Unix>(&address)) return "unix:" + plain_path(socket->path);
  if (const auto* inherited = std::get_if<Inherited>(&address))
    return inherited->fd >= 0 ? "fd:" + std::to_string(inherited->fd) : "systemd:" + inherited->name;
  return "";
}

bool overlap(const std::string& a, const std::string& b) {
  if (a == b || a == "*" || b == "*") return true;
  const auto covers = [](const std::string& wide, const std::string& narrow) {
    if (wide.empty()) return narrow == "127.0.0.1" || narrow == "::1";
    if (wide == "0.0.0.0") return narrow.empty() || is_ipv4(narrow);
    return wide == "::" && (narrow.empty() || is_ipv6(narrow));
  };
  return covers(a, b) || covers(b, a);
}

bool leads_to(const Address& dialled, const Address& listened) {
  if (const auto* to = std::get_if<Tcp>(&dialled)) {
    const auto* own = std::get_if<Tcp>(&listened);
    return own != nullptr && own->port == to->port && overlap(own->host, to->host == "localhost" ? "" : to->host);
  }
  if (const auto* to = std::get_if<Unix>(&dialled)) {
    const auto* own = std::get_if<Unix>(&listened);
    return own != nullptr && plain_path(own->path) == plain_path(to->path);
  }
  return false;
}

}  // namespace tunnel::plan
