#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh          sets up what is missing, builds a release and runs every test of it: about 15 minutes
# run.sh --all    release, ASan + UBSan, TSan, fuzz targets, g++ 12, static checks, end-to-end at full size: at most 60 minutes on two cores
#
# A part that fails does not stop the next one. The last line is "N passed, N failed, N skipped", summed over all; the exit status
# is 0 only if nothing failed. With --all (or CI set) a test skipped for want of something the set-up installs is a failure.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
results=$root/build/results
jobs=$(nproc)
export TUNNEL_PEERS=${TUNNEL_PEERS:-$root/.peers}

# Minutes after which a part is ended, as one that hangs. With --all they take some 45 together on two cores.
declare -A quick_minutes=([setup]=3 [release]=15 [end-to-end]=12)
declare -A all_minutes=([setup]=3 [release]=15 [asan]=18 [tsan]=12 [fuzz]=5 [gcc12]=6 [lint]=20 [end-to-end]=12 [package]=5)
quick_parts=(setup release end-to-end)
all_parts=(setup release end-to-end package asan tsan fuzz gcc12 lint)

# --- counting: every part appends "passed failed skipped" lines to its file in $results ---
count() { echo "$2 $3 $4" >>"$results/$1.count"; }

# one PART NAME COMMAND...: a check that is one test.
one() {
  local part=$1 name=$2
  shift 2
  if "$@"; then
    echo "ok    $name"
    count "$part" 1 0 0
  else
    echo "FAIL  $name"
    count "$part" 0 1 0
    return 1
  fi
}

# --- building and the gtest programs ---
# A build that works is no test; one that fails is a failed test.
build() {
  local part=$1 preset=$2
  shift 2
  if cmake --preset "$preset" -DTUNNEL_WERROR=ON "-DTUNNEL_TESTS=${tests:-ON}" >"$results/$preset.configure" 2>&1 &&
    cmake --build "build/$preset" -j "$jobs" "$@" -- -k 0 >"$results/$preset.build" 2>&1; then
    echo "ok    build of $preset"
  else
    echo "FAIL  build of $preset"
    grep -hE 'error|Error|FAILED|warning:' -A3 "$results/$preset.configure" "$results/$preset.build" | head -n 60
    count "$part" 0 1 0
    return 1
  fi
}

# gtest PART PROGRAM SECONDS: runs one test program under a time limit; a crash is one more failed test.
gtest() {
  local part=$1 program=$2 seconds=$3 status name numbers
  name=$(basename "$program")
  rm -f "$results/$part.$name.json"
  timeout --kill-after=10 "$seconds" "$program" --gtest_brief=1 --gtest_output="json:$results/$part.$name.json" \
    >"$results/$part.$name.log" 2>&1
  status=$?
  numbers=$(python3 "$root/test/gtest_counts.py" "$results/$part.$name.json" "$status") || numbers="0 1 0"
  # shellcheck disable=SC2086
  count "$part" $numbers
  read -r passed failed skipped <<<"$numbers"
  if [ "$failed" = 0 ]; then
    echo "ok    $name: $passed passed, $skipped skipped"
    [ "$skipped" = 0 ] || grep -A2 'Skipped' "$results/$part.$name.log"
  else
    echo "FAIL  $name: $passed passed, $failed failed, $skipped skipped (status $status$([ $status != 124 ] || echo ": over ${seconds} s"))"
    grep -vE '^\[ +(RUN|OK) ' "$results/$part.$name.log" | head -n 80
  fi
}

