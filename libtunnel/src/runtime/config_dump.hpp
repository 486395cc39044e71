// SPDX-License-Identifier: Apache-2.0
// /config_dump: a plan as the exporter (envoy/export.hpp) writes it, in the JSON of Envoy's admin server. What Envoy
// has no words for is left out and named; secrets are in no dump.
#pragma once
#include <chrono>
#include <string>

#include "tunnel/plan.hpp"

namespace tunnel::runtime {

// {"configs":[the bootstrap, its clusters, its listeners],"not_exported":[a sentence each]}, `started` being when all
// of it was last changed. `plan` has passed check().
std::string config_dump_json(const plan::Plan& plan, std::chrono::system_clock::time_point started);

}  // namespace tunnel::runtime
