// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_guard.hpp"

#include <string>
#include <string_view>

#include "base/letter_case.hpp"

namespace tunnel::runtime {
namespace {

// Without port and brackets; the port is whatever leads here, such as that of an ssh -L.
std::string_view name_in(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

bool names(std::string_view host, const SocketAddress& reached) {
  const std::string_view name = name_in(host);
  if (equal_ignoring_case(name, "localhost")) return true;
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
  const bool other = request.origin && !equal_ignoring_case(*request.origin, "http://" + own) &&
                     !equal_ignoring_case(*request.origin, "https://" + own);  // https: behind somebody else's TLS
  const bool across = request.fetch_site && !equal_ignoring_case(*request.fetch_site, "same-origin") &&
                      !equal_ignoring_case(*request.fetch_site, "none");
  if (!other && !across) return std::nullopt;
  return admin_text(403, "another site's page may change nothing here");
}

}  // namespace tunnel::runtime
