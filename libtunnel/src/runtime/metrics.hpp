// SPDX-License-Identifier: Apache-2.0
// /metrics: every counter and gauge in the text format of Prometheus, version 0.0.4. Labels are names of the plan and
// words of this program, never what a peer sent: their number is fixed at start.
#pragma once
#include <string>
#include <string_view>

#include "runtime/figures.hpp"
#include "runtime/process_facts.hpp"

namespace tunnel::runtime {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

std::string metrics_text(const Figures& figures, const ProcessFacts& process, bool draining);

}  // namespace tunnel::runtime
