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

#include "tunnel/filter_state.hpp"

namespace tunnel::plan {

using Milliseconds = std::chrono::milliseconds;

// The language something was written in, in which messages say what to write instead.
enum class Notation : std::uint8_t { line, envoy };

// Where something was written, for messages; never compared. For a command line `file` is "command line" and `line` 0.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  Notation notation = Notation::line;
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
// listener has no endpoint id. An endpoint's id may be taken from what is connected: "@authority" is the host:port a
// request names, "@endpoint" the id the listener it came through was dialled with, "@orig-dst" the address a TCP
// connection had before a redirect, or the one that metadata of an internal connection gives as that.
struct Internal {
  std::string listener;
  std::string endpoint_id;
  bool operator==(const Internal&) const = default;
};

// A unix socket: a path of the file system or, behind an '@', a name of the abstract namespace. `mode` is what a
// listener gives its socket file; an endpoint has none.
struct Unix {
  std::string path;  // at most 107 bytes
  unsigned mode = 0600;
  bool operator==(const Unix&) const = default;
};

// A listening socket handed to this process: descriptor `fd` (>= 0), or those systemd named `name` (LISTEN_FDNAMES).
// Where it is bound is known only at the start: without `beyond_loopback` a socket others can reach is refused then.
struct Inherited {
  int fd = -1;
  std::string name;
  bool beyond_loopback = true;
  bool operator==(const Inherited&) const = default;
};

// Standard input and output as one connection: a listener only, accepts once, and the outcome is the exit status.
struct Stdio {
  bool operator==(const Stdio&) const = default;
};

// An endpoint is a Tcp, Unix or Internal; a listener may be any of them.
using Address = std::variant<Tcp, Internal, Unix, Inherited, Stdio>;

// The HTTP version of a codec. `automatic` (servers only): the HTTP/2 preface tells the versions apart on one port.
enum class Http : std::uint8_t { automatic, h1, h2 };

// One --allow or --deny. `host` is a host name, a glob ("*.example.com", "*") or an address with an optional prefix
// length; IPv6 without brackets.
struct Rule {
  bool allow = true;
  std::string host;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;
  bool literal = false;  // an address: it covers targets written as addresses, and no names that resolve to them
  bool operator==(const Rule&) const = default;
};

// A value that a connection to an internal listener can bring along, under a space and a key; in Envoy
// filter_metadata.SPACE.KEY. `value` is the text, or the JSON of a number or a boolean.
struct Metadata {
  enum class Kind : std::uint8_t { text, number, boolean };
  std::string space;
  std::string key;
  std::string value;
  Kind kind = Kind::text;
  bool operator==(const Metadata&) const = default;
};

// That connects of a cluster to internal listeners bring along what its endpoint (`host`) or itself (`cluster`) has in
// a space. Of two of the same space the later one counts. Nothing else goes along, and no further than one hop.
struct Passthrough {
  enum class From : std::uint8_t { host, cluster };
  std::string space;
  From from = From::host;
  bool operator==(const Passthrough&) const = default;
};

// An object of filter state every connection of a listener gets: `value` is a text, or holds %OPERATOR%s as a header
// does; while it is empty there is no object. The later of two with one key counts, also over one that came along.
struct State {
  std::string key;
  std::string value;
  StateShare share = StateShare::none;
  bool operator==(const State&) const = default;
};

struct Endpoint {
  Address address;
  std::vector<Metadata> metadata{};
  bool operator==(const Endpoint&) const = default;
};

// The pool of HTTP connections to one cluster, per worker. What is 0 (or unset) takes the process's limit.
struct Pool {
  unsigned connections = 0;      // conns: at most; 0: as many as it takes
  unsigned streams = 0;          // streams: on one HTTP/2 connection; 0: --limit pool-streams
  unsigned prewarm = 0;          // prewarm: connections kept up although unused
  Milliseconds ping{15000};      // ping: an idle HTTP/2 connection is probed this often; 0: never
  Milliseconds idle{0};          // idle: an unused connection is closed after; 0: --limit pool-idle
  std::size_t window_bytes = 0;  // window: what a stream's window may grow to; 0: --limit h2-stream-window
  bool operator==(const Pool&) const = default;
};

// How a cluster with several endpoints picks one.
enum class Lb : std::uint8_t { round_robin, least, first };  // first: in order, the next only when one is down

// Which of a name's addresses are connected to.
enum class Family : std::uint8_t { any, v4, v6 };

// Where connections go. `fixed`: to one of the endpoints. `request`: to the authority the CONNECT request names, if the
// rules allow it.
struct Cluster {
  enum class Find : std::uint8_t { fixed, request };
  std::string name;
  Place place;
  Find find = Find::fixed;
  std::vector<Endpoint> endpoints;  // at least one for `fixed`, none for `request`
  std::vector<Rule> rules;          // only for `request`; deny wins over allow, nothing allowed by default
  Http protocol = Http::h1;         // spoken to the endpoint by tunnels and forwarded requests; never `automatic`
  Milliseconds connect_timeout{10000};
  Family family = Family::any;
  Lb lb = Lb::round_robin;
  Pool pool;
  std::vector<Metadata> metadata;
  std::vector<Passthrough> passthrough;  // only where an endpoint is internal, as is:
  bool passes_state = false;  // connects bring along what filter state is shared, and get the far side's back
  // Those being made, too; 0: no limit. Over it a connect is refused, all workers counted; where HTTP is spoken it is
  // the most of each pool (as Pool::connections), and exchanges wait.
  unsigned max_connections = 0;
  std::size_t read_ahead_bytes = 0;  // as of Listener; the least of both counts
  bool operator==(const Cluster&) const = default;
};

// A field added to the request that opens a tunnel. `format`: the value holds %OPERATOR%s (plan/formatter.hpp), each
// taken from the connection the tunnel is for; if it then is empty, the field is left out.
struct Header {
  std::string name;  // lower case
  std::string value;
  bool secret = false;  // came from a file: nothing prints the value
  bool format = false;
  bool operator==(const Header&) const = default;
};

// CONNECT `target` (host:port, or "@endpoint", "@orig-dst", taken from the connection as an endpoint's id is, or a text
// with %OPERATOR%s as in a header) is asked of the cluster before bytes are relayed. `post`: POST `post_path` instead
// of CONNECT, for proxies that let no CONNECT through.
struct Tunnel {
  std::string target;
  bool post = false;
  std::string post_path = "/";
  std::vector<Header> headers{};
  bool keeps_response_headers = false;   // of the answer, also a refusal, as filter state (plan/state.hpp)
  bool keeps_response_trailers = false;  // the same; trailers then end a tunnel in order
  bool operator==(const Tunnel&) const = default;
};

// What fails to connect, or to open its tunnel, is tried up to `connect_attempts` times, each with the cluster's
// connect timeout. `tls_inspector`: %REQUESTED_SERVER_NAME% has a value here, the server the client's TLS ClientHello
// names. Whoever accepts the connection waits for the hello before anything is connected, here or in front of internal
// hops to here.
struct TcpProxy {
  std::string cluster;
  std::optional<Tunnel> tunnel;
  unsigned connect_attempts = 1;
  bool tls_inspector = false;
  bool operator==(const TcpProxy&) const = default;
};

// A field a request must have, with exactly this value.
struct FieldMatch {
  std::string name;  // lower case
  std::string value;
  bool operator==(const FieldMatch&) const = default;
};

// `connect`: requests that open a tunnel only (CONNECT; POST where the action terminates POST tunnels); otherwise any
// other request whose path starts with `prefix`. `domains`: as in Envoy's virtual hosts "host", "*.suffix", "prefix.*"
// or
// "*", in lower case, compared with what the request names, port and all; of all domains of a listener the one that
// fits best (exact, longest suffix, longest prefix, "*") decides, and only routes that have it are looked at.
struct Match {
  bool connect = false;
  std::string prefix = "/";
  bool whole = false;                  // the path is `prefix`, but for a query
  std::string method{};                // "": any; none with `connect`
  std::vector<FieldMatch> fields{};    // all of them
  std::vector<std::string> domains{};  // one of them; empty: "*"
  bool operator==(const Match&) const = default;
};
struct Respond {
  int status = 200;
  std::string body;  // exact bytes
  bool operator==(const Respond&) const = default;
};
// A request, or a CONNECT passed on to the next proxy. `timeout`: from the end of the request, or of what the client of
// a tunnel sends, to the end of the answer; 0: none. `idle_timeout`: without a byte; unset: as the listener's streams;
// 0: none.
struct Forward {
  std::string cluster;
  Milliseconds timeout{0};
  std::optional<Milliseconds> idle_timeout{};
  bool operator==(const Forward&) const = default;
};
// A CONNECT (`post`: a POST used as a tunnel, too; a POST alone where the match is for that method) ends here: its
// bytes go to the cluster. Times as of Forward.
struct Terminate {
  std::string cluster;
  bool post = false;
  Milliseconds timeout{0};
  std::optional<Milliseconds> idle_timeout{};
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
  unsigned streams = 0;       // a client may have open on an HTTP/2 connection; 0: --limit streams
  std::optional<Milliseconds> stream_idle_timeout{};  // of requests and tunnels; unset: Listener::idle_timeout; 0: none
  bool operator==(const HttpProxy&) const = default;
};
struct Echo {
  bool operator==(const Echo&) const = default;
};
struct Discard {
  bool operator==(const Discard&) const = default;
};
// Code of a program that embeds this library: what Engine::serve() was given under the listener's name (run.hpp). No
// command line writes one.
struct Custom {
  bool operator==(const Custom&) const = default;
};
using Handler = std::variant<TcpProxy, HttpProxy, Echo, Discard, Custom>;

// More than a socket gives at once, so that what an HTTP/2 stream has queued leaves in one write.
inline constexpr std::size_t kMostReadAhead = 262144;

// A field of JSON access lines: a text with Envoy's %OPERATOR%s (plan/access_format.hpp), or an object of fields.
struct AccessField {
  std::string name;
  std::string text;
  std::vector<AccessField> fields{};
  bool operator==(const AccessField&) const = default;
};

// The form of access lines: a text with %OPERATOR%s, which brings its own end of the line, or a JSON object, a line
// each. Both empty: as Process::log_format says.
struct AccessFormat {
  std::string text;
  std::vector<AccessField> fields;
  bool omit_empty_values = false;  // text has nothing for them, not "-"; JSON no field, not null
  bool operator==(const AccessFormat&) const = default;
};

struct Listener {
  std::string name;  // unique in a Plan
  Place place;
  std::vector<Address> addresses;  // any but Internal, or exactly one Internal whose `listener` is `name`
  Handler handler;
  Milliseconds idle_timeout{3600000};  // 0: none
  Milliseconds half_close_timeout{60000};
  Milliseconds max_lifetime{0};      // 0: none; then a connection is drained, and reset after the drain time
  unsigned max_connections = 0;      // 0: only the process's limit
  std::size_t buffer_bytes = 65536;  // high mark of this listener's user-space sockets
  // What is read of one side of a connection, a direction, before the other has taken it: no more than this, and never
  // more than kMostReadAhead; 0: that.
  std::size_t read_ahead_bytes = 0;
  std::string access_log;      // "" off, "-" stdout, else a file; /dev/stderr is stderr
  AccessFormat access_format;  // of the lines, if there are any
  std::vector<State> state{};  // of its connections
  std::string stat_prefix{};   // what its statistics are called in /stats, where others may share it; "": its name
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
  std::uint64_t memory_bytes = 0;  // --mem-limit: of buffers; 0: none
  std::optional<Address> admin;    // Tcp or Unix
  bool stats = false;              // a meter on stderr while running, a summary at the end
  bool force_pairs = false;        // every internal hop is a user-space pair; for tests and for finding faults
  bool envoy_compat = false;       // as Envoy where we are stricter or kinder (proxy/behaviour.hpp says in what)
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
