#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rules_table.py [--self-test]: every test that test/RULES.md and test/SCENARIOS.md name exists, and every row names one or says why not.

A row of a table is `| row | rule | tests |`. The last cell names tests in backquotes, separated by commas:
  `Suite.Name`            a gtest test; for TEST_P without the instantiation, every parameter included
  `Suite.Name/Parameter`  one parameter of it; the string "Parameter" must occur in the file
  `Suite.Name "row"`      a row of a table inside the test; the string "row" must occur in the file
  `file::name`            an end-to-end test, as test/e2e/run.py --list tells it
  `file::name "script"`   a script inside the test; "script" or a function of that name must occur in its file or in test/e2e/lib
or begins with "not yet:" or "does not apply:" and a reason. A D with a number is a row of README.md's table "Where we differ from Envoy".
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
NAME = re.compile(r"`([^`]+)`")
E2E = re.compile(r"(\w+::\w+)(?: \"(.+)\")?")
DIFFERENCE = re.compile(r"\bD\d+\b")
WITHOUT_TEST = ("not yet: ", "does not apply: ")
TABLES = {"RULES.md": (), "SCENARIOS.md": tuple(str(number) for number in range(1, 98))}  # with the rows that must be there
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
        library = "".join(read(path) for path in glob.glob(os.path.join(folder, "e2e", "lib", "*.py")))
        self.e2e = {}
        for name in listed.stdout.split():
            file = os.path.join(folder, "e2e", f"test_{name.split('::')[0]}.py")
            self.e2e[name.split("[")[0]] = read(file) + library
        readme = read(os.path.join(folder, "..", "README.md"))
        self.differences = set(re.findall(r"^\| (D\d+) \|", readme, re.M))

    def problem_of(self, name):
        """Why there is no such test, or None."""
        end_to_end = E2E.fullmatch(name)
        if end_to_end:
            test, script = end_to_end.groups()
            if test not in self.e2e:
                return "no such end-to-end test"
            if script and f'"{script}"' not in self.e2e[test] and f"def {script}(" not in self.e2e[test]:
                return f'the test has no script "{script}"'
            return None
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


def check(file, text, sources, needed=()):
    """(number of rows with a test, rows without, problems); `needed` are the rows that must be there."""
    tested, missing, problems, seen = 0, 0, [], set()
    for number, cells in rows_of(text):
        tests = cells[-1]
        place = f"{file}:{number}: row {cells[0]}"
        if cells[0] in seen and needed:
            problems.append(f"{place} stands there twice")
        seen.add(cells[0])
        names = NAME.findall(tests)
        if tests.startswith(WITHOUT_TEST):
            missing += 1
        elif names:
            tested += 1
        else:
            problems.append(f"{place} names no test")
        problems += [f"{place}: `{name}`: {problem}" for name in names if (problem := sources.problem_of(name))]
        problems += [f"{place}: README.md has no row {row}" for row in DIFFERENCE.findall(tests) if row not in sources.differences]
    problems += [f"{file}: row {row} is missing" for row in needed if row not in seen]
    return tested, missing, problems


def self_test():
    sources = Sources.__new__(Sources)
    sources.gtests = {("Policy", "EveryRow"): '{"te gzip", ...}'}
    sources.e2e = {"refusals::bad_targets": 'def a_script(scene, see):\n    rows("a row")'}
    sources.differences = {"D1"}
    good = '| # | Rule | Tests |\n|---|---|---|\n| 1 | a | `Policy.EveryRow "te gzip"`, `refusals::bad_targets` |\n| 2 | b | not yet: needs TLS |\n' \
           '| 3 | c | `refusals::bad_targets "a_script"`, `refusals::bad_targets "a row"`; D1 |\n'
    assert check("F", good, sources, ("1", "3")) == (2, 1, []), check("F", good, sources)
    for bad in ("`Policy.Gone`", '`Policy.EveryRow "gone"`', "`Policy.EveryRow/Gone`", "`refusals::gone`", "", "soon",
                '`refusals::bad_targets "gone"`', "does not apply: see `Policy.Gone`", "`refusals::bad_targets`; D2"):
        assert check("F", f"| # | Tests |\n|---|---|\n| 1 | {bad} |\n", sources)[2], bad
    assert check("F", good, sources, ("4",))[2] and check("F", good + good, sources, ("1",))[2]


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    sources, failed = Sources(HERE), False
    for file, needed in TABLES.items():
        tested, missing, problems = check(file, read(os.path.join(HERE, file)), sources, needed)
        print("\n".join(problems) if problems else f"{file}: {tested} rows have tests, {missing} have none")
        failed = failed or bool(problems) or not tested
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
