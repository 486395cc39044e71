// SPDX-License-Identifier: Apache-2.0
// /listeners, /clusters and /server_info in the shapes of Envoy's admin server. What Envoy tells and nobody counts here
// is left out.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/figures.hpp"
#include "runtime/name_filter.hpp"
#include "tunnel/address.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

// The IP addresses a listener is bound to, by its name.
using BoundAddresses = std::function<std::vector<SocketAddress>(const std::string&)>;

// "name::address", a line for each address.
std::string listeners_as_text(const plan::Plan& plan, const BoundAddresses& bound);
std::string listeners_as_json(const plan::Plan& plan, const BoundAddresses& bound);

// Of the clusters whose names pass.
std::string clusters_as_text(const plan::Plan& plan, const Figures& figures, const NameFilter& filter);
std::string clusters_as_json(const plan::Plan& plan, const Figures& figures, const NameFilter& filter);

struct ServerFacts {
  std::string_view version;
  bool live = true;
  std::chrono::seconds uptime{};
  std::size_t workers = 0;
  std::chrono::milliseconds drain{};
  std::string_view log_level;
};
std::string server_info_json(const ServerFacts& facts);

}  // namespace tunnel::runtime
