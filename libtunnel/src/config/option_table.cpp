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

constexpr std::array<Option, 26> kTable = {{
    {Opt::listen, "listen", 'l', "LISTEN", kLines, Scope::line, kMany, "accept connections here; repeatable",
     "required"},
    {Opt::proxy, "proxy", 'x', "PROXY", kEncap, Scope::line, kOnce, "ask this proxy for the tunnel", "required"},
    {Opt::target, "target", 0, "HOST:PORT", kEncap, Scope::line, kOnce,
     "what the CONNECT request names; the proxy resolves it", "required"},
    {Opt::http, "http", 0, "", kEncap, Scope::line, kOnce,
     "parse HTTP at the entry: requests share tunnels, each is checked and has its log line", "off: bytes are opaque"},
    {Opt::to, "to", 't', "DIAL", kDecap | kChain, Scope::line, kOnce,
     "connect here; tun-decap then ignores the target the client names", ""},
    {Opt::allow, "allow", 0, "RULE", kDecap, Scope::line, kMany,
     "connect to the target the client names, if a RULE allows it; repeatable", "nothing is allowed"},
    {Opt::deny, "deny", 0, "RULE", kDecap, Scope::line, kMany,
     "exceptions from --allow, which they win over; repeatable", ""},
    {Opt::insecure_open, "insecure-open", 0, "", kDecap, Scope::line, kOnce,
     "let anyone in who reaches a port beyond loopback", "off: such a port is refused"},
    {Opt::name, "name", 0, "NAME", kLines, Scope::line, kOnce, "name of the line in logs and messages",
     "PROGRAM-PORT; with -l internal:X it is X"},
    {Opt::connect_timeout, "connect-timeout", 0, "TIME", kLines, Scope::line, kOnce,
     "until the far side has answered, over all hops", "10s"},
    {Opt::idle_timeout, "idle-timeout", 0, "TIME", kLines, Scope::line, kOnce,
     "without a byte either way: a tunnel is reset, a connection between requests closed", "1h"},
    {Opt::half_close_timeout, "half-close-timeout", 0, "TIME", kLines, Scope::line, kOnce,
     "for the other side to end after one has; bytes restart it", "60s"},
    {Opt::max_conns, "max-conns", 0, "N", kLines, Scope::line, kOnce,
     "connections of the line; for a line run alone this sets --limit conns too", "the process's --limit conns"},
    {Opt::buffer, "buffer", 0, "SIZE", kLines, Scope::line, kOnce,
     "bytes an internal hop holds a direction before its writer waits, 1K to 8M", "64K"},
    {Opt::access_log, "access-log", 0, "FILE", kLines, Scope::line, kOnce,
     "write a line a connection or request to FILE; - is standard output", "off"},
    {Opt::execute, "execute", 'e', "COMMAND", kRun, Scope::line, kMany,
     "run this line; repeatable, and mixes with FILEs", ""},
    {Opt::workers, "workers", 0, "N", kAll, Scope::process, kOnce, "threads, each with its own connections",
     "one a core allowed"},
    {Opt::drain, "drain", 0, "TIME", kAll, Scope::process, kOnce,
     "patience with open connections after SIGTERM or SIGINT", "30s"},
    {Opt::limit, "limit", 0, "KEY=N", kAll, Scope::process, kMany, "set one of the limits below; repeatable", ""},
    {Opt::log_format, "log-format", 0, "FORMAT", kAll, Scope::process, kOnce,
     "text, logfmt or json, for log and access log", "text"},
    {Opt::force_pairs, "force-pairs", 0, "", kAll, Scope::process, kOnce,
     "make every internal hop a user-space socket pair, also where a record would do; to find faults", "off"},
    {Opt::verbose, "verbose", 'v', "", kAll, Scope::process, kMany, "log more: once debug, twice trace", "info"},
    {Opt::quiet, "quiet", 'q', "", kAll, Scope::process, kOnce, "log warnings and errors only", "off"},
    {Opt::check, "check", 0, "", kAll, Scope::process, kOnce, "say whether the configuration is good, and end", ""},
    {Opt::version, "version", 0, "", kAll, Scope::process, kOnce, "print the version, and end", ""},
    {Opt::help, "help", 0, "", kAll, Scope::process, kOnce, "print this text, and end", ""},
}};

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
