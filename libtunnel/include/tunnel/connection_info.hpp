// SPDX-License-Identifier: Apache-2.0
// What is known about a connection beside its bytes: who is at the other end, by which way it came, how far it has
// come. Travels with a stream from whoever accepted it, over internal hops, to whoever connects onwards.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tunnel/address.hpp"
#include "tunnel/filter_state.hpp"

namespace tunnel {

// A value as it is printed; numbers and booleans, as JSON has them, are no texts.
struct MetadataValue {
  std::string text;
  bool is_text = true;
};

// What a connect to an internal listener brought along: values by space and key. Never changes.
using DynamicMetadata = std::map<std::string, std::map<std::string, MetadataValue, std::less<>>, std::less<>>;

struct ConnectionInfo {
  SocketAddress remote;  // of the connection that entered this process; unset if none did
  SocketAddress local;
  SocketAddress original;   // where it was going before a redirect; unset unless its listener was asked to look, and
                            // inside, where metadata says it
  std::string downstream;   // how logs call whoever entered this process, also behind hops: "127.0.0.1:4711"
  std::string local_name;   // how logs call our side: "127.0.0.1:10000", "internal:encap"
  std::string server_name;  // that its TLS ClientHello asks for, if whoever accepted it looked
  std::string endpoint_id;  // asked for with internal:NAME/ENDPOINT_ID
  std::shared_ptr<const DynamicMetadata> metadata;  // of the last internal connect alone; nullptr: none
  FilterStatePtr state;  // what it has gathered by now: from its listener, and from those before, as far as shared
  unsigned hops = 0;     // internal connects made on the way here; counted per request, pools included
};

}  // namespace tunnel
