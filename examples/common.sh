# SPDX-License-Identifier: Apache-2.0
# Sourced by every run.sh of the examples: sets up and builds what is missing, starts programs, ends them again.
# With TUNNEL_BIN=FOLDER the programs there are used as they are, and nothing is set up or built.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
pids=()

fail() {
  echo "FAILED: $*" >&2
  if compgen -G "$work/*.err" >/dev/null; then tail -n 20 "$work"/*.err >&2; fi
  exit 1
}

cleanup() {
  local status=$?
  if [ ${#pids[@]} != 0 ]; then kill -KILL "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; fi
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT

# prepare PROGRAM...: they are in $bin afterwards.
prepare() {
  bin=${TUNNEL_BIN:-$root/build/release/bin}
  [ -z "${TUNNEL_BIN:-}" ] || return 0
  "$root/test/setup.sh" build
  echo "== Building $*"
  (cd "$root" && cmake --preset release >"$work/configure.log" && cmake --build --preset release --target "$@") ||
    { cat "$work/configure.log" >&2; fail "the build failed: see above."; }
}

# listening PORT|PATH: whether somebody does, on a TCP port or at the path of a unix socket.
listening() {
  if [[ $1 == /* ]]; then
    grep -qE "^[^ ]+ [^ ]+ [^ ]+ 00010000 .* $1\$" /proc/net/unix
    return
  fi
  grep -qE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# free_port FIRST: the first port from FIRST on that nobody listens on.
free_port() {
  local port=$1
  while listening "$port"; do port=$((port + 1)); done
  echo "$port"
}

# start PORT|PATH PROGRAM ARGUMENT...: runs it and waits until it listens there.
start() {
  local port=$1 name=$2 tries=0
  shift 2
  printf '  $ %s' "$name"; printf ' %q' "$@"; echo
  ! listening "$port" || fail "port $port is taken; stop what listens there (ss -ltnp) and run this again."
  "$bin/$name" "$@" 2>"$work/$name-${port##*/}.err" &
  pids+=($!)
  until listening "$port"; do
    kill -0 "${pids[-1]}" 2>/dev/null || fail "$name ended at its start."
    tries=$((tries + 1))
    [ $tries -lt 200 ] || fail "$name does not listen on $port."
    sleep 0.05
  done
}

# crash PID: what was started with that process id ends without a word, as in a power cut.
crash() {
  local left=() pid
  for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || left+=("$pid"); done
  pids=("${left[@]}")
  kill -KILL "$1"
  { wait "$1" || true; } 2>/dev/null
}

# stop_all: SIGTERM in reverse order; each must drain and end with status 0.
stop_all() {
  local index pid
  for ((index = ${#pids[@]} - 1; index >= 0; index--)); do
    pid=${pids[index]}
    kill -TERM "$pid" || fail "a program had ended before it was stopped."
    wait "$pid" || fail "a program ended with status $? instead of 0."
    unset "pids[index]"
  done
}

# fetch WORDS...: curl without a configuration file; the whole answer, head and body.
fetch() { curl -q -sS -i --max-time 10 "$@" || fail "curl $* failed."; }

# check TEXT PATTERN: the text has a line that matches.
check() { grep -q -- "$2" <<<"$1" || fail "expected '$2' in: $1"; }

indent() { sed 's/\r$//; s/^/  /'; }
