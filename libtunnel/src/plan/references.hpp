// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// The names of the clusters a listener's handler leads to, in the order of its routes, each once.
std::vector<std::string> clusters_of(const Listener& listener);

// Whether a client of the listener says where connections go, here or behind internal hops.
bool lets_clients_name_targets(const Plan& plan, const Listener& listener);

// The clusters HTTP is spoken to, by tunnels and forwarded requests: they have pools. Refers to `plan`.
std::set<std::string_view> pooled_clusters(const Plan& plan);

// What of a client is asked for, by the %OPERATOR%s of tunnels, behind internal connections that are pooled: what one
// of them was made for may not be lent to another.
struct ClientPart {
  enum class Address : std::uint8_t { nothing, host, whole };
  Address address = Address::nothing;
  bool server_name = false;
  bool operator==(const ClientPart&) const = default;
};
// Of the pooled clusters that lead to internal listeners those behind which something is. Refers to `plan`.
std::map<std::string_view, ClientPart> asked_of_clients(const Plan& plan);

// The listeners that look for the ClientHello of whom they accept: those of a tcp_proxy that asks for the server's
// name, here or behind internal hops.
std::set<std::string> hello_listeners(const Plan& plan);

}  // namespace tunnel::plan
