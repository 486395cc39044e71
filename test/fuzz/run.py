#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every fuzz target for a while, from its corpus. Last line: "N passed, N failed, N skipped", of targets.

  cmake --preset fuzz && cmake --build --preset fuzz
  test/fuzz/run.py [--seconds N] [TARGET...]

What a target fails with is left in build/fuzz/found. An input that taught something belongs into corpus/TARGET (of the loader's:
corpus/envoy_load), where every later run begins with it.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILT = os.path.join(REPO, "build", "fuzz")
SAMPLES = os.path.join(REPO, "test", "envoy-samples")
# Target: corpora, and the largest input in bytes.
TARGETS = {"envoy_load": ([SAMPLES], 16384), "config_lines": ([], 2048), "h1_request": ([], 4096), "h2_frames": ([], 8192)}
SLOWEST_SECONDS = 10  # of one input; a sanitized build on a busy machine


def run(name, seconds):
    """Whether nothing was found."""
    program = os.path.join(BUILT, "fuzz", f"fuzz_{name}")
    corpora, largest = TARGETS[name]
    corpora = corpora + [folder for folder in [os.path.join(HERE, "corpus", name)] if os.path.isdir(folder)]
    found = os.path.join(BUILT, "found")
    os.makedirs(found, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as grown:
        command = [program, f"-max_total_time={seconds}", f"-timeout={SLOWEST_SECONDS}", f"-max_len={largest}", "-rss_limit_mb=2048",
                   "-print_final_stats=1", f"-artifact_prefix={found}/{name}-", grown, *corpora]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    cover = re.findall(r"cov: (\d+)", said)
    if done.returncode == 0 and runs and int(runs[1]) > 0:
        print(f"ok    {name}: {runs[1]} inputs, {cover[-1] if cover else 0} edges")
        return True
    print(f"FAIL  {name} (status {done.returncode}); what it failed with is in {os.path.relpath(found, REPO)}\n" + said[-6000:])
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    for name in options.targets:
        if name not in TARGETS:
            parser.error(f"no target {name}; there are {', '.join(TARGETS)}")
    good = [run(name, options.seconds) for name in options.targets or TARGETS]
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed, 0 skipped")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
