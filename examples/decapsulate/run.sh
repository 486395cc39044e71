#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Envoy's terminating sample: CONNECT ends on 10001, and the GET inside it is answered behind an internal listener.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tun-encap tun-run
pipeline=$root/examples/decapsulate/pipeline.tun
entry=$(free_port 10002)

echo "== CONNECT ends on 10001"
grep -vE '^(#|$)' "$pipeline" | indent
start 10001 tun-run "$pipeline"
start "$entry" tun-encap -l "127.0.0.1:$entry" -x h2c:127.0.0.1:10001 --target host.com:443 --http

echo "== curl asks for a tunnel itself, over HTTP/1.1"
own=$(fetch --noproxy none.invalid -p -x http://127.0.0.1:10001 http://host.com:443/)
indent <<<"$own"
echo "== and through tun-encap, over HTTP/2"
wrapped=$(fetch --noproxy '*' "http://127.0.0.1:$entry/")
indent <<<"$wrapped"
stop_all
for answer in "$own" "$wrapped"; do
  check "$answer" '^HTTP/1.1 200'
  check "$answer" '^Hello, world!$'
done
echo "ok: both tunnels ended at 10001 and were answered inside"
