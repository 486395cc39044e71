// SPDX-License-Identifier: Apache-2.0
// Which requests a route is for, as far as it is about texts. Pure functions, safe from any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tunnel/plan.hpp"

namespace tunnel::plan {

// In words: "any request", "CONNECT", "POST /x", "/x and no more, with foo: bar, for example.com".
std::string to_string(const Match& match);

// A clause for what is no domain of Match::domains, or "".
std::string domain_fault(std::string_view domain);

// The same for what a path begins with, or is: it has no query, and nothing that no request has there.
std::string path_fault(std::string_view path);

// Of all domains of `routes`, the one a request for `authority` (in any case) belongs to; "" if there is none. A route
// without domains has "*".
std::string_view domain_of(const std::vector<Route>& routes, std::string_view authority);

// Whether a route is among those of a domain that domain_of() returned.
bool is_of_domain(const Match& match, std::string_view domain);

// Whether a request's path (with its query) fits.
bool fits_path(const Match& match, std::string_view path);

}  // namespace tunnel::plan
