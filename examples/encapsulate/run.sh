#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Envoy's encapsulating sample: HTTP on 10000, each request inside an HTTP/2 CONNECT to a proxy on 10001.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tun-decap tun-run
pipeline=$root/examples/encapsulate/pipeline.tun

echo "== A CONNECT proxy on 10001, and the entry on 10000"
grep -vE '^(#|$)' "$pipeline" | indent
start 10001 tun-decap -l 127.0.0.1:10001 --to 'respond:200:Hello, world!' --access-log "$work/decap.log"
start 10000 tun-run "$pipeline"

answer=$(fetch --noproxy '*' http://127.0.0.1:10000/)
indent <<<"$answer"
stop_all
indent <"$work/decap.log"
check "$answer" '^HTTP/1.1 200'
check "$answer" '^Hello, world!$'
check "$(cat "$work/decap.log")" 'host\.com:443'
echo "ok: the GET arrived at the proxy inside CONNECT host.com:443"
