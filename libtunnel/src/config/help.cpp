// SPDX-License-Identifier: Apache-2.0
#include "config/help.hpp"

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/limits.hpp"
#include "plan/limit_table.hpp"

namespace tunnel::config {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kOptionIndent = 32;
constexpr std::size_t kLimitIndent = 41;

struct Example {
  std::string_view command;
  std::string_view meaning;
};

struct Page {
  std::string_view purpose;
  std::vector<Example> examples;
  std::string_view usage;
};

Page page_of(Program program) {
  switch (program) {
    case Program::tun_encap:
      return {"carries connections, or HTTP requests, inside a CONNECT through a proxy",
              {{"tun-encap -l 10000 -x h2c:127.0.0.1:10001 --target host.com:443 --http",
                "requests to port 10000, each inside an HTTP/2 CONNECT to host.com:443"},
               {"tun-encap -l 5432 -x h1:proxy.corp:3128 --target db.internal:5432",
                "any TCP, one HTTP/1.1 CONNECT a connection"},
               {"tun-encap -l 8443 -x h1:squid.corp:3128 -x h2c:edge.example:8080 --target app:443",
                "through two proxies: an HTTP/2 CONNECT inside an HTTP/1.1 CONNECT"},
               {"tun-encap -l 8080 -x h2c:edge.example:8080 --target @authority",
                "a proxy for curl -x and browsers: each request and CONNECT names its own target"},
               {"tun-encap -l - -x h1:proxy.corp:3128 --target git.example:22",
                "over standard input and output: ssh's ProxyCommand, there with --target %h:%p"}},
              "tun-encap -l LISTEN... -x PROXY... --target TARGET [--http] [--post] [option...]"};
    case Program::tun_decap:
      return {"accepts CONNECT over HTTP/1.1 and HTTP/2 and connects what it carries",
              {{"tun-decap -l 10001 --to 'respond:200:Hello, world!'",
                "ends every tunnel here and answers the request inside; no backend needed"},
               {"tun-decap -l 10001 --to 127.0.0.1:8080", "sends every tunnel to one place"},
               {"tun-decap -l 10001 --to 10.0.0.1:8080 --to 10.0.0.2:8080", "sends tunnels to two places in turn"},
               {"tun-decap -l 3128 --allow '*:443' --access-log - --log-format json",
                "a small forward proxy: clients name the target, port 443 only, nothing private"},
               {"tun-decap -l '*:8080' --insecure-open --allow db.internal:5432 --allow 10.2.0.0/16:443",
                "for every interface, for whoever can reach it"}},
              "tun-decap -l LISTEN... (--to DIAL... | --allow RULE... [--deny RULE...]) [--post] [option...]"};
    case Program::tcp_chain:
      return {"relays connections between TCP, unix sockets and standard input and output",
              {{"tcp-chain -l 9999 -t 127.0.0.1:10000", "a relay"},
               {"tcp-chain -l 9999 -t 10.0.0.1:80 -t 10.0.0.2:80 --lb least",
                "to whichever of two has fewer connections; one that is down is left out"},
               {"tcp-chain -l 8080 -t 'respond:200:It works.'", "an HTTP server with one answer"},
               {"tcp-chain -l '*:7000' -t echo:", "sends back what it gets, on every interface"}},
              "tcp-chain -l LISTEN... -t DIAL... [option...]"};
    case Program::tun_run:
      break;
  }
  return {"runs several lines in one process, joined by internal listeners",
          {{"tun-run -e 'tcp-chain -l 9999 -t internal:mid' -e 'tcp-chain -l internal:mid -t 127.0.0.1:10000'",
            "two relays in a row; the hop between them needs no socket"},
           {"tun-run edge.tun", "the lines of a file"},
           {"tun-run --check edge.tun", "only says whether they are good"}},
          "tun-run (FILE | -e 'COMMAND')... [option...]"};
}

constexpr std::string_view kListenHelp = R"(
  LISTEN   [tcp:][HOST:]PORT     a bare PORT is 127.0.0.1 and [::1], *:PORT every interface
           unix:PATH[,mode=MODE] a unix socket, mode 600 unless told; unix:@NAME is an abstract one
           internal:NAME         inside this process, for other lines of tun-run
           fd:N  systemd:NAME    listening sockets this process was started with
           -                     standard input and output, one connection: the process ends with it
           ...,streams=N         of an HTTP/2 connection, if HTTP is spoken here [--limit streams]
)";
constexpr std::string_view kDialHelp = R"(  DIAL     [tcp:]HOST:PORT       IPv6 in brackets: [::1]:80
           unix:PATH             a unix socket; unix:@NAME is an abstract one
           internal:NAME[/ID]    the line of this process that listens there, and an endpoint id
           respond:CODE:TEXT     answer HTTP requests (1.1 and 2) with TEXT and a newline
           respond:CODE:@FILE    the same with the exact bytes of FILE
           echo:  discard:       send every byte back, or read and drop it
)";
constexpr std::string_view kProxyHelp = R"(  PROXY    h1:HOST:PORT          CONNECT over HTTP/1.1
           h2c:HOST:PORT         CONNECT over HTTP/2 in clear; tunnels share connections
           h1+unix:PATH          the same over a unix socket; h2c+unix:PATH
           h2c+internal:NAME     or by a line of this process; h1+internal:NAME
           PROXY,KEY=VALUE       its pool: conns=N prewarm=N idle=TIME, with h2c also streams=N
                                 ping=TIME window=SIZE, as in h2c:edge.example:80,conns=4,prewarm=2
)";
constexpr std::string_view kTargetHelp = R"(  TARGET   HOST:PORT             IPv6 in brackets
           @authority            what each request names; the entry then speaks HTTP, CONNECT too
           @endpoint             the ID in the internal:NAME/ID it was dialled with
           @orig-dst             where a connection was going before iptables or nft redirected it
)";
constexpr std::string_view kRuleHelp =
    R"(  RULE     HOST:PORT[-PORT]      a name covers what it resolves to, but for loopback and link-local
                                 (only the name localhost itself covers loopback)
           *:PORT *.NAME:PORT    every name; never private, loopback or link-local addresses
           10.0.0.0/8:443        a network, and [2001:db8::]/32:443; --deny wins over --allow
)";
constexpr std::string_view kLineHelp = R"(
A FILE holds one command a line, as it would be typed: tun-encap, tun-decap or tcp-chain with the
options of a line (see their --help). # begins a comment, \ at the end continues a line, quotes work
as in a shell, ${NAME} is replaced by the environment, and nothing else is special.
)";
constexpr std::string_view kClosing = R"(
TIME is 500ms, 10s, 5m, 1h, or plain seconds; SIZE is bytes, 64K, 1M or 2G.

