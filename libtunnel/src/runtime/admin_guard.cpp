// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_guard.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace tunnel::runtime {
namespace {

bool same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

// Without port and brackets; the port is whatever leads here, such as that of an ssh -L.
std::string_view name_in(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

bool names(std::string_view host, const SocketAddress& reached) {
  const std::string_view name = name_in(host);
  if (same_text(name, "localhost")) return true;
  const auto literal = SocketAddress::from_literal(name, 0);
  return literal && (literal->is_loopback() || literal->unwrapped().ip() == reached.unwrapped().ip());
}

}  // namespace

std::optional<AdminResponse> refuse_host(const AdminRequest& request) {
  if (!request.reached) return std::nullopt;
  if (!request.host) return admin_text(400, "the Host field is missing");
  if (names(*request.host, *request.reached)) return std::nullopt;
  return admin_text(421, "this is not the host asked for; use its address, such as " + request.reached->to_string());
}

std::optional<AdminResponse> refuse_origin(const AdminRequest& request) {
  const std::string own = request.host.value_or("");
  const bool other = request.origin && !same_text(*request.origin, "http://" + own) &&
                     !same_text(*request.origin, "https://" + own);  // https: behind somebody else's TLS
  const bool across =
      request.fetch_site && !same_text(*request.fetch_site, "same-origin") && !same_text(*request.fetch_site, "none");
  if (!other && !across) return std::nullopt;
  return admin_text(403, "another site's page may change nothing here");
}

}  // namespace tunnel::runtime
