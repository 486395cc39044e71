#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same pipeline twice: three processes joined by loopback sockets, and one tun-run with internal listeners. What the
# second saves is measured here and now; only the bytes are compared, for figures depend on the machine and on what else runs.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tun-encap tun-decap tcp-chain tun-run
pipeline=$root/examples/processes-or-one/pipeline.tun
small=4000          # requests for a few bytes, one after another
bulk=$((128 << 20)) # bytes of one large answer

ticks=$(getconf CLK_TCK)
# cpu PID...: milliseconds of CPU they have used.
cpu() {
  local pid sum=0 fields
  for pid in "$@"; do
    read -ra fields < <(sed 's/.*) //' "/proc/$pid/stat")
    sum=$((sum + fields[11] + fields[12]))
  done
  echo $((sum * 1000 / ticks))
}

# memory PID...: KiB they hold of their own (the pages shared with others left out).
memory() {
  local pid sum=0
  for pid in "$@"; do sum=$((sum + $(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status"))); done
  echo "$sum"
}

# measure PORT PID...: sets sum (of the large answer), rtt (median µs of a small one), cpu_bulk, cpu_small (ms), rss (KiB).
measure() {
  local port=$1 before
  shift
  before=$(cpu "$@")
  for _ in $(seq $small); do echo "url=http://127.0.0.1:$port/small"; echo 'output=/dev/null'; done >"$work/small.curl"
  rtt=$(curl -q -sS --noproxy '*' --max-time 60 -K "$work/small.curl" -w '%{time_total}\n' |
    sort -n | awk '{ t[NR] = $1 } END { printf "%d", t[int((NR + 1) / 2)] * 1e6 }')
  cpu_small=$(($(cpu "$@") - before))
  before=$(cpu "$@")
  sum=$(curl -q -sS --noproxy '*' --max-time 60 "http://127.0.0.1:$port/large" | sha256sum | cut -d' ' -f1)
  cpu_bulk=$(($(cpu "$@") - before))
  rss=$(memory "$@")
}

head -c $bulk /dev/urandom >"$work/large"
echo small >"$work/small"
echo "== Something to reach: a web server with a small and a large file"
origin=$(free_port 8080)
(cd "$work" && exec python3 -c '
import http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()' "$origin") &
server=$!
pids+=("$server")
for _ in $(seq 200); do listening "$origin" && break; sleep 0.05; done
export ORIGIN=$origin

echo "== Three processes, two sockets between them"
decap=$(free_port 10001)
start "$decap" tun-decap -l "127.0.0.1:$decap" --to "127.0.0.1:$origin"
encap=$(free_port $((decap + 1)))
start "$encap" tun-encap -l "127.0.0.1:$encap" -x "h2c:127.0.0.1:$decap" --target origin.example:80
entry=$(free_port 9999)
start "$entry" tcp-chain -l "127.0.0.1:$entry" -t "127.0.0.1:$encap" --name ingress
measure "$entry" "${pids[@]:1}"
apart=("$sum" "$rtt" "$cpu_small" "$cpu_bulk" "$rss")

echo "== The same three lines in one process, no socket between them"
grep -vE '^(#|$)' "$pipeline" | indent
ENTRY=$(free_port $((entry + 1)))
export ENTRY
start "$ENTRY" tun-run "$pipeline"
measure "$ENTRY" "${pids[-1]}"

kill -TERM "$server"
wait "$server" 2>/dev/null || true
pids=("${pids[@]:1}")
stop_all
printf '  %-44s %12s %12s\n' "" "3 processes" "1 process" \
  "median round trip, µs" "${apart[1]}" "$rtt" \
  "CPU of $small round trips, ms" "${apart[2]}" "$cpu_small" \
  "CPU of $((bulk >> 20)) MiB, ms" "${apart[3]}" "$cpu_bulk" \
  "memory of their own, KiB" "${apart[4]}" "$rss"
[ "$sum" = "$(sha256sum <"$work/large" | cut -d' ' -f1)" ] || fail "the bytes through one process are not those of the file."
[ "$sum" = "${apart[0]}" ] || fail "the bytes through three processes are others than those through one."
echo "ok: the same bytes both ways"
