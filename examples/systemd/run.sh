#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Socket activation: the proxy of tun-decap.service gets its sockets from whoever starts it, here systemd-socket-activate
# in the place of systemd. The units beside this file are checked by systemd's own tools.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prepare tun-encap tun-decap

for tool in systemd-socket-activate systemd-analyze; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install systemd"
done

echo "== The units: no complaint, and an exposure of at most 2.0"
cp "$here"/tun-decap.{socket,service} "$work"
sed -i "s|^ExecStart=/usr/bin/|ExecStart=$bin/|; s|^Documentation=.*||" "$work/tun-decap.service" "$work/tun-decap.socket"
said=$(systemd-analyze verify "$work/tun-decap.service" "$work/tun-decap.socket" 2>&1 | grep -F tun-decap || true)
[ -z "$said" ] || fail "systemd-analyze verify: $said"
exposure=$(systemd-analyze security --offline=true --threshold=20 "$work/tun-decap.service" | tail -n 1) ||
  fail "the service is too exposed: $exposure"
indent <<<"$exposure"

echo "== The sockets of the .socket unit, and the program when the first connection comes"
port=$(free_port 3128)
bin_of_tools=$bin
bin=$(dirname "$(command -v systemd-socket-activate)")
start "$port" systemd-socket-activate -l "127.0.0.1:$port" -l "$work/tun-decap.sock" --fdname=proxy:proxy \
  "$bin_of_tools/tun-decap" -l systemd:proxy --to 'respond:200:Hello, world!'
bin=$bin_of_tools
by_port=$(fetch --noproxy '' -p -x "http://127.0.0.1:$port" http://host.com:443/)
indent <<<"$by_port"

echo "== The same proxy by its unix socket, which it was handed under the same name"
entry=$(free_port 10000)
start "$entry" tun-encap -l "127.0.0.1:$entry" -x "h2c+unix:$work/tun-decap.sock" --target host.com:443 --http
by_path=$(fetch --noproxy '*' "http://127.0.0.1:$entry/")
indent <<<"$by_path"
stop_all

check "$by_port" '^Hello, world!$'
check "$by_path" '^Hello, world!$'
[ -S "$work/tun-decap.sock" ] || fail "a socket that was handed over is not ours to remove."
echo "ok: one proxy served two sockets that it was handed by name"
