#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Envoy's simple chain: 9999 -> an internal listener -> 10000, in one process and without a socket between the two lines.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tcp-chain tun-run
pipeline=$root/examples/simple-chain/pipeline.tun

echo "== Something to reach on 10000, and the chain from 9999"
grep -vE '^(#|$)' "$pipeline" | indent
start 10000 tcp-chain -l 127.0.0.1:10000 -t 'respond:200:Reached through the chain'
start 9999 tun-run "$pipeline"

answer=$(fetch --noproxy '*' http://127.0.0.1:9999/)
indent <<<"$answer"
stop_all
check "$answer" '^HTTP/1.1 200'
check "$answer" '^Reached through the chain$'
echo "ok: 9999 led to 10000 over an internal listener"
