// SPDX-License-Identifier: Apache-2.0
// What the -l options of a line become: its entries. All sockets together are one listener, each internal name is one.
#pragma once
#include <optional>
#include <vector>

#include "config/arguments.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

struct Entry {
  plan::Listener listener;  // without a handler
  unsigned streams = 0;     // streams= of its addresses; 0: not given
  std::optional<Given> streams_given = {};

  // Gives it a handler; a Refusal if that has no use for streams=.
  void serve(const plan::Handler& handler);
};

// At least one, if -l is given at all; the first has the name of the line. `shape`: what all listeners of the line have
// in common. `may_be_open`: its sockets may be reached from beyond loopback.
std::vector<Entry> read_entries(Program program, const Arguments& arguments, const plan::Listener& shape,
                                bool may_be_open);

}  // namespace tunnel::config
