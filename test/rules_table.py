#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rules_table.py [--self-test]: every test that test/RULES.md names exists, and every row names one or says why not yet.

A row of a table is `| row | rule | tests |`. The last cell names tests in backquotes, separated by commas:
  `Suite.Name`            a gtest test; for TEST_P without the instantiation, every parameter included
  `Suite.Name/Parameter`  one parameter of it; the string "Parameter" must occur in the file
  `Suite.Name "row"`      a row of a table inside the test; the string "row" must occur in the file
  `file::name`            an end-to-end test, as test/e2e/run.py --list tells it
or begins with "not yet:" and a reason.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
NAME = re.compile(r"`([^`]+)`")
GTEST = re.compile(r"(\w+)\.(\w+)(?:/([\w]+))?(?: \"(.+)\")?")


class Sources:
    """What tests there are: (suite, name) -> file text, and file::name."""

    def __init__(self, folder):
        self.gtests = {}
        for where, _, files in os.walk(folder):
            for file in sorted(files):
                path = os.path.join(where, file)
                if file.endswith("_test.cpp"):
                    text = read(path)
                    for suite, name in TEST.findall(text):
                        self.gtests[suite, name] = text
        listed = subprocess.run([sys.executable, os.path.join(folder, "e2e", "run.py"), "--list"], capture_output=True, check=True, text=True)
        self.e2e = {name.split("[")[0] for name in listed.stdout.split()}

    def problem_of(self, name):
        """Why there is no such test, or None."""
        if "::" in name:
            return None if name in self.e2e else "no such end-to-end test"
        match = GTEST.fullmatch(name)
        if not match:
            return "not the name of a test"
        suite, test, parameter, row = match.groups()
        text = self.gtests.get((suite, test))
        if text is None:
            return "no such test"
        if parameter and f'"{parameter}"' not in text:
            return f'the test has no parameter "{parameter}"'
        if row and f'"{row}"' not in text:
            return f'the test has no row "{row}"'
        return None


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def rows_of(text):
    """(line number, cells) of every row of every table, heads and rules left out."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        following = lines[number] if number < len(lines) else ""
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line) and not re.fullmatch(r"\|[|\s:-]+", following):
            yield number, cells_of(line)


def check(text, sources):
    """(number of rows with a test, rows without, problems)."""
    tested, missing, problems = 0, 0, []
    for number, cells in rows_of(text):
        tests = cells[-1]
        if tests.startswith("not yet: "):
            missing += 1
            continue
        names = NAME.findall(tests)
        if not names:
            problems.append(f"RULES.md:{number}: row {cells[0]} names no test")
            continue
        tested += 1
        for name in names:
            problem = sources.problem_of(name)
            if problem:
                problems.append(f"RULES.md:{number}: row {cells[0]}: `{name}`: {problem}")
    return tested, missing, problems


def self_test():
    sources = Sources.__new__(Sources)
    sources.gtests = {("Policy", "EveryRow"): '{"te gzip", ...}'}
    sources.e2e = {"refusals::bad_targets"}
    good = '| # | Rule | Tests |\n|---|---|---|\n| 1 | a | `Policy.EveryRow "te gzip"`, `refusals::bad_targets` |\n| 2 | b | not yet: needs TLS |\n'
    assert check(good, sources) == (1, 1, []), check(good, sources)
    for bad in ("`Policy.Gone`", '`Policy.EveryRow "gone"`', "`Policy.EveryRow/Gone`", "`refusals::gone`", "", "soon"):
        assert check(f"| # | Tests |\n|---|---|\n| 1 | {bad} |\n", sources)[2], bad


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    tested, missing, problems = check(read(os.path.join(HERE, "RULES.md")), Sources(HERE))
    print("\n".join(problems) if problems else f"{tested} rows have tests, {missing} not yet")
    return 1 if problems or not tested else 0


if __name__ == "__main__":
    sys.exit(main())
