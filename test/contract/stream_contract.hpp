// SPDX-License-Identifier: Apache-2.0
// What the cases of the contract suite share: a fixture parameterised by the kind of stream, and small coroutines.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "support/pattern.hpp"
#include "support/sim_loop.hpp"
#include "support/stream_pair.hpp"

namespace tunnel::test {

// Every kind of byte stream there is; the one list to extend.
std::vector<StreamTraits> all_stream_kinds();

struct CountingObserver final : ResetObserver {
  void on_stream_reset(Stream& stream) noexcept override {
    ++told;
    if (abort_inside) stream.abort(Error(Error::Kind::cancelled));
  }
  int told = 0;
  bool abort_inside = false;
};

// Waits until `wanted` holds, for at most 10 s of the loop's time.
Task<bool> eventually(Loop& loop, std::function<bool()> wanted);
Task<void> pause(Loop& loop, Duration length);
Task<bool> send_and_finish(Stream& to, std::uint64_t total, std::size_t piece = 16384);
// Echoes until the end and passes the end on.
Task<bool> echo(Stream& stream);
Task<void> abort_after(Stream& stream, Duration delay);

// One case is one coroutine over a fresh pair; afterwards both ends are destroyed and nothing may be left.
class StreamContract : public testing::TestWithParam<std::tuple<StreamTraits, std::uint64_t>> {
 protected:
  using Case = Task<void> (*)(StreamPair& pair, const StreamTraits& traits);
  const StreamTraits& traits() const { return std::get<0>(GetParam()); }
  std::uint64_t seed() const { return std::get<1>(GetParam()); }
  void run(Case one, int repetitions = 1);
};

}  // namespace tunnel::test
