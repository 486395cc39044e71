// SPDX-License-Identifier: Apache-2.0
// The user-space socket: two Streams joined back to back in memory. Not a descriptor: no options, no addresses, nothing
// of the kernel; both ends live on one worker. It knows no registry. Modelled on Envoy's
// source/extensions/io_socket/user_space, with end, close and reset as three facts a direction (envoyproxy/envoy#38148,
// #43976, #45198).
#pragma once
#include <cstddef>
#include <utility>

#include "base/context.hpp"
#include "tunnel/stream.hpp"

namespace tunnel {

// A writer waits once its direction holds `high_mark_bytes` of capacity (chunks held, not bytes) and goes on at half of
// it; overshoot is at most 16 KiB. The ends may be destroyed in any order.
//   close (destroyed after shutdown_write): the peer still reads what is queued, then the end; its writes fail. If
//   bytes of the peer were left unread the peer meets a reset behind the queue instead of the end, as in TCP. abort (or
//   destroyed before shutdown_write): queued bytes are gone, the peer's pending calls fail with a reset.
std::pair<StreamPtr, StreamPtr> make_user_space_pair(const Context& context, std::size_t high_mark_bytes);

}  // namespace tunnel
