// SPDX-License-Identifier: Apache-2.0
// The exit statuses that the manual pages list; those of -l - are explained in tunnel(7).
#pragma once
#include "proxy/outcome.hpp"

namespace tunnel::runtime {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUnavailable = 69;
inline constexpr int kExitTemporary = 75;
inline constexpr int kExitProtocol = 76;
inline constexpr int kExitDenied = 77;
inline constexpr int kExitBadConfiguration = 78;

// What the connection over standard input and output ends the process with. A proxy's own answer says more than the
// status our client was told. What we cut ourselves, because a signal said so, is no failure.
int exit_status(const proxy::Outcome& outcome);

}  // namespace tunnel::runtime
