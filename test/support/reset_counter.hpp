// SPDX-License-Identifier: Apache-2.0
// An observer of a stream's reset that only counts how often it was told.
#pragma once
#include "tunnel/stream.hpp"

namespace tunnel::test {

struct ResetCounter final : ResetObserver {
  void on_stream_reset(Stream& /*stream*/) noexcept override { ++told; }
  int told = 0;
};

}  // namespace tunnel::test
