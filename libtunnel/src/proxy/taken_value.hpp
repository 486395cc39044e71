// SPDX-License-Identifier: Apache-2.0
// What stands for "@authority", "@endpoint" and "@orig-dst": the host:port a request or a connection brings with it.
#pragma once
#include "http/message.hpp"
#include "plan/connection_format.hpp"
#include "plan/source.hpp"
#include "stream/connect_request.hpp"
#include "tunnel/address.hpp"

namespace tunnel::proxy {

// The host and port a request is for: CONNECT's target, or the authority of any other with the port of its scheme.
Result<Authority> target_of(const http::RequestHead& head);

// The same for a request that is to travel in clear: one for https belongs into a CONNECT.
Result<Authority> clear_target_of(const http::RequestHead& head);

// The value `source` (not `written`, not `format`) has for this request, always a host:port. Errors: there is none,
// because it is missing or no host:port, or the connection came straight to a listener that waits for redirected ones.
Result<std::string> taken_value(plan::Source source, const ConnectRequest& request);

// The same for a target that is a format, written as `text`.
Result<std::string> formatted_target(const std::string& text, const plan::ConnectionFormat& format,
                                     const ConnectionInfo& info);

}  // namespace tunnel::proxy
