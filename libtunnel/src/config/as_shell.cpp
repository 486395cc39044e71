// SPDX-License-Identifier: Apache-2.0
#include "config/as_shell.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include "config/address.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::string_view kInternal = "internal:";
constexpr std::size_t kLongestName = 60;  // a socket's path has at most 107 bytes, of which the folder takes some

constexpr std::string_view kHead = R"(#!/bin/sh
# Printed by --as-shell: the same lines, one process each, linked by unix sockets.
# What a socket does not carry: why the line behind it refused, and resets (the one before sees an end for both), where
# the client came from, how many hops there were. Limits and pools count for each process. See tun-run(1).
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/tun-run.XXXXXX") || exit 75
trap 'rm -rf "$dir"' EXIT
case $dir in *,*) echo "TMPDIR is '$TMPDIR': no ',' can be part of a socket's path here; set another one" >&2; exit 78 ;; esac
mkfifo "$dir/+ended" || exit 75
exec @ENDED@<>"$dir/+ended"
)";

constexpr std::string_view kKeepInput = "exec @INPUT@<&0\n";

constexpr std::string_view kFunctions = R"(count=0 pids= stopping= status=0

# start COMMAND...: runs it in the background. It holds one end of a pipe; when it has ended, the other end tells.
start() {
  [ -z "$stopping" ] || finish
  count=$((count + 1))
  mkfifo "$dir/+$count" || exit 75
  { read -r nothing <"$dir/+$count"; : >"$dir/+$count.ended"; echo "$count" >&@ENDED@; } &
  "$@" @FROM@@PIPE@>"$dir/+$count" @ENDED@>&- &
  pids="$pids $!"
  [ -z "$stopping" ] || kill -TERM "$!"
}

# ready SOCKET: what was started last listens there. If it has ended instead, that is the end.
ready() {
  until [ -S "$1" ]; do
    [ -z "$stopping" ] && [ ! -e "$dir/+$count.ended" ] || finish
    sleep 0.02
  done
}

# stop: asks everything that still runs to end.
stop() {
  stopping=yes n=0
  for pid in $pids; do
    n=$((n + 1))
    [ -e "$dir/+$n.ended" ] || kill -TERM "$pid" 2>/dev/null
  done
}

# outcome PID: waits for it, however often a signal comes in between; the first exit status that is not 0 is kept.
outcome() {
  while :; do
    wait "$1"
    code=$?
    kill -0 "$1" 2>/dev/null || break
  done
  [ "$status" -ne 0 ] || status=$code
}

# finish: waits until one has ended or a signal has come, ends the others, and exits as the first one that failed.
finish() {
  first=
  if [ -z "$stopping" ]; then
    { read -r number <&@ENDED@; echo "$number" >"$dir/+first"; } &
    wait $!
  fi
  [ -n "$stopping" ] || stop
  if [ -s "$dir/+first" ]; then
    read -r n <"$dir/+first"
    # shellcheck disable=SC2086
    set -- $pids
    shift $((n - 1))
    first=$1
    outcome "$first"
  fi
  for pid in $pids; do
    [ "$pid" = "$first" ] || outcome "$pid"
  done
  wait
  exit "$status"
}
trap stop TERM INT HUP
)";

// What of a Given's value leads to an internal listener.
struct Inside {
  std::string before;    // "h2c+", or ""
  std::string listener;  // its name
  std::string behind;    // options of the address, with their comma
};

class Writer {
 public:
  Writer(const Loaded& loaded, const Arguments& process) : loaded_(loaded), process_(process) {}

  Script run() {
    for (const Given& given : process_.all(Opt::envoy))
      say(given.place, "--as-shell rewrites lines, and an Envoy file has none; give it to Envoy, or leave it out");
    if (!script_.problems.empty()) return std::move(script_);
    name_sockets();
    const Given* admin = process_.find(Opt::admin);
    if (admin != nullptr && loaded_.lines.size() > 1) {
      say(admin->place,
          "every process would open the --admin address; leave it out, or write it into the script for one of them");
    }
    for (const WrittenLine& line : loaded_.lines) judge(line);
    if (!script_.problems.empty()) return std::move(script_);
    if (loaded_.lines.size() == 1 && sockets_.empty()) {
      script_.text = "#!/bin/sh\nexec";
      write_command(loaded_.lines.front());
      return std::move(script_);
    }
    write_beginning();
    for (const std::size_t line : in_order()) write(loaded_.lines[line]);
    script_.text += "\nfinish\n";
    return std::move(script_);
  }

 private:
  void say(const plan::Place& place, std::string text) { script_.problems.push_back({place, std::move(text)}); }

  // With descriptors that no line is handed.
  void write_beginning() {
    const bool input = listens_on("-");
    std::string text = std::string(kHead) + (input ? std::string(kKeepInput) : "") + std::string(kFunctions);
    replace(text, "@FROM@", input ? "<&@INPUT@ @INPUT@<&- " : "");
    char digit = '9';
    for (const std::string_view mark : {"@ENDED@", "@PIPE@", "@INPUT@"}) {
      while (digit > '3' && listens_on(std::string("fd:") + digit)) --digit;
      replace(text, mark, std::string(1, digit--));
    }
    script_.text = std::move(text);
  }

