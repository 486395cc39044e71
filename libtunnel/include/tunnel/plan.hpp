// SPDX-License-Identifier: Apache-2.0
// The schema of what runs: listeners, each with a handler, and clusters, each with endpoints, in Envoy's sense of the
// words. Plain data, compared by value. A command line or a pipeline file writes a Plan; check() judges it; the runtime
// runs it; nothing else in the program knows where it came from. A reference to a cluster or an internal listener is
// its name.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tunnel::plan {

using Milliseconds = std::chrono::milliseconds;

// Where something was written, for messages; never compared. For a command line `file` is "command line" and `line` 0.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  bool operator==(const Place&) const { return true; }
};

// A host and port. As a listener's address an empty host means 127.0.0.1 and [::1], "*" every interface.
// IPv6 literals stand without brackets.
struct Tcp {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const Tcp&) const = default;
};

// A listener of this process, reached over a user-space socket. Name and endpoint id together identify an endpoint; a
// listener has no endpoint id.
struct Internal {
  std::string listener;
  std::string endpoint_id;
  bool operator==(const Internal&) const = default;
};

using Address = std::variant<Tcp, Internal>;

// The HTTP version of a codec. `automatic` (servers only): the HTTP/2 preface tells the versions apart on one port.
enum class Http : std::uint8_t { automatic, h1, h2 };

// One --allow or --deny. `host` is a host name, a glob ("*.example.com", "*") or an address with an optional prefix
// length; IPv6 without brackets.
struct Rule {
  bool allow = true;
  std::string host;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;
  bool operator==(const Rule&) const = default;
};

struct Endpoint {
  Address address;
  bool operator==(const Endpoint&) const = default;
};

// Where connections go. `fixed`: to the endpoint. `request`: to the authority the CONNECT request names, if the rules
// allow it.
struct Cluster {
  enum class Find : std::uint8_t { fixed, request };
  std::string name;
  Place place;
  Find find = Find::fixed;
  std::vector<Endpoint> endpoints;  // exactly one for `fixed`, none for `request`
  std::vector<Rule> rules;          // only for `request`; deny wins over allow, nothing allowed by default
  Http protocol = Http::h1;         // spoken to the endpoint by tunnels and forwarded requests; never `automatic`
  Milliseconds connect_timeout{10000};
  bool operator==(const Cluster&) const = default;
};

// CONNECT `target` (host:port) is asked of the cluster before bytes are relayed.
struct Tunnel {
  std::string target;
  bool operator==(const Tunnel&) const = default;
};

struct TcpProxy {
  std::string cluster;
  std::optional<Tunnel> tunnel;
  bool operator==(const TcpProxy&) const = default;
};

// `connect`: CONNECT requests only; otherwise any other request whose path starts with `prefix`.
struct Match {
  bool connect = false;
  std::string prefix = "/";
  bool operator==(const Match&) const = default;
};
struct Respond {
  int status = 200;
  std::string body;  // exact bytes
  bool operator==(const Respond&) const = default;
};
// A request, or a CONNECT passed on to the next proxy.
struct Forward {
  std::string cluster;
  bool operator==(const Forward&) const = default;
};
// A CONNECT ends here: its bytes go to the cluster.
struct Terminate {
  std::string cluster;
  bool operator==(const Terminate&) const = default;
};
struct Route {
  Match match;
  std::variant<Respond, Forward, Terminate> action;
  Place place;
  bool operator==(const Route&) const = default;
};

struct HttpProxy {
  Http codec = Http::automatic;
  std::vector<Route> routes;  // the first match wins
  bool operator==(const HttpProxy&) const = default;
};
struct Echo {
  bool operator==(const Echo&) const = default;
};
struct Discard {
  bool operator==(const Discard&) const = default;
};
using Handler = std::variant<TcpProxy, HttpProxy, Echo, Discard>;

struct Listener {
  std::string name;  // unique in a Plan
  Place place;
  std::vector<Address> addresses;  // Tcp only, or exactly one Internal whose `listener` is `name`
  Handler handler;
  Milliseconds idle_timeout{3600000};
  Milliseconds half_close_timeout{60000};
  unsigned max_connections = 0;      // 0: only the process's limit
  std::size_t buffer_bytes = 65536;  // high mark of this listener's user-space sockets
  std::string access_log;            // "" off, "-" stdout, else a file
  bool operator==(const Listener&) const = default;
};

enum class LogFormat : std::uint8_t { automatic, text, logfmt, json };  // automatic: text

// One --limit KEY=N; keys and units are those of limit_table().
struct Limit {
  std::string key;
  std::uint64_t value = 0;
  bool operator==(const Limit&) const = default;
};

struct Process {
  unsigned workers = 0;  // 0: one a core allowed
  Milliseconds drain{30000};
  LogFormat log_format = LogFormat::automatic;
  int verbosity = 0;  // -1 quiet, 0 info, 1 debug, 2 trace
  std::vector<Limit> limits;
  bool force_pairs = false;  // every internal hop is a user-space pair; for tests and for finding faults
  bool operator==(const Process&) const = default;
};

struct Plan {
  Process process;
  std::vector<Listener> listeners;
  std::vector<Cluster> clusters;
  bool operator==(const Plan&) const = default;
};

// A sentence about one place: what is wrong, where, and what to do.
struct Problem {
  Place place;
  std::string text;
};

// Everything wrong with a plan, at once: duplicate names, references nobody serves, cycles over internal listeners,
// limits out of range. Empty means it can run.
std::vector<Problem> check(const Plan& plan);

}  // namespace tunnel::plan
