#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pipeline inside another program: the library is installed into a scratch folder, the program beside this file is built
# against it as a stranger's would be, and serves its own client and one from outside.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
prepare tunnel
build=$(dirname "$bin")

echo "== Installing the library, and building a program that embeds it"
cmake --install "$build" --prefix "$work/prefix" --component dev >"$work/install.log" || fail "cmake --install: $(cat "$work/install.log")"
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
{
  cmake -S "$root/examples/embed" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_PREFIX_PATH="$work/prefix" && cmake --build "$work/build"
} >"$work/build.log" 2>&1 || fail "the program does not build: $(tail -n 20 "$work/build.log")"

echo "== It asks its own handler through an HTTP/2 CONNECT, all in memory"
mkfifo "$work/input"
"$work/build/embed" <"$work/input" >"$work/output" 2>"$work/embed.err" &
program=$!
pids+=("$program")
exec 4>"$work/input"
for _ in $(seq 200); do
  grep -q '^listening on ' "$work/output" && break
  kill -0 "$program" 2>/dev/null || fail "the program ended at its start."
  sleep 0.05
done
indent <"$work/output"
port=$(sed -n 's/^listening on 127\.0\.0\.1://p' "$work/output")
[ -n "$port" ] || fail "the program does not listen."

echo "== The same handler, for a client from outside"
exec 3<>"/dev/tcp/127.0.0.1/$port"
echo shell >&3
said=$(timeout 10 cat <&3)
exec 3>&-
indent <<<"$said"

echo "== Standard input ends, and so does the program, in its own order"
exec 4>&-
wait "$program" || fail "the program ended with status $?."
pids=()
indent < <(tail -n 1 "$work/output")
check "$(cat "$work/output")" '^Hello, embedder; you came from self$'
check "$said" '^Hello, shell; you came from 127\.0\.0\.1:'
check "$(cat "$work/output")" '^0 connections had to be reset$'
echo "ok: one handler served a client in memory and a client from outside"
