// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tunnel/run.hpp"

__attribute__((visibility("default"))) std::size_t plugin_workers(const tunnel::plan::Plan& plan) {
  tunnel::Engine engine(plan);
  return engine.start().ok() ? engine.workers() : 0;
}
