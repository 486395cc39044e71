// SPDX-License-Identifier: Apache-2.0
// Values of a Plan in words, for everything that prints one. What came from outside is made fit for one line of a
// terminal: control bytes and what is not UTF-8 stand as \xNN.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "plan/wording.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

using plan::duration_text;
// 65536 as 64K, 1048576 as 1M, 1000 as 1000.
std::string size_text(std::size_t bytes);

// As one would type it: "*:80", "[::1]:80", "internal:x/id", "unix:/run/x.sock", "fd:3", "systemd:web", "-". A
// listener's TCP address without a host is "10000".
std::string address_text(const plan::Address& address);
// As --allow and --deny take it: "*.example:443", "10.0.0.0/8:1-65535", "[2001:db8::]/32:443".
std::string rule_text(const plan::Rule& rule);

std::string_view http_text(plan::Http version);  // "HTTP/1.1", "HTTP/2", "HTTP/1.1 or HTTP/2"
std::string_view lb_text(plan::Lb lb);           // as --lb takes it

std::string printable(std::string_view text);

// The listeners of `plan` that `address` leads to: by name, or because it is an address one of them listens on.
std::vector<const plan::Listener*> listeners_at(const plan::Plan& plan, const plan::Address& address);

// nullptr: there is none.
const plan::Cluster* find_cluster(const plan::Plan& plan, const std::string& name);

}  // namespace tunnel::config