Exit status: 0 ok, 1 failed at run time, 64 wrong usage, 66 no such file, 78 bad configuration;
with -l - also 69 peer unavailable, 75 come back later, 76 protocol error, 77 denied.
Signals: TERM and INT stop accepting, let open connections end for the --drain time, then exit 0;
a second one ends at once. USR2 writes all counters and gauges as one JSON line to standard error.
)";

// Adds `text` at `indent`, wrapped; `lead` stands before it, on a line of its own if it is too long.
void add_wrapped(std::string& out, std::string lead, std::size_t indent, std::string_view text) {
  if (lead.size() + 1 > indent) {
    out += lead + "\n";
    lead.clear();
  }
  std::string line = lead + std::string(indent - lead.size(), ' ');
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (used != 0 && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line.assign(indent, ' ');
      used = 0;
    }
    if (used++ != 0) line += ' ';
    line += word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += line + "\n";
}

void add_options(std::string& out, Program program, Scope scope, std::string_view title) {
  std::string rows;
  for (const Option& row : option_table()) {
    if (!row.belongs_to(program) || row.scope != scope) continue;
    std::string lead = row.letter != 0 ? std::string("  -") + row.letter + ", --" : "      --";
    lead += row.name;
    if (row.value_optional()) {
      lead += "[=" + std::string(row.argument.substr(1));
    } else if (!row.argument.empty()) {
      lead += " " + std::string(row.argument);
    }
    std::string text(row.help);
    if (!row.initial.empty()) text += " [" + std::string(row.initial) + "]";
    add_wrapped(rows, std::move(lead), kOptionIndent, text);
  }
  out += "\n" + std::string(title) + "\n" + rows;
}

void add_limits(std::string& out) {
  out += "\nLimits, for --limit KEY=N  [default], smallest-largest\n";
  const Limits defaults;
  for (const plan::LimitKey& row : plan::limit_table()) {
    std::string lead = "  " + std::string(row.key);
    lead.resize(std::max<std::size_t>(lead.size(), 20), ' ');
    lead += " [" + std::to_string(row.get(defaults)) + (row.unit.empty() ? "" : " " + std::string(row.unit)) + "]";
    add_wrapped(out, std::move(lead), kLimitIndent,
                std::string(row.help) + ", " + std::to_string(row.min) + "-" + std::to_string(row.max));
  }
}

}  // namespace

std::vector<std::string> help_examples(Program program) {
  std::vector<std::string> commands;
  for (const Example& example : page_of(program).examples) commands.emplace_back(example.command);
  return commands;
}

std::vector<std::string> address_forms(std::string_view label) {
  // "  LABEL    forms                 explanation"
  constexpr std::size_t kLabelAt = 2;
  constexpr std::size_t kFormsAt = 11;
  constexpr std::size_t kExplanationAt = 33;
  std::istringstream lines(std::string(kListenHelp) + std::string(kDialHelp) + std::string(kProxyHelp));
  std::vector<std::string> forms;
  bool wanted = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() <= kFormsAt) continue;
    if (line[kLabelAt] != ' ') wanted = line.compare(kLabelAt, line.find(' ', kLabelAt) - kLabelAt, label) == 0;
    std::istringstream column(line.substr(kFormsAt, kExplanationAt - kFormsAt));
    if (wanted)
      for (std::string form; column >> form;) forms.push_back(form);
  }
  return forms;
}

std::string help_text(Program program) {
  const Page page = page_of(program);
  const bool runs_lines = program == Program::tun_run;
  std::string out = std::string(name_of(program)) + " " + std::string(page.purpose) + ".\n\nExamples\n";
  for (const Example& example : page.examples) {
    out += "  " + std::string(example.command) + "\n      " + std::string(example.meaning) + "\n";
  }
  out += "\nUsage\n  " + std::string(page.usage) + "\n";
  if (runs_lines) {
    out += kLineHelp;
    add_options(out, program, Scope::line, "Lines");
  } else {
    out += kListenHelp;
    if (program != Program::tun_encap) out += kDialHelp;
    if (program == Program::tun_encap) out += kProxyHelp;
    if (program == Program::tun_encap) out += kTargetHelp;
    if (program == Program::tun_decap) out += kRuleHelp;
    add_options(out, program, Scope::line, "Options of a line  [default]");
  }
  add_options(out, program, Scope::process, "Options of the process  [default]");
  add_limits(out);
  out += kClosing;
  return out;
}

}  // namespace tunnel::config
