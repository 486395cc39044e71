// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 for the admin server, on an io_context of its own: few, small, bounded requests. Its source is the only one
// that includes Beast's algorithms; it shares no code and no thread with the data path.
#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <vector>

#include "base/fd.hpp"
#include "runtime/admin_message.hpp"

namespace tunnel::runtime {

using AdminServe = std::function<void(const AdminRequest&, const AdminReply&)>;

// Accepts on `sockets` (listening, non-blocking) as long as `io` runs, and closes all with it. `serve` is called on
// that thread.
void serve_admin(boost::asio::io_context& io, std::vector<Fd> sockets, AdminServe serve);

}  // namespace tunnel::runtime
