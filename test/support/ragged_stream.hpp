// SPDX-License-Identifier: Apache-2.0
// RaggedStream: a Stream that keeps every promise in the most awkward way: reads give random pieces, writes take random
// parts, and either says "would block" when it need not (and is ready again in a later step).
#pragma once
#include <cstdint>
#include <random>

#include "support/wrapped_stream.hpp"

namespace tunnel::test {

class RaggedStream final : public WrappedStream {
 public:
  RaggedStream(StreamPtr inner, std::uint64_t seed) : WrappedStream(std::move(inner)), random_(seed) {}
  Io try_write(Buffer& from, More more) override;
  void on_writable(Slot& slot) override;

 protected:
  Io do_try_read(Buffer& into, std::size_t max) override;
  void do_on_readable(Slot& slot) override;

 private:
  std::size_t piece(std::size_t most);
  bool chance(unsigned one_in) { return random_() % one_in == 0; }
  std::mt19937_64 random_;
  bool balked_read_ = false;  // said "would block" of its own accord: the next wait ends at once
  bool balked_write_ = false;
};

}  // namespace tunnel::test