  static void replace(std::string& text, std::string_view mark, const std::string& with) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), with);
    }
  }

  static bool is_address(const Given& given) {
    const Opt id = given.option->id;
    return id == Opt::listen || id == Opt::proxy || id == Opt::to;
  }

  static bool splits(const Given& given, Inside& inside) {
    if (!is_address(given)) return false;
    std::string_view text = given.value;
    if (given.option->id == Opt::proxy) {
      const std::size_t plus = text.find('+');
      if (plus == std::string_view::npos || plus > text.find(':')) return false;
      inside.before = text.substr(0, plus + 1);
      text.remove_prefix(plus + 1);
    }
    if (!text.starts_with(kInternal)) return false;
    text.remove_prefix(kInternal.size());
    const std::size_t end = std::min(text.find(','), text.size());
    inside.listener = text.substr(0, end);
    inside.behind = text.substr(end);
    return true;
  }

  static std::vector<Inside> of(const WrittenLine& line, bool listened_on) {
    std::vector<Inside> found;
    for (const Given& given : line.arguments.in_order()) {
      Inside inside;
      if ((given.option->id == Opt::listen) == listened_on && splits(given, inside)) found.push_back(std::move(inside));
    }
    return found;
  }

  void name_sockets() {
    for (std::size_t number = 0; number < loaded_.lines.size(); ++number) {
      for (const Inside& inside : of(loaded_.lines[number], true)) {
        // No name begins with '+'.
        const bool fits = inside.listener.size() <= kLongestName;
        sockets_[inside.listener] = fits ? inside.listener : "+line" + std::to_string(number + 1);
        owners_[inside.listener] = number;
      }
    }
  }

  void judge(const WrittenLine& line) {
    for (const Given& given : line.arguments.in_order()) {
      if (given.option->id == Opt::target && given.value == "@endpoint")
        say(given.place, "a socket carries no endpoint id, so with --as-shell there is no @endpoint; name the target");
      if (given.value.starts_with("systemd:"))
        say(given.place,
            "systemd hands its sockets to one process only, so not through --as-shell; listen on a port or a unix "
            "socket");
      if (given.option->id == Opt::pass_state)
        say(given.place, "a socket carries no filter state; with --as-shell leave out --pass-state");
      if (given.option->id == Opt::state && !given.value.starts_with("none:") && !of(line, false).empty())
        say(given.place, "a socket carries no filter state; with --as-shell it is none:KEY=VALUE");
      Inside inside;
      if (!splits(given, inside) || given.option->id == Opt::listen) continue;
      const std::string name = inside.listener.substr(0, inside.listener.find('/'));
      if (name.size() < inside.listener.size()) {
        say(given.place, "a socket carries no endpoint id; with --as-shell write internal:" + name);
      } else if (inside.behind.find(",meta.") != std::string::npos) {
        say(given.place, "a socket carries no metadata; with --as-shell leave out meta.");
      } else if (!sockets_.contains(name)) {
        say(given.place,
            "internal:" + name +
                " is inside of another line, where no socket leads to; with --as-shell name a line with -l internal:");
      }
    }
  }

  bool listens_on(const std::string& address) const {
    return std::any_of(loaded_.lines.begin(), loaded_.lines.end(), [&](const WrittenLine& line) {
      const std::vector<Given> listens = line.arguments.all(Opt::listen);
      return std::any_of(listens.begin(), listens.end(), [&](const Given& given) { return given.value == address; });
    });
  }

  // What a line leads to comes before it. check() knows that there is no circle.
  std::vector<std::size_t> in_order() const {
    std::vector<std::size_t> order;
    std::vector<bool> begun(loaded_.lines.size(), false);
    for (std::size_t start = 0; start < loaded_.lines.size(); ++start) {
      std::vector<std::pair<std::size_t, bool>> next{{start, false}};
      while (!next.empty()) {
        const auto [line, done] = next.back();
        next.pop_back();
        if (done) order.push_back(line);
        if (done || begun[line]) continue;
        begun[line] = true;
        next.emplace_back(line, true);
        for (const Inside& inside : of(loaded_.lines[line], false))
          next.emplace_back(owners_.at(inside.listener), false);
      }
    }
    return order;
  }

  void write(const WrittenLine& line) {
    const std::string where = plan::to_string(line.place);
    script_.text += "\n" + (where.empty() ? "" : "# " + where + "\n") + "start";
    write_command(line);
    for (const Inside& inside : of(line, true)) script_.text += "ready \"$dir\"/" + sockets_.at(inside.listener) + "\n";
  }

  void write_command(const WrittenLine& line) {
    script_.text += " " + std::string(name_of(line.program));
    for (const Given& given : line.arguments.in_order()) {
      if (given.option->scope == Scope::line) write(given);
    }
    // It is called the same as inside, where its own address gave it its name.
    if (!of(line, true).empty() && !line.arguments.has(Opt::name)) script_.text += " --name " + shell_word(line.name);
    for (const Given& given : process_.in_order()) {
      if (given.option != nullptr && given.option->scope == Scope::process && given.option->id != Opt::as_shell)
        write(given);
    }
    script_.text += "\n";
  }

  void write(const Given& given) {
    script_.text += " " + label(*given.option);
    if (given.option->argument.empty()) return;
    Inside inside;
    if (!splits(given, inside)) {
      script_.text += " " + shell_word(given.value);
      return;
    }
    script_.text += " " + inside.before + "unix:\"$dir\"/" + sockets_.at(inside.listener);
    if (!inside.behind.empty()) script_.text += shell_word(inside.behind);
  }

  const Loaded& loaded_;
  const Arguments& process_;
  Script script_;
  std::map<std::string, std::string> sockets_;  // an internal listener's name, and its socket's in the folder
  std::map<std::string, std::size_t> owners_;   // and the line that listens there
};

}  // namespace

Script as_shell(const Loaded& loaded, const Arguments& process) { return Writer(loaded, process).run(); }

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace tunnel::config
