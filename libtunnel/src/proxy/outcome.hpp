// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tunnel/error.hpp"

namespace tunnel::proxy {

// How the one connection of a listener on standard input and output went: what failed first, if anything did.
struct Outcome {
  Error error;               // kind none: all in order
  bool established = false;  // bytes or an answer had come through before
};

}  // namespace tunnel::proxy
