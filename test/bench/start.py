#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""start.py [--bin FOLDER] [--envoy PROGRAM] [--rounds N] [FILE]: from start to listening, and the memory then, ours beside Envoy's.

Both are started with the same configuration (Envoy's internal_listener_proxy.yaml unless told), in turn, in one run, one worker each.
Time is from exec to the first connect to the listener that succeeds, tried every half millisecond; memory is the resident set then.
A table of medians; nothing is judged.
"""
import argparse
import os
import re
import socket
import statistics
import subprocess
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SAMPLE = os.path.join(ROOT, "test", "envoy-samples", "internal_listener_proxy.yaml")


def first_port(text):
    """The port of the first listener, as the samples are written."""
    return int(re.search(r"port_value: (\d+)", text[text.index("listeners:"):])[1])


def accepts(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def start(command, port):
    """(milliseconds, KiB resident) of one start."""
    assert not accepts(port), f"somebody listens on {port} already"
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not accepts(port):
                assert process.poll() is None, f"{command[0]} ended with status {process.returncode}"
                assert time.perf_counter() < begun + 30, f"{command[0]} does not listen on {port}"
                time.sleep(0.0005)
            milliseconds = (time.perf_counter() - begun) * 1000
            with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                resident = int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1])
        finally:
            process.kill()
    return milliseconds, resident


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"))
    parser.add_argument("--envoy", default=os.path.join(os.environ.get("TUNNEL_PEERS", os.path.join(ROOT, ".peers")), "bin", "envoy"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("file", nargs="?", default=SAMPLE)
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        port = first_port(file.read())
    commands = {"tun-run": [os.path.join(options.bin, "tun-run"), "--workers", "1", "-q", "--envoy", options.file],
                "Envoy": [options.envoy, "-c", options.file, "--concurrency", "1", "--disable-hot-restart", "-l", "off"]}
    seen = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            seen[name].append(start(command, port))
    print(f"{os.path.basename(options.file)}, medians of {options.rounds} rounds (least to most)\n")
    print("| | ms to listening | KiB resident |\n|---|---|---|")
    for name, figures in seen.items():
        cells = (f"{statistics.median(column):,.1f} ({min(column):,.1f}-{max(column):,.1f})" for column in zip(*figures))
        print(f"| {name} | {' | '.join(cells)} |")
    ours, theirs = ([statistics.median(column) for column in zip(*seen[name])] for name in ("tun-run", "Envoy"))
    print("| Envoy / tun-run | " + " | ".join(f"{b / a:.1f}" for a, b in zip(ours, theirs)) + " |")


if __name__ == "__main__":
    main()
