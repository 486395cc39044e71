// SPDX-License-Identifier: Apache-2.0
// What the handlers of one worker share, and what all workers share with each other.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/access_record.hpp"
#include "base/address.hpp"
#include "base/context.hpp"
#include "base/log_merger.hpp"
#include "net/internal_registry.hpp"
#include "net/network.hpp"
#include "proxy/connection_list.hpp"

namespace tunnel::proxy {

class Cluster;

// Counted over all workers; made before them.
struct Shared {
  std::atomic<std::uint64_t> connections{0};
  std::map<std::string, std::atomic<std::uint64_t>>
      listener_connections;                  // a key for every listener, fixed before workers start
  std::vector<SocketAddress> own_addresses;  // what we listen on: nobody may tunnel back into it
};

struct Environment {
  Context context;
  net::Network& network;
  net::InternalRegistry& registry;
  RecordSink& records;
  Shared& shared;
  ConnectionList& connections;
  log::Merger& refusals;     // the lines about them
  bool force_pairs = false;  // internal hops are always user-space pairs, never a record
  bool draining = false;
  std::map<std::string, std::unique_ptr<Cluster>> clusters;
};

}  // namespace tunnel::proxy
