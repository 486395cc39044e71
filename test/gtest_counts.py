#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gtest_counts.py JSON STATUS: "passed failed skipped" of one test program's --gtest_output=json and exit status.

A program that crashed (no report, or a bad status without a failed test) counts as one failed test; so does one without tests.
"""
import json
import sys


def counts(path, status):
    try:
        with open(path, encoding="utf-8") as file:
            suites = json.load(file)["testsuites"]
    except (OSError, ValueError, KeyError):
        return 0, 1, 0
    tests = [test for suite in suites for test in suite["testsuite"]]
    failed = sum(bool(test.get("failures")) for test in tests)
    skipped = sum(test.get("result") != "COMPLETED" for test in tests if not test.get("failures"))
    passed = len(tests) - failed - skipped
    if not tests or (status != 0 and failed == 0):
        failed += 1
    return passed, failed, skipped


if __name__ == "__main__":
    print(*counts(sys.argv[1], int(sys.argv[2])))
