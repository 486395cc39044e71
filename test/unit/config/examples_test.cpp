// SPDX-License-Identifier: Apache-2.0
// The pipeline files under examples/ say what their comments promise.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

namespace fs = std::filesystem;

// The checkout this program was built from or is run in; TUNNEL_SOURCE_DIR where neither is inside it.
fs::path source_folder() {
  const char* const named = std::getenv("TUNNEL_SOURCE_DIR");
  if (named != nullptr) return named;
  for (fs::path start : {fs::current_path(), fs::read_symlink("/proc/self/exe")}) {
    for (; start.has_relative_path(); start = start.parent_path()) {
      if (fs::exists(start / "examples" / "simple-chain" / "pipeline.tun")) return start;
    }
  }
  return {};
}

plan::Plan example(const std::string& name) {
  return plan_of(Program::tun_run, {(source_folder() / "examples" / name / "pipeline.tun").string()});
}

plan::Address endpoint(const plan::Plan& plan, std::size_t cluster) {
  return plan.clusters.at(cluster).endpoints.at(0).address;
}

TEST(Examples, SimpleChain) {
  const plan::Plan plan = example("simple-chain");
  ASSERT_EQ(plan.listeners.size(), 2U);
  EXPECT_TRUE(plan.listeners[0].addresses.at(0) == plan::Address(plan::Tcp{"", 9999}));
  EXPECT_TRUE(endpoint(plan, 0) == plan::Address(plan::Internal{"encap", ""}));
  EXPECT_TRUE(plan.listeners[1].addresses.at(0) == plan::Address(plan::Internal{"encap", ""}));
  EXPECT_TRUE(endpoint(plan, 1) == plan::Address(plan::Tcp{"127.0.0.1", 10000}));
}

TEST(Examples, Encapsulate) {
  const plan::Plan plan = example("encapsulate");
  ASSERT_EQ(plan.listeners.size(), 2U);
  EXPECT_TRUE(plan.listeners[0].addresses.at(0) == plan::Address(plan::Tcp{"", 10000}));
  EXPECT_TRUE(std::holds_alternative<plan::HttpProxy>(plan.listeners[0].handler));
  EXPECT_TRUE(endpoint(plan, 0) == plan::Address(plan::Internal{"encap.http", ""}));
  EXPECT_TRUE(plan.listeners[1].handler == plan::Handler(plan::TcpProxy{"encap.proxy", plan::Tunnel{"host.com:443"}}));
  EXPECT_TRUE(endpoint(plan, 1) == plan::Address(plan::Tcp{"127.0.0.1", 10001}));
  EXPECT_EQ(plan.clusters.at(1).protocol, plan::Http::h2);
}

TEST(Examples, Decapsulate) {
  const plan::Plan plan = example("decapsulate");
  ASSERT_EQ(plan.listeners.size(), 2U);
  EXPECT_TRUE(plan.listeners[0].addresses.at(0) == plan::Address(plan::Tcp{"", 10001}));
  const auto& outer = std::get<plan::HttpProxy>(plan.listeners[0].handler);
  EXPECT_TRUE(outer.routes.at(0).match.connect);
  EXPECT_TRUE(endpoint(plan, 0) == plan::Address(plan::Internal{"decap", ""}));
  const auto& inner = std::get<plan::HttpProxy>(plan.listeners[1].handler);
  EXPECT_TRUE(std::get<plan::Respond>(inner.routes.at(0).action) == (plan::Respond{200, "Hello, world!\n"}));
}

// The two ends fit together in one process, too.
TEST(Examples, BothEndsInOneProcess) {
  const std::string folder = (source_folder() / "examples").string();
  const Typed typed =
      type(Program::tun_run, {folder + "/encapsulate/pipeline.tun", folder + "/decapsulate/pipeline.tun", "--check"});
  EXPECT_EQ(typed.status, 0) << typed.err;
}

}  // namespace
}  // namespace tunnel::config
