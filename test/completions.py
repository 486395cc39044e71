#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The completions of bash, zsh and fish, asked for as a user does: each shell runs on a terminal, a command is typed, TAB is
pressed, and what the shell makes of it is compared. fish and bash also list every option of every program's --help.

completions.py [--build DIR]   one line a check; the last line is "N passed, N failed, N skipped"  [build/release]
"""
import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PROGRAMS = ("tun-encap", "tun-decap", "tcp-chain", "tun-run")
PATIENCE = 20  # seconds, with a shell that should answer at once
# What is typed, and what one TAB makes of it. "|" stands where the cursor is left: after a space if the word is whole.
TYPED = (
    ("tun-decap --insecure", "tun-decap --insecure-open |"),
    ("tun-encap --log-format l", "tun-encap --log-format logfmt |"),
    ("tun-encap --log-format=l", "tun-encap --log-format=logfmt |"),
    ("tcp-chain -t resp", "tcp-chain -t respond:|"),
    ("tun-encap -x h2c+inte", "tun-encap -x h2c+internal:|"),
    ("tun-decap --limit early-d", "tun-decap --limit early-data=|"),
    ("tun-run pipe", "tun-run pipeline.tun |"),
    ("tcp-chain --access-log pipe", "tcp-chain --access-log pipeline.tun |"),
)


class Shell:
    """A shell on a terminal of its own, in a folder with one file."""

    def __init__(self, argv, environment, folder, prepare):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, {**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8", **environment})
        for line in prepare:
            os.write(self.fd, line.encode() + b"\r")
        self.wait_for("ready-to-type")

    def read(self, until):
        if not select.select([self.fd], [], [], max(0.0, until - time.monotonic()))[0]:
            return ""
        try:
            return os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            return ""

    def wait_for(self, pattern):
        seen, until = "", time.monotonic() + PATIENCE
        while not (found := re.search(pattern, seen)):
            more = self.read(until)
            if not more:
                raise TimeoutError(f"waited for {pattern!r}, saw {seen[-300:]!r}")
            seen += more
        return found

    def complete(self, typed):
        """The command line after TAB and one more letter: the shell is asked to print it instead of running it."""
        os.write(self.fd, typed.encode() + b"\t@\x01printf 'RE%sLT<%s>END\\n' SU '\x05'\r")
        return self.wait_for(r"RESULT<([^\r\n]*)@>END")[1]

    def end(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def bash_candidates(folder, line):
    """What bash's own completion function answers for `line`, without a terminal."""
    program = line.split()[0]
    words = line.split(" ")
    script = f'source "$1"; COMP_LINE=$2; COMP_POINT=${{#2}}; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ' \
             f'_{program.replace("-", "_")}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", os.path.join(folder, "bash", program), line, *words],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert not done.stderr, done.stderr
    return done.stdout.split()


def fish_candidates(folder, home, line):
    script = f'source "$argv[1]"; complete -C "$argv[2]"'
    done = subprocess.run(["fish", "--no-config", "-c", script, os.path.join(folder, "fish", line.split()[0] + ".fish"), line],
                          capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "HOME": home})
    assert not done.stderr, done.stderr
    return [row.split("\t")[0] for row in done.stdout.splitlines()]


def options_of(build, program):
    text = subprocess.run([os.path.join(build, "bin", program), "--help"], capture_output=True, text=True, check=True).stdout
    part = text.split("\nUsage\n")[1].split("\nLimits, for --limit")[0]
    return set(re.findall(r"^  (?:-\w, |    )(--[\w-]+)", part, re.M))


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r}, not {wanted!r}")


