#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three backends behind one port: connections are spread, a backend that dies is left out, and comes back by itself.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tcp-chain
entry=$(free_port 10000)
declare -A port pid
next=$entry

start_backend() {
  start "${port[$1]}" tcp-chain -l "127.0.0.1:${port[$1]}" -t "respond:200:$1"
  pid[$1]=${pids[-1]}
}

# ask N: that many requests, each on a connection of its own; prints how often each backend answered, as "4 A 4 B 4 C".
ask() {
  local i
  for ((i = 0; i < $1; i++)); do curl -q -sS --noproxy '*' --max-time 10 "http://127.0.0.1:$entry/" || fail "a client met an error."; done |
    sort | uniq -c | xargs
}

echo "== Three backends, and the entry"
for name in A B C; do
  next=$(free_port $((next + 1)))
  port[$name]=$next
  start_backend $name
done
start "$entry" tcp-chain --workers 1 -l "127.0.0.1:$entry" -t "127.0.0.1:${port[A]}" -t "127.0.0.1:${port[B]}" -t "127.0.0.1:${port[C]}"

spread=$(ask 12)
echo "== 12 requests: $spread"
crash "${pid[B]}"
without=$(ask 12)
echo "== B has died; 12 requests: $without"
start_backend B
tries=0
until [[ $(ask 3) == *B* ]]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || fail "B was not used again."
  sleep 0.1
done
again=$(ask 12)
echo "== B is back; 12 requests: $again"
stop_all
echo "== What the entry logged"
grep backend "$work/tcp-chain-$entry.err" | indent

[ "$spread" = "4 A 4 B 4 C" ] || fail "expected 4 requests at each of three."
[ "$without" = "6 A 6 C" ] || fail "expected 6 requests at each of the two that live."
[ "$again" = "4 A 4 B 4 C" ] || fail "expected 4 requests at each of three again."
check "$(cat "$work/tcp-chain-$entry.err")" "backend 127.0.0.1:${port[B]} set aside: .*Connection refused"
check "$(cat "$work/tcp-chain-$entry.err")" "backend 127.0.0.1:${port[B]} back again"
echo "ok: no client met an error while a backend died and came back"
