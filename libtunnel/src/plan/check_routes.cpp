// SPDX-License-Identifier: Apache-2.0
#include "plan/check_routes.hpp"

#include <optional>
#include <utility>
#include <variant>

#include "plan/header_field.hpp"
#include "plan/match.hpp"
#include "plan/time.hpp"

namespace tunnel::plan {
namespace {

using Faults = std::vector<std::string>;

void add(Faults& faults, std::string fault) {
  if (!fault.empty()) faults.push_back(std::move(fault));
}

void judge_match(const Match& match, Faults& faults) {
  if (!match.connect) add(faults, path_fault(match.prefix));
  if (match.connect && (match.prefix != "/" || match.whole || !match.method.empty()))
    add(faults, "a CONNECT has neither a path nor another method");
  if (!match.connect && match.method == "CONNECT") add(faults, "a CONNECT has a match of its own");
  for (const FieldMatch& field : match.fields) {
    add(faults, field_name_fault(field.name));
    if (const std::string fault = field_value_fault(field.value); !fault.empty())
      add(faults, field.name + ": " + fault);
  }
  for (const std::string& domain : match.domains) add(faults, domain_fault(domain));
}

void judge_answer(const Respond& respond, Faults& faults) {
  if (respond.status < 200 || respond.status > 599)
    add(faults, "a final answer has a status from 200 to 599, not " + std::to_string(respond.status));
  const bool bodiless = respond.status == 204 || respond.status == 205 || respond.status == 304;
  if (bodiless && !respond.body.empty()) add(faults, "an answer " + std::to_string(respond.status) + " has no body");
}

void judge_times(Milliseconds timeout, const std::optional<Milliseconds>& idle_timeout, Faults& faults) {
  if (const std::string fault = time_fault(timeout, true); !fault.empty()) faults.push_back("the timeout " + fault);
  const std::string fault = idle_timeout ? time_fault(*idle_timeout, true) : "";
  if (!fault.empty()) faults.push_back("the idle timeout " + fault);
}

}  // namespace

std::vector<std::string> route_faults(const Route& route) {
  Faults faults;
  judge_match(route.match, faults);
  if (const auto* respond = std::get_if<Respond>(&route.action)) judge_answer(*respond, faults);
  if (const auto* forward = std::get_if<Forward>(&route.action))
    judge_times(forward->timeout, forward->idle_timeout, faults);
  const auto* terminate = std::get_if<Terminate>(&route.action);
  if (terminate != nullptr) judge_times(terminate->timeout, terminate->idle_timeout, faults);
  const bool ends_post = terminate != nullptr && terminate->post && route.match.method == "POST";
  if (terminate != nullptr && !route.match.connect && !ends_post)
    add(faults, "only a CONNECT can be terminated, or a POST where the route is for that method");
  return faults;
}

}  // namespace tunnel::plan
