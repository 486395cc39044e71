// SPDX-License-Identifier: Apache-2.0
// What the handlers of one worker share, and what all workers share with each other.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/access_record.hpp"
#include "base/context.hpp"
#include "base/log_merger.hpp"
#include "net/internal_registry.hpp"
#include "net/network.hpp"
#include "proxy/behaviour.hpp"
#include "proxy/connection_list.hpp"
#include "proxy/endpoint_board.hpp"
#include "proxy/outcome.hpp"
#include "proxy/plan_stats.hpp"
#include "tunnel/address.hpp"
#include "tunnel/custom.hpp"

namespace tunnel::proxy {

class Cluster;
class Embedded;

// Counted over all workers; made before them.
struct Shared {
  std::atomic<std::uint64_t> connections{0};
  std::map<std::string, std::atomic<std::uint64_t>>
      listener_connections;  // a key for every listener, fixed before workers start
  std::map<std::string, std::atomic<std::uint64_t>> cluster_connections;  // a key for every cluster that has a limit
  std::vector<SocketAddress> own_addresses;  // what we listen on: nobody may tunnel back into it
  CustomHandlers custom;                     // one for every listener of that kind
  std::atomic<std::size_t> workers{0};       // so far: each takes its number from here
  EndpointBoard endpoints;
  // Called on a worker's thread when the connection over standard input and output has failed: once, and, if bytes
  // never came through, before whoever reads our output can see it end.
  std::function<void(const Outcome&)> stdio_failed = [](const Outcome&) {};
  // Called once, on a worker's thread, when it has ended.
  std::function<void(const Outcome&)> stdio_ended = [](const Outcome&) {};
};

struct Environment {
  Context context;
  net::Network& network;
  net::InternalRegistry& registry;
  RecordSink& records;
  Shared& shared;
  PlanStats& stats;
  ConnectionList& connections;
  log::Merger& refusals;  // the lines about them
  Embedded& embedded;
  std::size_t worker = 0;  // its number
  Duration drain_time{};
  bool force_pairs = false;  // internal hops are always user-space pairs, never a record
  Behaviour behaviour{};
  bool draining = false;
  std::map<std::string, std::unique_ptr<Cluster>> clusters;
  std::set<std::string> hello_listeners;  // plan::hello_listeners()
};

}  // namespace tunnel::proxy
