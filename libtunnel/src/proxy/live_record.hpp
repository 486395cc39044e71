// SPDX-License-Identifier: Apache-2.0
// What is under way on a worker, as copies for another thread: what lines of the access log would say by now.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/access_record.hpp"
#include "stream/flow.hpp"

namespace tunnel::proxy {

// Texts that came from peers are raw.
struct LiveRecord {
  AccessRecord::Kind kind = AccessRecord::Kind::connection;
  std::string listener;
  std::string cluster;  // empty: none, or not chosen yet
  std::string protocol;
  std::string peer;      // who entered this process
  std::string local;     // "127.0.0.1:10000", "internal:encap" for a hop
  std::string target;    // asked for: an authority, for a plain request with its path
  std::string upstream;  // connected to; empty: not yet
  std::uint16_t status = 0;
  Duration age{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  bool up_blocked = false;  // the upstream takes no bytes
  bool down_blocked = false;
};

// At most so many of them.
class Listing {
 public:
  Listing(TimePoint now, std::size_t most) : now_(now), most_(most) {}
  bool full() const { return records_.size() >= most_; }
  // Once full, does nothing. `flow`: who moves its bytes now, if anybody.
  void add(const AccessRecord& record, const Flow* flow);
  std::vector<LiveRecord>& records() { return records_; }

 private:
  TimePoint now_;
  std::size_t most_;
  std::vector<LiveRecord> records_;
};

}  // namespace tunnel::proxy
