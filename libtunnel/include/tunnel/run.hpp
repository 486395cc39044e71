// SPDX-License-Identifier: Apache-2.0
// Running a Plan in this process.
#pragma once
#include <string>

#include "tunnel/plan.hpp"

namespace tunnel {

// The version of the library and the programs, and what they stand on: "0.1.0 (Boost 1.81, nghttp2 1.52.0,
// OpenSSL 3.0.22)".
std::string version();

// Binds every listener of `plan`, starts the workers and serves until SIGTERM or SIGINT; then stops accepting, drains,
// and returns 0 (a second signal ends at once, everything reset). Takes over this process's signal handling: call it
// once, from main(), with a plan that check() passed. Returns the exit status of cli.md: 0 ok, 1 a listener could not
// be bound (said on stderr), 78 a limit the system cannot meet.
int run(const plan::Plan& plan);

}  // namespace tunnel
