// SPDX-License-Identifier: Apache-2.0
// --allow and --deny: which authorities a client may ask to be connected to. The name is judged before it is resolved,
// every resolved address before it is connected to (the same address, so that a second answer of a name server changes
// nothing).
#pragma once
#include <vector>

#include "tunnel/address.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::net {

class Rules {
 public:
  explicit Rules(const std::vector<plan::Rule>& rules);

  // Before resolving: is there any way this host and port could be allowed? Never for 127.1, 0x7f.1 and their like,
  // which are neither names nor addresses.
  bool may_allow(const Authority& authority) const;
  // After resolving. Deny wins. An exact host name covers what it resolves to except loopback, link-local, unspecified
  // and multicast addresses; a glob never covers private ones either; these need an address rule, or the literal name
  // localhost.
  bool allows(const Authority& authority, const SocketAddress& address) const;

 private:
  enum class Kind : std::uint8_t { exact_name, glob, network };
  struct Entry {
    bool allow;
    Kind kind;
    std::string name;       // lower case
    SocketAddress network;  // unwrapped
    unsigned prefix_bits;
    std::uint16_t first_port;
    std::uint16_t last_port;
    bool literal;
  };
  static bool name_matches(const Entry& entry, const std::string& host);
  static bool network_matches(const Entry& entry, const SocketAddress& address);
  std::vector<Entry> entries_;
};

// The parts of a rule's host: an address with an optional prefix length. False if it is a name or a glob.
bool parse_network(const std::string& text, SocketAddress& network, unsigned& prefix_bits);

}  // namespace tunnel::net
