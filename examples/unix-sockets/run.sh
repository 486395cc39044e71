#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A GET from one unix socket to another, through a tunnel that is a unix socket too: no port is opened. A socket file
# has the permissions asked for, is removed at the end, and one that was left behind is replaced.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tun-encap tun-decap tcp-chain

echo "== A service, a proxy for the group's users, and an entry, each on a unix socket"
start "$work/app.sock" tcp-chain -l "unix:$work/app.sock" -t 'respond:200:Hello from a unix socket'
start "$work/proxy.sock" tun-decap -l "unix:$work/proxy.sock,mode=660" --to "unix:$work/app.sock"
start "$work/entry.sock" tun-encap -l "unix:$work/entry.sock" -x "h2c+unix:$work/proxy.sock" --target host.com:443 --http
modes=$(cd "$work" && stat -c '%A %n' ./*.sock)
indent <<<"$modes"

echo "== The GET"
answer=$(fetch --unix-socket "$work/entry.sock" http://host.com/)
indent <<<"$answer"

echo "== The entry is killed, its socket file stays; the next one replaces it"
kill -KILL "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null || true
unset 'pids[-1]'
[ -S "$work/entry.sock" ] || fail "SIGKILL leaves the file."
start "$work/entry.sock" tun-encap -l "unix:$work/entry.sock" -x "h1+unix:$work/proxy.sock" --target host.com:443 --http
again=$(fetch --unix-socket "$work/entry.sock" http://host.com/)
stop_all

check "$modes" '^srw-rw---- ./proxy.sock$'
check "$modes" '^srw------- ./entry.sock$'
check "$answer" '^HTTP/1.1 200'
check "$answer" '^Hello from a unix socket$'
check "$again" '^Hello from a unix socket$'
! compgen -G "$work/*.sock" >/dev/null || fail "a socket file is left."
echo "ok: a GET went over three unix sockets, and their files are gone"