# The test programs there are sources for, so that a missing program is told from a missing folder.
programs_with_sources() {
  local folder
  for folder in test/unit/*/ test/contract/ test/scenario/; do
    compgen -G "$folder*_test.cpp" >/dev/null || continue
    case $folder in
      test/unit/*) echo "unit_$(basename "$folder")" ;;
      *) basename "$folder" ;;
    esac
  done
}

gtests() {
  local part=$1 preset=$2 seconds=$3 program
  shift 3
  for program in "$@"; do gtest "$part" "build/$preset/test/$program" "$seconds"; done
}

# end_to_end PART PRESET ARGUMENT...: test/e2e/run.py on the programs of a preset.
end_to_end() {
  local part=$1 preset=$2
  shift 2
  rm -f "$results/$part.e2e.json"
  python3 test/e2e/run.py --bin "build/$preset/bin" --json "$results/$part.e2e.json" "$@"
  if [ -s "$results/$part.e2e.json" ]; then
    python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(r["passed"], r["failed"], r["skipped"])' \
      "$results/$part.e2e.json" >>"$results/$part.count"
  else
    count "$part" 0 1 0
  fi
}

# --- the parts ---
part_setup() { test/setup.sh build tests; }

part_release() {
  build release release
  mapfile -t programs < <(programs_with_sources)
  gtests release release 120 "${programs[@]}"
}

part_end-to-end() {
  if [ "${mode:-}" = all ]; then export E2E_BULK=${E2E_BULK:-$((1 << 30))} E2E_EXPORTS=${E2E_EXPORTS:-1000}; fi
  end_to_end end-to-end release
}

part_asan() {
  export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:check_initialization_order=1:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export LSAN_OPTIONS=report_objects=1
  export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-19/bin/llvm-symbolizer UBSAN_SYMBOLIZER_PATH=/usr/lib/llvm-19/bin/llvm-symbolizer
  build asan asan
  mapfile -t programs < <(programs_with_sources)
  gtests asan asan 300 "${programs[@]}"
  # The wiring of the real programs, with peers that refuse, reset and misbehave.
  E2E_SCALE=3 end_to_end asan asan -k 'refusals::|peers::|lifecycle::(workers|sigterm)'
}

# What uses threads: the worker loops, sockets, streams, and the real programs with several workers. The scenarios and the
# contract of streams have one thread.
part_tsan() {
  local wanted=() program
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:external_symbolizer_path=/usr/lib/llvm-19/bin/llvm-symbolizer
  for program in $(programs_with_sources); do
    case $program in unit_base | unit_net | unit_runtime | unit_stream) wanted+=("$program") ;; esac
  done
  build tsan tsan --target "${wanted[@]}" tun-encap tun-decap tcp-chain tun-run
  gtests tsan tsan 240 "${wanted[@]}"
  E2E_SCALE=4 end_to_end tsan tsan -j 1 -k '::workers_|unix::few_long|unix::draining_loses|activation::an_inherited_tcp'
}

# The targets and what they need of the library, built again for libFuzzer: two minutes without a compiler cache.
part_fuzz() {
  local probe='extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
  if ! clang++-19 -fsanitize=fuzzer,address -x c++ - -o /dev/null <<<"$probe" >"$results/libfuzzer.log" 2>&1; then
    echo "skip  fuzz targets: clang++-19 cannot link libFuzzer (Debian: libclang-rt-19-dev): $(head -n 1 "$results/libfuzzer.log")"
    count fuzz 0 0 1
    return
  fi
  build fuzz fuzz --target fuzz_all && counted fuzz test/fuzz/run.py --seconds 15
}

# The library and the programs: who embeds the library may have another compiler than its tests.
part_gcc12() {
  tests=OFF build gcc12 gcc12 && { echo "ok    g++ 12 compiles the library and the programs"; count gcc12 1 0 0; }
}

# counted PART COMMAND...: a check whose last line is "N passed, N failed, N skipped".
counted() {
  local part=$1 log numbers
  shift
  log=$results/$part.$(basename "$1").log
  "$@" 2>&1 | tee "$log"
  if numbers=$(tail -n 1 "$log" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p') && [ -n "$numbers" ]; then
    # shellcheck disable=SC2086
    count "$part" $numbers
  else
    echo "FAIL  $1 did not come to its end"
    count "$part" 0 1 0
  fi
}

# What is installed, as its users find it.
part_package() {
  counted package test/completions.py
  counted package test/installed.py
  counted package test/debian.py
}

sources() { find "$@" -name '*.cpp' -o -name '*.hpp' | sort; }

format_check() {
  # shellcheck disable=SC2046
  clang-format-19 --dry-run --Werror $(sources libtunnel tools test examples) 2>&1 | head -n 30
}

# The static analyser may look at 30,000 states of a function instead of 225,000, which takes half the time.
tidy_check() {
  local log=$results/tidy.log arg arguments=()
  for arg in -Xclang -analyzer-config -Xclang max-nodes=30000; do arguments+=("--extra-arg=$arg"); done
  find libtunnel tools -name '*.cpp' | sort |
    xargs -P "$jobs" -n 1 clang-tidy-19 --quiet -p build/release "${arguments[@]}" >"$log" 2>"$results/tidy.err" && return 0
  grep -E '(warning|error):' "$log" "$results/tidy.err" | head -n 40
  return 1
}

man_check() { mandoc -T lint -W warning man/*.[1-9]; }
man_options_check() { test/man_options.py --self-test && test/man_options.py; }

part_lint() {
  one lint "layers: the check finds what it looks for" test/layers.py --self-test
  one lint "layers" test/layers.py
  one lint "rules and their tests: the check finds what it looks for" test/rules_table.py --self-test
  one lint "rules and their tests" test/rules_table.py
  one lint "format" format_check
  if compgen -G 'man/*.[1-9]' >/dev/null; then
    one lint "manual pages" man_check
    one lint "manual pages say what the programs say" man_options_check
  else
    echo "skip  manual pages: there are none"
    count lint 0 0 1
  fi
  one lint "tidy" tidy_check
}

# --- running parts under their budgets ---
# The set-up is never killed half-way (apt would be left in pieces): going over its budget is only told.
run_part() {
  local part=$1 minutes=$2 start=$SECONDS status taken
  echo
  echo "== $part (at most $minutes minutes)"
  if [ "$part" = setup ]; then
    "part_$part"
  else
    timeout --kill-after=15 $((minutes * 60)) "$0" --part "$part" "$mode"
  fi
  status=$?
  taken=$((SECONDS - start))
  if [ $status = 124 ] || [ $status = 137 ]; then
    echo "FAIL  $part went over its $minutes minutes and was ended"
    count "$part" 0 1 0
  elif [ $status != 0 ]; then
    echo "FAIL  $part ended with status $status"
    count "$part" 0 1 0
  fi
  [ "$part" != setup ] || [ $taken -le $((minutes * 60)) ] || echo "note: the set-up took longer than its $minutes minutes"
  echo "-- $part took $((taken / 60)) min $((taken % 60)) s"
  return $status
}

total() { cat "$results"/*.count 2>/dev/null | awk '{ p += $1; f += $2; s += $3 } END { printf "%d %d %d", p, f, s }'; }

main() {
  local parts minutes part passed failed skipped
  case ${1:-} in
    "") mode=quick parts=("${quick_parts[@]}") ;;
    --all) mode=all parts=("${all_parts[@]}") && export CI=${CI:-1} ;;
    *)
      echo "run.sh: unknown argument '$1'; use ./test/run.sh or ./test/run.sh --all" >&2
      exit 64
      ;;
  esac
  mkdir -p "$results"
  rm -f "$results"/*
  for part in "${parts[@]}"; do
    if [ $mode = all ]; then minutes=${all_minutes[$part]}; else minutes=${quick_minutes[$part]}; fi
    run_part "$part" "$minutes" || [ "$part" != setup ] || break # without a compiler nothing else makes sense
  done
  echo
  echo "All in $((SECONDS / 60)) min $((SECONDS % 60)) s"
  read -r passed failed skipped <<<"$(total)"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] && [ "$passed" != 0 ]
}

if [ "${1:-}" = --part ]; then
  mode=$3
  "part_$2"
  exit 0 # what failed is in the counts
fi
main "$@"
