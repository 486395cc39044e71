// SPDX-License-Identifier: Apache-2.0
#include "config/option_table.hpp"

#include <algorithm>
#include <array>

namespace tunnel::config {
namespace {

constexpr unsigned bit(Program program) { return 1U << static_cast<unsigned>(program); }

constexpr unsigned kEncap = bit(Program::tun_encap);
constexpr unsigned kDecap = bit(Program::tun_decap);
constexpr unsigned kChain = bit(Program::tcp_chain);
constexpr unsigned kRun = bit(Program::tun_run);
constexpr unsigned kLines = kEncap | kDecap | kChain;
constexpr unsigned kAll = kLines | kRun;
constexpr bool kOnce = false;
constexpr bool kMany = true;

constexpr auto kTable = std::to_array<Option>({
    {Opt::listen, "listen", 'l', "LISTEN", kLines, Scope::line, kMany, "accept connections here; repeatable",
     "required"},
    {Opt::proxy, "proxy", 'x', "PROXY", kEncap, Scope::line, kMany,
     "ask this proxy for the tunnel; repeatable: each is reached through the one before", "required"},
    {Opt::target, "target", 0, "TARGET", kEncap, Scope::line, kOnce,
     "what the CONNECT request names; the proxy resolves it", "required"},
    {Opt::http, "http", 0, "", kEncap, Scope::line, kOnce,
     "parse HTTP at the entry: requests share tunnels, each is checked and has its log line", "off: bytes are opaque"},
    {Opt::post, "post", 0, "", kEncap | kDecap, Scope::line, kOnce,
     "tunnels by POST: tun-encap asks for them by POST instead of CONNECT, tun-decap ends both", "off"},
    {Opt::header, "header", 0, "FIELD", kEncap, Scope::line, kMany,
     "add 'NAME: VALUE', or 'NAME: @FILE', to the request for the tunnel to the target; repeatable", ""},
    {Opt::state, "state", 0, "KEY=VALUE", kLines, Scope::line, kMany,
     "keep VALUE, which may hold operators, with each connection as filter state; it goes along over internal hops, "
     "with once: before KEY over the next, with none: over none; repeatable",
     ""},
    {Opt::pass_state, "pass-state", 0, "", kLines, Scope::line, kOnce,
     "connects to internal listeners bring filter state along, and get the far side's back",
     "on where the line itself has some to bring"},
    {Opt::to, "to", 't', "DIAL", kDecap | kChain, Scope::line, kMany,
     "connect here, or to one of several; tun-decap then ignores the target the client names", ""},
    {Opt::lb, "lb", 0, "round-robin|least|first", kDecap | kChain, Scope::line, kOnce,
     "of several -t: in turn, the one with least open connections, or the first that is not down", "round-robin"},
    {Opt::allow, "allow", 0, "RULE", kDecap, Scope::line, kMany,
     "connect to the target the client names, if a RULE allows it; repeatable", "nothing is allowed"},
    {Opt::deny, "deny", 0, "RULE", kDecap, Scope::line, kMany,
     "exceptions from --allow, which they win over; repeatable", ""},
    {Opt::insecure_open, "insecure-open", 0, "", kEncap | kDecap | kRun, Scope::line, kOnce,
     "let anyone name targets who reaches a port beyond loopback", "off: such a port is refused"},
    {Opt::name, "name", 0, "NAME", kLines, Scope::line, kOnce, "name of the line in logs and messages",
     "PROGRAM-PORT, or PROGRAM-NAME of another socket; with -l internal:X it is X"},
    {Opt::connect_timeout, "connect-timeout", 0, "TIME", kLines, Scope::line, kOnce,
     "until the far side has answered, over all hops", "10s"},
    {Opt::connect_attempts, "connect-attempts", 0, "N", kEncap | kChain, Scope::line, kOnce,
     "to connect, or for tun-encap to get its tunnel, before a client is refused; each has --connect-timeout", "1"},
    {Opt::idle_timeout, "idle-timeout", 0, "TIME", kLines, Scope::line, kOnce,
     "without a byte either way: a tunnel is reset, a connection between requests closed; 0: never", "1h"},
    {Opt::half_close_timeout, "half-close-timeout", 0, "TIME", kLines, Scope::line, kOnce,
     "for the other side to end after one has; bytes restart it", "60s"},
    {Opt::max_lifetime, "max-lifetime", 0, "TIME", kLines, Scope::line, kOnce,
     "a connection to the line that is older is drained, and reset after the --drain time", "none"},
    {Opt::max_conns, "max-conns", 0, "N", kLines, Scope::line, kOnce,
     "connections of the line; for a line run alone this sets --limit conns too", "the process's --limit conns"},
    {Opt::buffer, "buffer", 0, "SIZE", kLines, Scope::line, kOnce,
     "bytes an internal hop holds a direction before its writer waits, 1K to 8M", "64K"},
    {Opt::read_ahead, "read-ahead", 0, "SIZE", kLines, Scope::line, kOnce,
     "bytes read of one side, a direction, before the other has taken them, 1K to 256K", "256K"},
    {Opt::access_log, "access-log", 0, "FILE", kLines, Scope::line, kOnce,
     "write a line a connection or request to FILE; - is standard output", "off"},
    {Opt::access_log_format, "access-log-format", 0, "FORMAT", kLines, Scope::line, kOnce,
     "the form of these lines: text with Envoy's %OPERATOR%s, a JSON object of such texts, or @FILE with one of them",
     "that of --log-format"},
    {Opt::execute, "execute", 'e', "COMMAND", kRun, Scope::line, kMany,
     "run this line; repeatable, and mixes with FILEs", ""},
    {Opt::envoy, "envoy", 0, "FILE", kRun, Scope::line, kMany,
     "run what this Envoy configuration (YAML or JSON) says; repeatable, and mixes with the others", ""},
    {Opt::envoy_compat, "envoy-compat", 0, "", kRun, Scope::line, kOnce,
     "do as Envoy also where these programs are stricter or kinder; with --envoy FILE only", "off"},
    {Opt::workers, "workers", 0, "N", kAll, Scope::process, kOnce, "threads, each with its own connections",
     "one a core allowed; 1 with -l -"},
    {Opt::drain, "drain", 0, "TIME", kAll, Scope::process, kOnce,
     "patience with open connections after SIGTERM or SIGINT", "30s"},
    {Opt::admin, "admin", 0, "ADDRESS", kAll, Scope::process, kOnce,
     "serve a live page, /ready, /live and /metrics over HTTP at [HOST:]PORT or unix:PATH; a bare port is on loopback "
     "only",
     "off"},
    {Opt::mem_limit, "mem-limit", 0, "SIZE", kAll, Scope::process, kOnce,
     "bytes all buffers may hold, 1M to 1024G: above it new connections and HTTP/2 streams are refused", "none"},
    {Opt::limit, "limit", 0, "KEY=N", kAll, Scope::process, kMany, "set one of the limits below; repeatable", ""},
    {Opt::log_format, "log-format", 0, "text|logfmt|json", kAll, Scope::process, kOnce, "of log and access log",
     "text"},
    {Opt::stats, "stats", 0, "", kAll, Scope::process, kOnce,
     "show what moves: a line on stderr if it is a terminal, a summary at the end", "off"},
    {Opt::force_pairs, "force-pairs", 0, "", kAll, Scope::process, kOnce,
     "make every internal hop a user-space socket pair, also where a record would do; to find faults", "off"},
    {Opt::verbose, "verbose", 'v', "", kAll, Scope::process, kMany, "log more: once debug, twice trace",
     "info; warnings with -l -"},
    {Opt::quiet, "quiet", 'q', "", kAll, Scope::process, kOnce, "log warnings and errors only", "off"},
    {Opt::check, "check", 0, "", kAll, Scope::process, kOnce, "say whether the configuration is good, and end", ""},
    {Opt::explain, "explain", 0, "[LISTEN]", kAll, Scope::process, kOnce,
     "tell hop by hop what happens to a connection, with every default, and end; LISTEN is where it comes in", ""},
    {Opt::graph, "graph", 0, "ascii|mermaid|svg", kAll, Scope::process, kOnce,
     "draw listeners, clusters and what they lead to, and end", ""},
    {Opt::as_shell, "as-shell", 0, "", kAll, Scope::process, kOnce,
     "print a shell script that runs each line as a process of its own, and end", ""},
    {Opt::export_to, "export", 0, "envoy|envoy,lossy", kAll, Scope::process, kOnce,
     "print the same as a configuration of Envoy, and end; lossy: without what Envoy has no field for", ""},
    {Opt::version, "version", 0, "", kAll, Scope::process, kOnce, "print the version, and end", ""},
    {Opt::help, "help", 0, "", kAll, Scope::process, kOnce, "print this text, and end", ""},
});

}  // namespace

std::string_view name_of(Program program) {
  constexpr std::array<std::string_view, 4> kNames = {"tun-encap", "tun-decap", "tcp-chain", "tun-run"};
  return kNames.at(static_cast<std::size_t>(program));
}

std::span<const Option> option_table() { return kTable; }

const Option& option(Opt id) {
  return *std::find_if(kTable.begin(), kTable.end(), [&](const Option& row) { return row.id == id; });
}

std::string label(const Option& option) {
  return option.letter != 0 ? std::string("-") + option.letter : "--" + std::string(option.name);
}

}  // namespace tunnel::config
