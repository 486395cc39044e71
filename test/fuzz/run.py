#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The libFuzzer targets, each from its corpus; what they claim stands at the head of their sources.

run.py [--build DIR] [--seconds N] [--seed N] [--jobs N] [--keep DIR] [TARGET...]

Every input of a corpus runs first, so that what was found once stays mended; then N seconds of new ones a target [15]. One line a
target; the last line is "N passed, N failed, N skipped". An input that ends a target is left in DIR/findings and named.
--seed: the same one makes the same inputs, so that a gate is no game of chance [1]; 0 is another one every time.
--keep DIR: the inputs that reach new code are kept in DIR/TARGET, and a later run goes on from there.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
# The longest input, and the folders besides corpus/TARGET it starts from.
TARGETS = {
    "client_hello": (17000, ()),
    "config_lines": (4096, ()),
    "envoy_load": (16384, ("test/envoy-samples",)),
    "h1_request": (4096, ()),
    "h2_frames": (8192, ()),
}
# An input that takes longer than 5 s, or one allocation of more than 64 MiB, fails. The memory of a whole input is counted by the
# target itself (check.hpp): the sanitizers and the corpus take most of what the process holds.
LIMITS = ("-timeout=5", "-malloc_limit_mb=64", "-rss_limit_mb=2048")


def write_dictionary(path, folders):
    """The words of the corpus, for libFuzzer to put into other places."""
    words = set()
    for folder in folders:
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                words.update(re.findall(rb"[A-Za-z0-9@%*._/+-]{3,40}", file.read()))
    with open(path, "wb") as file:
        file.writelines(b'"' + word + b'"\n' for word in sorted(words))


def fuzz(target, arguments, new_inputs):
    """One target, to its end: (whether it passed, what to print)."""
    program = os.path.join(arguments.build, "fuzz", f"fuzz_{target}")
    findings = os.path.join(arguments.build, "findings")
    os.makedirs(findings, exist_ok=True)
    os.makedirs(new_inputs, exist_ok=True)
    longest, folders = TARGETS[target]
    corpus = [os.path.join(HERE, "corpus", target), *(os.path.join(ROOT, folder) for folder in folders)]
    log = os.path.join(findings, f"{target}.log")
    before = set(os.listdir(findings))
    dictionary = os.path.join(findings, f"{target}.dict")
    write_dictionary(dictionary, corpus)
    with open(log, "w", encoding="utf-8") as output:
        try:
            status = subprocess.run([program, f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}", f"-max_len={longest}", *LIMITS, f"-dict={dictionary}",
                                     f"-artifact_prefix={findings}/{target}-", new_inputs, *corpus], stdin=subprocess.DEVNULL,
                                    stdout=output, stderr=output, timeout=arguments.seconds + 90, check=False).returncode
        except subprocess.TimeoutExpired:
            status = "none: it did not come to its end"
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    done = re.search(r"^Done (\d+) runs in (\d+) second", text, re.M)
    memory = re.search(r"^most memory of an input: (\d+) bytes", text, re.M)
    if status == 0 and done and int(done[1]) > 0:
        most = f", at most {int(memory[1]) / 1048576:.1f} MiB for one" if memory else ""
        return True, f"ok    {target}: {done[1]} executions in {done[2]} s{most}"
    why = re.findall(r"^(?:does not hold:|SUMMARY:|ALARM:|==\d+== ?ERROR:|==\d+==ERROR:|.*runtime error:).*", text, re.M)
    lines = [f"FAIL  {target} (status {status}), its output in {log}", *(f"      {line}" for line in dict.fromkeys(why))]
    for name in sorted(set(os.listdir(findings)) - before):
        if name.startswith(f"{target}-"):
            lines.append(f"      {os.path.join(findings, name)}")
    return False, "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Runs the fuzz targets.")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "fuzz"))
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    unknown = [target for target in arguments.targets if target not in TARGETS]
    if unknown or arguments.seconds < 1:
        parser.error(f"no target is called {unknown[0]}" if unknown else "--seconds is at least 1")
    passed = 0
    targets = arguments.targets or sorted(TARGETS)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(fuzz, target, arguments, os.path.join(arguments.keep or scratch, target)) for target in targets]
        for run in runs:
            good, text = run.result()
            passed += good
            print(text, flush=True)
    print(f"{passed} passed, {len(targets) - passed} failed, 0 skipped")
    return 0 if passed == len(targets) else 1


if __name__ == "__main__":
    sys.exit(main())
