#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ssh through a tunnel: tun-encap is its ProxyCommand, tun-decap stands in front of an sshd (one of this example alone, with keys
# of its own, on loopback).
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v sshd >/dev/null && command -v ssh >/dev/null ||
  { [ -z "${TUNNEL_BIN:-}" ] && "$root/test/setup.sh" ssh; } || fail "ssh and sshd are needed: apt-get install openssh-client openssh-server"
prepare tun-encap tun-decap
server=$(free_port 2222)
proxy=$(free_port $((server + 1)))

echo "== An sshd on port $server"
for key in host identity; do ssh-keygen -q -t ed25519 -N '' -f "$work/$key"; done
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
cat >"$work/sshd_config" <<END
ListenAddress 127.0.0.1:$server
HostKey $work/host
AuthorizedKeysFile $work/identity.pub
PidFile none
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
END
"$(command -v sshd)" -D -e -f "$work/sshd_config" 2>"$work/sshd.err" &
pids+=($!)
until listening "$server"; do kill -0 "${pids[-1]}" 2>/dev/null || fail "sshd ended at its start."; sleep 0.05; done

echo "== A proxy that may connect to it and nowhere else"
start "$proxy" tun-decap -l "127.0.0.1:$proxy" --allow "127.0.0.1:$server" --access-log "$work/decap.log"

# What would stand in ~/.ssh/config:
cat >"$work/ssh_config" <<END
Host behind-the-proxy
  HostName 127.0.0.1
  Port $server
  ProxyCommand $bin/tun-encap -l - -x h2c:127.0.0.1:$proxy --target %h:%p
  UserKnownHostsFile $work/known_hosts
  IdentityFile $work/identity
  IdentitiesOnly yes
  BatchMode yes
END
echo "* $(cat "$work/host.pub")" >"$work/known_hosts"
echo "== ssh behind-the-proxy, with this configuration"
indent <"$work/ssh_config"
said=$(ssh -F "$work/ssh_config" behind-the-proxy 'echo "Logged in as $(id -un) from $SSH_CLIENT"; exit 7') && status=0 || status=$?
indent <<<"$said"
echo "  (exit status $status, as the remote command's)"

echo "== By itself the tool says why it was refused, and so does its exit status"
echo "  \$ tun-encap -l - -x h2c:127.0.0.1:$proxy --target elsewhere.example:22"
"$bin/tun-encap" -l - -x "h2c:127.0.0.1:$proxy" --target elsewhere.example:22 </dev/null 2>"$work/denied.err" && denied=0 || denied=$?
indent <"$work/denied.err"
echo "  (exit status $denied)"

stop_all
echo "== tun-decap wrote"
indent <"$work/decap.log"
check "$said" '^Logged in as '
[ "$status" = 7 ] || fail "ssh ended with status $status instead of 7."
[ "$denied" = 77 ] || fail "the refused tunnel ended with status $denied instead of 77."
check "$(cat "$work/denied.err")" 'answered 403'
echo "ok: ssh logged in through an HTTP/2 CONNECT, and a refused target was told as such"
