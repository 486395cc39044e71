// SPDX-License-Identifier: Apache-2.0
// Who may ask the admin server for what, beyond who can reach its socket: a page of another site, opened in a browser
// of this machine, reaches it too.
#pragma once
#include <optional>

#include "runtime/admin_message.hpp"

namespace tunnel::runtime {

// The Host field must name what the connection reached: a loopback name or address, or the very address. Another name
// may be one that somebody else's name server lets point here. Over a unix socket any will do. Then the refusal, or
// none.
std::optional<AdminResponse> refuse_host(const AdminRequest& request);

// Of a request that changes something: one that a browser sends must come from our own page.
std::optional<AdminResponse> refuse_origin(const AdminRequest& request);

}  // namespace tunnel::runtime
