// SPDX-License-Identifier: Apache-2.0
// Small plans to export, and what comes of it.
#pragma once
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <string>
#include <utility>

#include "envoy/export.hpp"
#include "support/plan_pieces.hpp"
#include "unit/envoy/yaml_place.hpp"

namespace tunnel::envoy {

// 127.0.0.1:1 -> a tunnel to t:443 -> 10.0.0.1:2
inline plan::Plan tunnel_plan() {
  plan::Plan plan;
  plan.listeners.push_back(
      plan::listener("in", plan::Tcp{"127.0.0.1", 1}, plan::TcpProxy{"up", plan::Tunnel{"t:443"}}, 1));
  plan.clusters.push_back(plan::cluster("up", plan::Tcp{"10.0.0.1", 2}, 2));
  plan.clusters.back().protocol = plan::Http::h2;
  return plan;
}

// 127.0.0.1:1 -> requests, by one route -> 10.0.0.1:2
inline plan::Plan http_plan(plan::Route route) {
  plan::Plan plan;
  plan.listeners.push_back(plan::listener("in", plan::Tcp{"127.0.0.1", 1}, plan::with_route(std::move(route)), 1));
  plan.clusters.push_back(plan::cluster("up", plan::Tcp{"10.0.0.1", 2}, 2));
  return plan;
}

// 127.0.0.1:1 -> internal:mid -> nothing but an echo
inline plan::Plan inside_plan() {
  plan::Plan plan;
  plan.listeners.push_back(plan::listener("in", plan::Tcp{"127.0.0.1", 1}, plan::TcpProxy{"up", std::nullopt}, 1));
  plan.clusters.push_back(plan::cluster("up", plan::Internal{"mid", ""}, 2));
  plan.listeners.push_back(plan::inside("mid", plan::Echo{}, 3));
  return plan;
}

inline YAML::Node exported(const plan::Plan& plan, bool lossy = false) {
  EXPECT_EQ(plan::all(plan::check(plan)), "");
  const Exported exported = export_plan(plan, lossy);
  EXPECT_EQ(plan::all(exported.problems), "");
  return YAML::Load(exported.text);
}

inline std::string refused(const plan::Plan& plan, bool lossy = false) {
  return plan::all(export_plan(plan, lossy).problems);
}

}  // namespace tunnel::envoy
