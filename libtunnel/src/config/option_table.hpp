// SPDX-License-Identifier: Apache-2.0
// The one table of command-line options. Parsing, --help, "did you mean" and the tests read it; an option that is not
// here does not exist. Static data.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tunnel::config {

enum class Program : std::uint8_t { tun_encap, tun_decap, tcp_chain, tun_run };

std::string_view name_of(Program program);

enum class Opt : std::uint8_t {
  listen,
  proxy,
  target,
  http,
  post,
  header,
  state,
  pass_state,
  to,
  lb,
  allow,
  deny,
  insecure_open,
  name,
  connect_timeout,
  connect_attempts,
  idle_timeout,
  half_close_timeout,
  max_lifetime,
  max_conns,
  buffer,
  read_ahead,
  access_log,
  access_log_format,
  execute,
  envoy,
  envoy_compat,
  workers,
  drain,
  admin,
  mem_limit,
  limit,
  log_format,
  stats,
  force_pairs,
  verbose,
  quiet,
  check,
  explain,
  graph,
  as_shell,
  export_to,
  version,
  help,
};

// `line`: belongs to one line, alone or under tun-run. `process`: belongs to the process; a line under tun-run has
// none.
enum class Scope : std::uint8_t { line, process };

struct Option {
  Opt id;
  std::string_view name;  // without dashes
  char letter;            // 0: none
  // What --help calls its value, "a|b" if it is one of some words; empty: a switch; "[X]": may be left out, else
  // --name=X.
  std::string_view argument;
  unsigned programs;  // a bit a program
  Scope scope;
  bool repeatable;
  std::string_view help;     // the value's unit included
  std::string_view initial;  // the default, as --help prints it; empty: none

  bool value_optional() const { return argument.starts_with('['); }
  bool belongs_to(Program program) const { return ((programs >> static_cast<unsigned>(program)) & 1U) != 0; }
};

// In the order --help prints it.
std::span<const Option> option_table();
const Option& option(Opt id);

// As messages name it: "-l" if it has a letter, else "--name".
std::string label(const Option& option);

}  // namespace tunnel::config
