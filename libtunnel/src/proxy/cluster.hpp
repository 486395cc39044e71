// SPDX-License-Identifier: Apache-2.0
// A cluster of one worker: how its endpoints are reached, and the pools of HTTP connections to them.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/rules.hpp"
#include "plan/references.hpp"
#include "plan/source.hpp"
#include "proxy/endpoint_race.hpp"
#include "proxy/endpoint_set.hpp"
#include "proxy/environment.hpp"
#include "proxy/pool_set.hpp"

namespace tunnel::proxy {

class Cluster final : private http::Dialer, private EndpointDialer {
 public:
  using Dialed = http::Dialer::Dialed;
  Cluster(Environment& environment, const plan::Cluster& plan);

  const plan::Cluster& plan() const { return plan_; }
  // Its pooled connections serve no other client than the one they were made for, by that part of it. Before
  // anything is asked of it.
  void keep_clients_apart(plan::ClientPart by) { apart_by_ = by; }
  // Makes the connections its pool keeps ready, if it does. Once, when whatever they lead to is in place.
  void start();
  // A stream to the fixed endpoint (over TCP, a unix socket or an internal listener), or to whichever of several
  // answers. `limit` when the cluster has all the connections it may have, as of connect_to().
  Task<Result<Dialed>> connect(ConnectRequest& request);
  // A stream to what a client asked for, if the rules allow name and address; the address judged is the one connected
  // to.
  Task<Result<Dialed>> connect_to(const Authority& authority, ConnectRequest& request);
  // The pool whose connections may serve `request`, to be held until they do.
  Result<std::shared_ptr<http::Pool>> pool_for(const ConnectRequest& request);
  PoolSet& pools() { return pools_; }
  // Its endpoints' ids are the host:port that requests name: it serves nothing else.
  bool takes_authority() const { return id_source_ == plan::Source::authority; }
  // What a connect through this cluster fails with when its time is over.
  Error timeout_error() const;

 private:
  Task<Result<Dialed>> dial(ConnectRequest& request) override { return connect_any_endpoint(request); }
  Task<Result<Dialed>> connect_unix(const plan::Unix& address, ConnectRequest& request);
  Task<Result<Dialed>> dial_endpoint(std::size_t endpoint, ConnectRequest& request) override;
  // A place among the connections of a cluster that has a limit; given back with the last of its copies.
  Result<std::shared_ptr<const void>> take_place();
  Task<Result<Dialed>> connect_any_endpoint(ConnectRequest& request);
  Task<Result<Dialed>> connect_allowed(const Authority& authority, ConnectRequest& request);
  // What `connecting` brings, in a place that was free.
  Task<Result<Dialed>> in_place(Task<Result<Dialed>> connecting);
  Task<Result<Dialed>> connect_one_of(ConnectRequest& request);
  Task<Result<Dialed>> connect_internal(plan::Internal address, std::size_t endpoint, ConnectRequest& request);
  Task<Result<Dialed>> connect_tcp(const plan::Tcp& address, ConnectRequest& request);
  Task<Result<std::vector<SocketAddress>>> resolve(const std::string& host, std::uint16_t port,
                                                   ConnectRequest& request);
  Task<Result<Dialed>> connect_any(std::vector<SocketAddress> addresses, ConnectRequest& request);
  bool is_own(const SocketAddress& address) const;
  void count_failure(const Error& why);

  // What connects to an internal endpoint bring along.
  struct Passed {
    std::shared_ptr<const DynamicMetadata> metadata;
    std::size_t missing = 0;
  };
  void read_metadata();
  // Of a connection's what no pooled connection may lend to another; empty if there is nothing.
  std::string own_part(const ConnectionInfo& info) const;

  Environment& environment_;
  plan::Cluster plan_;
  plan::Source id_source_;
  ClusterStats& stats_;
  net::Rules rules_;
  EndpointSet endpoints_;
  PoolSet pools_;
  plan::ClientPart apart_by_;
  std::vector<Passed> passed_;                         // for each endpoint
  std::atomic<std::uint64_t>* connections_ = nullptr;  // of all workers, where there is a limit
};

}  // namespace tunnel::proxy
