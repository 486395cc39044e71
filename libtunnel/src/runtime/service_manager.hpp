// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace tunnel::runtime {

// Tells the service manager a state such as "READY=1" or "STOPPING=1" (sd_notify(3)): one datagram to the socket
// NOTIFY_SOCKET names; nothing if it names none. Waits for a second at most.
void notify_service_manager(std::string_view state);

}  // namespace tunnel::runtime
