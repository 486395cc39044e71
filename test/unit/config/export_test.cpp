// SPDX-License-Identifier: Apache-2.0
// --export as it is typed; test/unit/envoy has what it writes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using Texts = std::vector<std::string>;

TEST(Export, IsTheSameFromEveryNotation) {
  const Texts words = {"-l", "1", "-x", "h2c:a:2,streams=5", "--target", "b:3", "--http", "--name", "n"};
  const std::string line = "tun-encap -l 1 -x h2c:a:2,streams=5 --target b:3 --http --name n";
  const TemporaryFile file("a.tun", line + "\n");
  Texts one = words;
  one.emplace_back("--export=envoy");
  const Typed alone = type(Program::tun_encap, one);
  EXPECT_EQ(alone.status, 0) << alone.err;
  EXPECT_FALSE(alone.ran);
  EXPECT_NE(alone.out.find("max_concurrent_streams: 5"), std::string::npos) << alone.out;
  EXPECT_EQ(type(Program::tun_run, {"-e", line, "--export", "envoy"}).out, alone.out);
  EXPECT_EQ(type(Program::tun_run, {file.path(), "--export=envoy,lossy"}).out, alone.out);
}

TEST(Export, OfAnUnknownKindIsRefused) {
  const Typed typed = type(Program::tcp_chain, {"-l", "1", "-t", "a:2", "--export=envoi"});
  EXPECT_EQ(typed.status, 64);
  EXPECT_EQ(typed.err,
            usage_error(Program::tcp_chain, "--export 'envoi': give envoy or envoy,lossy, did you mean envoy?"));
}

// A loss is told at the place of its line; with ,lossy it is a comment, and the rest is printed.
TEST(Export, TellsLossesWithTheirPlaces) {
  const Texts line = {"-e", "tcp-chain -l 1 -t a:2\ntcp-chain -l 3 -t a:4 --half-close-timeout 5s", "--workers", "2"};
  Texts strict = line;
  strict.emplace_back("--export=envoy");
  const Typed refused = type(Program::tun_run, strict);
  EXPECT_EQ(refused.status, 78);
  EXPECT_EQ(refused.out, "");
  EXPECT_NE(refused.err.find("tun-run: -e#1:2:14: listener tcp-chain-3, half-close timeout 5000 ms: "),
            std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("tun-run: --workers 2: "), std::string::npos) << refused.err;
  Texts lossy = line;
  lossy.emplace_back("--export=envoy,lossy");
  const Typed exported = type(Program::tun_run, lossy);
  EXPECT_EQ(exported.status, 0) << exported.err;
  EXPECT_NE(exported.out.find("# - -e#1:2:14: listener tcp-chain-3, half-close timeout 5000 ms: "), std::string::npos)
      << exported.out;
  EXPECT_NE(exported.out.find("name: \"tcp-chain-1\""), std::string::npos);
}

}  // namespace
}  // namespace tunnel::config