class Checks:
    def __init__(self, build):
        self.build, self.folder = build, os.path.join(build, "completions")
        self.passed = self.failed = self.skipped = 0

    def check(self, name, call):
        try:
            call()
            self.passed += 1
            print("ok    " + name)
        except (AssertionError, TimeoutError, OSError, subprocess.SubprocessError) as error:
            self.failed += 1
            print(f"FAIL  {name}: {error}")

    def without(self, shell):
        if shutil.which(shell):
            return False
        if os.environ.get("CI"):
            self.failed += 1
            print(f"FAIL  {shell} is not installed (test/setup.sh installs it)")
        else:
            self.skipped += 1
            print(f"skip  {shell} is not installed (test/setup.sh installs it)")
        return True

    def syntax(self, shell, suffix):
        for program in PROGRAMS:
            path = os.path.join(self.folder, shell, suffix.format(program))
            done = subprocess.run([shell, "-n", path], capture_output=True, text=True, timeout=PATIENCE)
            assert done.returncode == 0 and not done.stderr, f"{program}: {done.stderr}"

    def bash(self):
        if self.without("bash"):
            return
        self.check("bash: syntax", lambda: self.syntax("bash", "{}"))
        for program in PROGRAMS:
            self.check(f"bash: every option of {program}",
                       lambda p=program: same(set(bash_candidates(self.folder, p + " --")), options_of(self.build, p)))
        # What readline replaces begins behind the last ':' or '='.
        self.check("bash: a scheme", lambda: same(bash_candidates(self.folder, "tcp-chain -t ec"), ["echo:"]))
        self.check("bash: a proxy over an internal listener",
                   lambda: same(bash_candidates(self.folder, "tun-encap -x h1+int"), ["h1+internal:"]))
        self.check("bash: nothing for free text", lambda: same(bash_candidates(self.folder, "tun-encap --name "), []))
        self.check("bash: words behind '='",
                   lambda: same(bash_candidates(self.folder, "tun-run --log-format="), ["text", "logfmt", "json"]))

    def fish(self, home):
        if self.without("fish"):
            return
        self.check("fish: syntax", lambda: self.syntax("fish", "{}.fish"))
        for program in PROGRAMS:
            self.check(f"fish: every option of {program}",
                       lambda p=program: same(set(fish_candidates(self.folder, home, p + " --")), options_of(self.build, p)))
        self.check("fish: words of an option",
                   lambda: same(fish_candidates(self.folder, home, "tun-run --log-format "), ["json", "logfmt", "text"]))
        self.check("fish: a scheme", lambda: same(fish_candidates(self.folder, home, "tcp-chain -t ec"), ["echo:"]))
        path = os.path.join(home, "pipeline.tun")
        for before in ("tcp-chain -t unix:", "tcp-chain -l unix:", "tun-encap -x h1+unix:", "tun-run --admin unix:"):
            self.check(f"fish: a path behind {before.split()[-1]}",
                       lambda b=before: same(fish_candidates(self.folder, home, b + path[:-3]), [b.split()[-1] + path]))
        self.check("fish: a folder behind unix:", lambda: same(fish_candidates(self.folder, home, "tcp-chain -t unix:" + home),
                                                               [f"unix:{home}/"]))
        self.check("fish: nothing for free text",
                   lambda: same(fish_candidates(self.folder, home, "tun-encap --name "), []))

    def typed(self, name, shell):
        for line, wanted in TYPED:
            self.check(f"{name}: {line}<TAB>", lambda l=line, w=wanted: same(f"{shell.complete(l)}|", w))
        shell.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    checks = Checks(os.path.abspath(parser.parse_args().build))
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, "pipeline.tun"), "w", encoding="utf-8"):
            pass
        checks.bash()
        checks.fish(home)
        if not checks.without("zsh"):
            checks.check("zsh: syntax", lambda: checks.syntax("zsh", "_{}"))
            prepare = [f"fpath=({checks.folder}/zsh $fpath)", "autoload -U compinit; compinit -u -D", "bindkey -e; PS1=",
                       "print rea''dy-to-type"]
            checks.typed("zsh", Shell(["zsh", "-f", "-i"], {"HOME": home}, home, prepare))
        prepare = [f"for f in {checks.folder}/bash/*; do source $f; done", "bind 'set bell-style none'; PS1=",
                   "echo rea''dy-to-type"]
        checks.typed("bash", Shell(["bash", "--norc", "--noprofile", "-i"], {"HOME": home}, home, prepare))
    print(f"{checks.passed} passed, {checks.failed} failed, {checks.skipped} skipped")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
