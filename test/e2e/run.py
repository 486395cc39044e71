#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""End-to-end tests: the real programs, real sockets, real peers.

run.py [--bin FOLDER] [-k PATTERN] [-j N] [--json FILE] [--list]

A test is a function test_NAME(t) in test_*.py; lib/case.py says what `t` can do. Each runs in a process and (where allowed) a network
namespace of its own, under a time limit. Environment: E2E_BULK and E2E_HALF (bytes of the long transfers), E2E_EXPORTS (pipelines
shown to Envoy), E2E_SCALE (stretches every deadline), TUNNEL_PEERS (where the pinned peers are), CI (a skip for want of a peer the
set-up installs is a failure).
"""
import argparse
import faulthandler
import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from lib import network, wait  # noqa: E402
from lib.case import Case, Skip  # noqa: E402

USUAL_SECONDS = 60
PASSED, FAILED, SKIPPED, SKIPPED_WRONGLY = 0, 1, 77, 78


class OutOfTime(Exception):
    pass


def discover():
    """Every test as name -> (function, mode); the name is FILE::FUNCTION, with [mode] where it runs in several."""
    tests = {}
    for file in sorted(os.listdir(HERE)):
        if not re.fullmatch(r"test_\w+\.py", file):
            continue
        module = importlib.import_module(file[:-3])
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function) and function.__module__ == module.__name__:
                for mode in getattr(function, "modes", (None,)):
                    tests[f"{file[5:-3]}::{name[5:]}" + (f"[{mode}]" if mode else "")] = (function, mode)
    return tests


def seconds_of(function):
    return getattr(function, "seconds", USUAL_SECONDS) * wait.SCALE


def values_at_failure(trace):
    """The local variables where a test function stopped: what a plain assert does not tell."""
    frames = [frame for frame, _ in traceback.walk_tb(trace) if os.path.basename(frame.f_code.co_filename).startswith("test_")]
    values = frames[-1].f_locals.items() if frames else ()
    return "\n".join(f"    {name} = {repr(value)[:300]}" for name, value in values if name != "t" and not callable(value))


def run_one(name, folder, own_network):
    """In the test's own process: runs it and returns the exit status that tells the runner what happened."""
    network.die_with_parent(signal.SIGKILL)
    if own_network and not network.enter_own_network():
        raise OSError("no network namespace, although a trial had one")
    function, mode = discover()[name]

    def too_long(*_):
        faulthandler.dump_traceback(sys.stdout, all_threads=True)
        raise OutOfTime(f"not done within {seconds_of(function):g} s")
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds_of(function))
    t = Case(folder, own_network=own_network, force_pairs=mode == "pairs")
    try:
        function(t)
        t.finish()
        return PASSED
    except Skip as skip:
        t.abandon()
        print(f"SKIP {skip}")
        return SKIPPED_WRONGLY if skip.needed else SKIPPED
    except BaseException:  # everything is a failure here, and what the programs said belongs to it
        signal.setitimer(signal.ITIMER_REAL, 0)
        traceback.print_exc(file=sys.stdout)
        print(values_at_failure(sys.exc_info()[2]))
        print(t.abandon())
        return FAILED


class Job:
    """One test in its own process."""

    def __init__(self, name, function, options, own_network):
        self.name, self.began = name, time.monotonic()
        self.deadline = self.began + seconds_of(function) + 30
        self.output = tempfile.TemporaryFile()
        words = [sys.executable, os.path.abspath(__file__), "--bin", options.bin, "--one", name] + (["--own-network"] if own_network else [])
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True)
        self.pidfd = os.pidfd_open(self.process.pid)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)

    def result(self):
        status = self.process.wait()
        os.close(self.pidfd)
        self.output.seek(0)
        text = self.output.read().decode("utf-8", "replace").strip()
        self.output.close()
        return status, text, time.monotonic() - self.began


class Runner:
    def __init__(self, options):
        self.options, self.results = options, []
        self.strict = bool(os.environ.get("CI"))

    def record(self, job):
        status, text, seconds = job.result()
        reason = text.rsplit("SKIP ", 1)[-1] if status in (SKIPPED, SKIPPED_WRONGLY) else ""
        if status == SKIPPED_WRONGLY and self.strict:
            status = FAILED
            text = f"nothing may be skipped here: {reason}"
        outcome = {PASSED: "passed", SKIPPED: "skipped", SKIPPED_WRONGLY: "skipped"}.get(status, "failed")
        label = {"passed": "ok   ", "skipped": "skip ", "failed": "FAIL "}[outcome]
        print(f"{label} {job.name} ({seconds:.1f} s)" + (f": {reason}" if outcome == "skipped" else ""), flush=True)
        if outcome == "failed":
            print("\n".join("      " + line for line in (text or f"died, status {status}").splitlines()), flush=True)
        self.results.append({"name": job.name, "outcome": outcome, "seconds": round(seconds, 3), "text": text if outcome != "passed" else ""})

    def run(self, tests):
        own_network = network.own_network_possible()
        if not own_network:
            print("note: no network namespaces here: tests share this machine's ports, one at a time")
        together = [item for item in tests.items() if not getattr(item[1][0], "alone", False)]
        by_itself = [item for item in tests.items() if getattr(item[1][0], "alone", False)]
        self.run_queue(together, self.options.jobs if own_network else 1, own_network)
        self.run_queue(by_itself, 1, own_network)

    def run_queue(self, queue, width, own_network):
        running = {}
        try:
            while queue or running:
                while queue and len(running) < width:
                    name, (function, _) = queue.pop(0)
                    job = Job(name, function, self.options, own_network)
                    running[job.pidfd] = job
                ready = select.select(list(running), [], [], 1)[0]
                for pidfd in ready:
                    self.record(running.pop(pidfd))
                for job in running.values():
                    if time.monotonic() > job.deadline:
                        job.kill()
        finally:
            for job in running.values():
                job.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "..", "build", "release", "bin"), help="folder of the programs")
    parser.add_argument("-k", dest="pattern", default="", help="only tests whose name matches this regular expression")
    parser.add_argument("-j", dest="jobs", type=int, default=os.cpu_count() or 1, help="tests at a time (those marked alone excepted)")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--own-network", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    if options.one:
        sys.stdout.reconfigure(line_buffering=True)
        status = run_one(options.one, options.bin, options.own_network)
        sys.stdout.flush()
        os._exit(status)  # threads of a failed test may still wait
    tests = {name: test for name, test in discover().items() if re.search(options.pattern, name)}
    if options.list:
        print("\n".join(tests))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runner = Runner(options)
    try:
        runner.run(tests)
    finally:
        count = {outcome: sum(result["outcome"] == outcome for result in runner.results) for outcome in ("passed", "failed", "skipped")}
        left = len(tests) - len(runner.results)
        if left:
            print(f"FAIL  {left} tests were not run to their end")
            count["failed"] += left
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({**count, "tests": runner.results}, file, indent=1)
        print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped", flush=True)
    return 1 if count["failed"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
