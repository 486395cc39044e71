#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two proxies in a row: an HTTP/2 CONNECT inside an HTTP/1.1 CONNECT, as through a company's proxy to one's own outside.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tun-encap tun-decap
entry=$(free_port 10000)
outer=$(free_port $((entry + 1)))
inner=$(free_port $((outer + 1)))

echo "== The inner proxy, which alone may reach the target; the outer one lets nothing through but tunnels to the inner"
start "$inner" tun-decap -l "127.0.0.1:$inner" --to 'respond:200:Hello through two proxies' --access-log "$work/inner.log"
start "$outer" tun-decap -l "127.0.0.1:$outer" --allow "127.0.0.1:$inner" --access-log "$work/outer.log"
echo "== The entry: -x in the order of the way"
start "$entry" tun-encap -l "127.0.0.1:$entry" -x "h1:127.0.0.1:$outer" -x "h2c:127.0.0.1:$inner" --target app:443 --http \
  --access-log "$work/entry.log"

echo "== Two GETs"
answer=$(fetch --noproxy '*' "http://127.0.0.1:$entry/a" "http://127.0.0.1:$entry/b")
indent <<<"$answer"
stop_all
echo "== What the outer proxy saw: one tunnel to the inner proxy, and nothing of what is inside"
indent <"$work/outer.log"
echo "== What the inner proxy saw: the tunnel to the target, and the requests"
indent <"$work/inner.log"

[ "$(grep -c '^Hello through two proxies$' <<<"$answer")" = 2 ] || fail "expected two answers in: $answer"
check "$(cat "$work/outer.log")" "\"CONNECT 127.0.0.1:$inner HTTP/1.1\" 200"
check "$(cat "$work/inner.log")" '"CONNECT app:443 HTTP/2" 200'
[ "$(wc -l <"$work/outer.log")" = 1 ] || fail "expected one tunnel at the outer proxy."
! grep -q 'app:443' "$work/outer.log" || fail "the outer proxy saw the target."
echo "ok: both requests went through an HTTP/2 CONNECT inside one HTTP/1.1 CONNECT"
