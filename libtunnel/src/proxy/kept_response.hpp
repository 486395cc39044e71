// SPDX-License-Identifier: Apache-2.0
// The answer to the request for a tunnel as filter state, Envoy's propagate_response_headers and _trailers: in the JSON
// of a list of headers, the status as ":status".
#pragma once
#include "http/exchange.hpp"
#include "tunnel/filter_state.hpp"

namespace tunnel::proxy {

// `state` with it.
FilterStatePtr with_response(const FilterStatePtr& state, const http::ResponseHead& head);

// The same with the trailers that ended `tunnel`, if there were any.
FilterStatePtr with_trailers(const FilterStatePtr& state, const http::ClientExchange& tunnel);

}  // namespace tunnel::proxy
