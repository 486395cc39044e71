#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A GET inside an HTTP/2 CONNECT, from nothing: installs what is missing, builds, sends, shows, checks, stops.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tun-encap tun-decap tcp-chain tun-run  # all four, for the lines of the README
entry=$(free_port 10000)
proxy=$(free_port $((entry + 1)))

echo "== Starting the far end, which answers what arrives in a tunnel, and the entry in front of it"
start "$proxy" tun-decap -l "127.0.0.1:$proxy" --to 'respond:200:Hello, world!' --access-log "$work/decap.log"
start "$entry" tun-encap -l "127.0.0.1:$entry" -x "h2c:127.0.0.1:$proxy" --target host.com:443 --http --access-log "$work/encap.log"

echo "== One GET"
echo "  \$ curl -i http://127.0.0.1:$entry/"
answer=$(fetch --noproxy '*' "http://127.0.0.1:$entry/")
indent <<<"$answer"

stop_all
echo "== The way it took"
echo "  curl --GET /--> tun-encap :$entry --HTTP/2 stream: CONNECT host.com:443--> tun-decap :$proxy --the same GET /--> respond:200"
echo "  tun-encap wrote (the request, and the tunnel it went through):"
indent <"$work/encap.log"
echo "  tun-decap wrote (the CONNECT it ended, and the request inside):"
indent <"$work/decap.log"

check "$answer" '^HTTP/1.1 200'
check "$answer" '^Hello, world!$'
check "$(cat "$work/decap.log")" 'host\.com:443'
[ -s "$work/encap.log" ] || fail "tun-encap wrote no access log."
echo "ok: the GET went through an HTTP/2 CONNECT and was answered at the far end"
