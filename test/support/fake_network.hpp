// SPDX-License-Identifier: Apache-2.0
// FakeNetwork: names, TCP and unix sockets in memory. A place is an address somebody may listen on; what is not a place
// refuses. Connections are user-space pairs whose far ends are Peers of the test, or go to `serve`.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/network.hpp"
#include "support/failing_stream.hpp"
#include "support/peer.hpp"

namespace tunnel::test {

class FakeNetwork final : public net::Network {
 public:
  struct Place {
    Error refusal;                         // kind none: accepts
    Duration delay{};                      // before it answers
    bool silent = false;                   // never answers
    bool reading = true;                   // peers made here read at once
    std::function<void(StreamPtr)> serve;  // takes the far end instead of a Peer
    std::vector<std::unique_ptr<Peer>> peers;
    std::size_t attempts = 0;
    std::size_t abandoned = 0;  // attempts whose client gave up before the answer
  };

  // Pairs are made with `context`: the test's, so that the gauges of the program count only its own.
  FakeNetwork(SimLoop& loop, const Context& context) : loop_(loop), context_(context) {}

  // "10.0.0.9:80" or "unix:/run/app.sock"; made on first use.
  Place& at(const std::string& address) { return places_[address]; }
  Peer& peer(const std::string& address, std::size_t n = 0) { return *places_.at(address).peers.at(n); }
  void name(const std::string& host, std::vector<std::string> ips) { names_[host] = std::move(ips); }
  void broken_name(const std::string& host, Error error) { broken_names_[host] = std::move(error); }
  // A name whose server never answers.
  void silent_name(const std::string& host) { silent_names_.push_back(host); }
  void pair_bytes(std::size_t high_mark) { pair_bytes_ = high_mark; }
  // From now on the program's ends count their operations in `count`.
  void inject(FailCount* count) { fail_ = count; }
  const std::vector<std::string>& resolved() const { return resolved_; }
  std::size_t connects() const { return connects_; }
  void drop_peers();

  Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port, Cancel& cancel) override;
  Task<Result<net::Connected>> connect(std::vector<SocketAddress> addresses, Cancel& cancel) override;
  Task<Result<StreamPtr>> connect_unix(std::string path, Cancel& cancel) override;

 private:
  Task<void> wait(Duration delay, bool for_ever, Cancel& cancel);
  // A stream to the place, or why not; also when `cancel` is.
  Task<Result<StreamPtr>> reach(std::string place, Cancel& cancel);
  SimLoop& loop_;
  Context context_;
  std::map<std::string, Place> places_;
  std::map<std::string, std::vector<std::string>> names_;
  std::map<std::string, Error> broken_names_;
  std::vector<std::string> silent_names_;
  std::vector<std::string> resolved_;  // names asked for, literals not counted
  std::size_t connects_ = 0;
  std::size_t pair_bytes_ = 65536;
  FailCount* fail_ = nullptr;
};

}  // namespace tunnel::test
