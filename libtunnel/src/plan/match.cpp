// SPDX-License-Identifier: Apache-2.0
#include "plan/match.hpp"

#include <algorithm>
#include <cstddef>

#include "base/letter_case.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr std::string_view kAll = "*";
constexpr std::size_t kMostDomainBytes = 260;  // a name of 253, a colon and a port

// How well `domain` fits; 0: not at all. Exact before suffixes before prefixes before "*", the longer the better.
std::size_t rank(std::string_view domain, std::string_view authority) {
  constexpr std::size_t kClass = 2 * kMostDomainBytes;
  if (domain == kAll) return 1;
  if (domain == authority) return 3 * kClass;
  const bool longer = authority.size() >= domain.size();  // a '*' stands for at least one character
  if (domain.front() == '*' && longer && authority.ends_with(domain.substr(1))) return 2 * kClass + domain.size();
  const std::string_view begin = domain.substr(0, domain.size() - 1);
  if (domain.back() == '*' && longer && authority.starts_with(begin)) return kClass + domain.size();
  return 0;
}

}  // namespace

std::string to_string(const Match& match) {
  std::string text = match.connect ? "CONNECT" : match.method;
  const bool any_path = match.connect || (match.prefix == "/" && !match.whole);
  if (!any_path) text += (text.empty() ? "" : " ") + match.prefix + (match.whole ? " and no more" : "");
  if (text.empty()) text = "any request";
  for (const FieldMatch& field : match.fields)
    text.append(", with ").append(field.name).append(": ").append(field.value);
  for (const std::string& domain : match.domains)
    text.append(&domain == &match.domains.front() ? ", for " : " or ").append(domain);
  return text;
}

std::string domain_fault(std::string_view domain) {
  if (domain.empty()) return "a domain is missing";
  if (domain.size() > kMostDomainBytes) return "a domain is shorter";
  const auto bad = [](char c) {
    const bool upper = c >= 'A' && c <= 'Z';
    return c <= 0x20 || c >= 0x7f || upper || std::string_view("/?#@").find(c) != std::string_view::npos;
  };
  if (std::any_of(domain.begin(), domain.end(), bad)) return in_quotes(domain) + " is no domain in lower case";
  const auto stars = std::count(domain.begin(), domain.end(), '*');
  if (stars > 1 || (stars == 1 && domain.front() != '*' && domain.back() != '*'))
    return in_quotes(domain) + ": one * may stand, at the beginning or at the end";
  return "";
}

std::string path_fault(std::string_view path) {
  if (!path.starts_with('/')) return "a path prefix begins with '/'";
  if (path.find('?') != std::string_view::npos) return in_quotes(path) + ": a path is compared without its query";
  const auto bad = [](char c) { return c <= 0x20 || c >= 0x7f || c == '#'; };
  if (std::any_of(path.begin(), path.end(), bad)) return in_quotes(path) + " can be no path of a request";
  return "";
}

std::string_view domain_of(const std::vector<Route>& routes, std::string_view authority) {
  const std::string asked = to_lower(authority);
  std::string_view best;
  std::size_t best_rank = 0;
  const auto look_at = [&](std::string_view domain) {
    const std::size_t own = rank(domain, asked);
    if (own <= best_rank) return;
    best = domain;
    best_rank = own;
  };
  for (const Route& route : routes) {
    if (route.match.domains.empty()) look_at(kAll);
    for (const std::string& domain : route.match.domains) look_at(domain);
  }
  return best;
}

bool is_of_domain(const Match& match, std::string_view domain) {
  if (match.domains.empty()) return domain == kAll;
  return std::find(match.domains.begin(), match.domains.end(), domain) != match.domains.end();
}

bool fits_path(const Match& match, std::string_view path) {
  if (!match.whole) return path.starts_with(match.prefix);
  return path.substr(0, path.find('?')) == match.prefix;
}

}  // namespace tunnel::plan
