// SPDX-License-Identifier: Apache-2.0
// World: a whole plan running in memory: a worker's stage on a SimLoop, a FakeNetwork around it, the access records it
// wrote. Time is moved by hand.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/stage.hpp"
#include "support/fake_network.hpp"
#include "support/peer.hpp"
#include "support/sim_loop.hpp"

namespace tunnel::test {

struct Records final : RecordSink {
  void write(const AccessRecord& record) noexcept override { all.push_back(record); }
  // One line a record, sorted: listener, protocol, upstream, request, status, outcome, bytes, milliseconds.
  std::vector<std::string> lines(bool with_bytes = true) const;
  std::vector<AccessRecord> all;
};

class World {
 public:
  explicit World(plan::Plan plan, std::uint64_t seed = 0);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // A client of the listener called `name`.
  std::unique_ptr<Peer> client(std::string_view name, bool reading = true);
  // The same as a bare stream, for a client that speaks HTTP.
  StreamPtr dial(std::string_view name);
  // Hands a stream to a listener, as if its client had connected over TCP.
  void accept(std::string_view name, StreamPtr stream);
  // Drains with no patience at all: whatever is left is reset.
  void end();
  // What is not 0 of the gauges and of what listeners, their edges and pools have active; "" if nothing is open.
  std::string open_gauges() const;
  // Every counter that is not 0, but those a user-space pair more or less changes by right.
  std::vector<std::string> counter_lines() const;
  std::uint64_t count(Counter counter) const { return counters.value(counter); }

  plan::Plan plan;
  SimLoop loop;
  Counters counters;
  Limits limits;
  Context context;
  Counters outside_counters;
  Context outside;
  FakeNetwork network;
  Records records;
  proxy::Shared shared;
  proxy::PlanStats stats;
  std::unique_ptr<proxy::Stage> stage;
  FailCount* fail_clients = nullptr;  // as FakeNetwork::inject, for accepted streams
  std::size_t client_pair_bytes = 65536;

 private:
  std::size_t clients_ = 0;
  bool ended_ = false;
};

// Plans in a line each.
plan::Listener tcp_listener(const std::string& name, std::uint16_t port, plan::Handler handler);
plan::Listener internal_listener(const std::string& name, plan::Handler handler);
plan::Cluster to_tcp(const std::string& name, const std::string& host, std::uint16_t port,
                     plan::Http protocol = plan::Http::h1);
plan::Cluster to_internal(const std::string& name, const std::string& listener, plan::Http protocol = plan::Http::h1);
plan::Cluster to_requested(const std::string& name, std::vector<plan::Rule> rules);

// "front" on 9000, `hops` internal tcp_proxies, then `host`:`port`. Clusters "c0" to "c<hops>".
plan::Plan chain(unsigned hops, const std::string& host = "10.0.0.9", std::uint16_t port = 80);

}  // namespace tunnel::test
