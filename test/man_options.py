#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the manual pages against the programs: options and exit statuses against --help, limits against tunnel(7), counters
and gauges against what SIGUSR2 writes; each both ways, defaults and ranges included. Every command under EXAMPLES and every
one of README.md is judged with --check, every example of --help stands on its page.

man_options.py [--bin DIR]   checks; one line a difference, status 1 if there is any  [build/release/bin]
man_options.py --self-test   proves that it finds what it looks for
"""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PROGRAMS = ("tun-encap", "tun-decap", "tcp-chain", "tun-run")
PRINTS = ("--check", "--explain", "--graph", "--as-shell", "--export")  # judge the configuration, too; one of them at a time
SECONDS = 20  # patience with a program that should answer at once


def plain(line):
    """Text of a manual page without the escapes of mdoc."""
    for escape, text in (("\\(aq", "'"), ("\\(dq", '"'), ("\\(ga", "`"), ("\\-", "-"), ("\\&", ""), ("\\e", "\\")):
        line = line.replace(escape, text)
    return line


def page(name):
    with open(os.path.join(ROOT, "man", name), encoding="utf-8") as file:
        return file.read()


def section(text, title):
    found = re.search(rf"^\.Sh {title}$(.*?)(?=^\.Sh |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def items(text, macro):
    """The list entries of `text` that begin with `macro`: (rest of the .It line, body with lines joined)."""
    for head, body in re.findall(rf"^\.It ({macro}\b.*)\n((?:(?!\.It |\.El|\.Bl).*\n)*)", text, re.M):
        yield head, plain(body).replace("\n", " ")


def page_options(text):
    """{"-l": default or None, "--listen": ...} of a page."""
    options = {}
    for head, body in items(section(text, "OPTIONS"), "Fl"):
        default = re.search(r"Default: (.+?)\. *$", body)
        value = default[1] if default else "required" if re.search(r"Required\. *$", body) else None
        for flag in re.findall(r"Fl (\S+)", head):
            options["-" + flag] = value
    return options


def help_options(text):
    """The same of --help."""
    options = {}
    part = text.split("\nUsage\n")[1].split("\nLimits, for --limit")[0]
    for entry in re.split(r"\n(?=  (?:-\w, |    )--)", part)[1:]:
        flags, said = re.match(r"\s+((?:-\w, )?--[\w-]+)(.*)", entry, re.S).groups()
        said = " ".join(said.split("\n\n")[0].split())
        default = re.search(r"\[([^\[\]]+)\]$", said)
        for flag in flags.split(", "):
            options[flag] = default[1] if default else None
    return options


def page_limits(text):
    """{key: (default, unit, smallest, largest)} of tunnel(7)."""
    limits = {}
    for head, body in items(section(text, "LIMITS"), "Cm"):
        said = re.search(r"Default: (\d+)(?: (\w+))?, from (\d+) to (\d+)\.", body)
        limits[head.split()[1]] = (said[1], said[2] or "", said[3], said[4]) if said else None
    return limits


def help_limits(text):
    limits = {}
    part = text.split("\nLimits, for --limit")[1].split("\n\n")[0]
    for entry in re.split(r"\n(?=  \S)", part)[1:]:
        said = re.fullmatch(r"(\S+) \[(\d+)(?: (\w+))?\] .*, (\d+)-(\d+)", " ".join(entry.split()))
        limits[said[1]] = (said[2], said[3] or "", said[4], said[5])
    return limits


def page_names(text):
    return {head.split()[1] for head, _ in items(section(text, "COUNTERS AND GAUGES"), "Va")}


def page_statuses(text):
    return set(re.findall(r"^\.It (\d+)$", section(text, "EXIT STATUS"), re.M))


def help_statuses(text):
    return set(re.findall(r"\b(\d+) [a-z]", re.search(r"^Exit status: (.*?)\.$", text, re.M | re.S)[1]))


def page_examples(text):
    """The commands that stand alone: .Dl, and, as that would wrap a long one, literal blocks of one line."""
    commands = re.findall(r"^\.Dl (.*)$|^\.Bd -literal.*\n(.*)\n\.Ed$", section(text, "EXAMPLES"), re.M)
    return [plain(short or long) for short, long in commands]


def readme_commands(text):
    """The lines of code blocks that are a command of ours, without comment and '&'; what is redirected has a line without, too."""
    lines = "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)).splitlines()
    return [re.sub(r"\s+(#.*|&)$", "", line) for line in lines if line.split(" ")[0] in PROGRAMS and " > " not in line]


def page_files(text):
    """{name: text} of the pipeline files on a page; the first line of each is a comment with its name."""
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", section(text, "EXAMPLES"), re.M | re.S)
    return {block.split()[1]: plain(block) for block in blocks if block.startswith("# ")}


def help_examples(text):
    return re.findall(r"^  (\S.*)$", text.split("\nExamples\n")[1].split("\nUsage\n")[0], re.M)


def differences(where, what, said, real):
    """`said` on the page against `real`; sets, or dicts whose values count too."""
    for name in sorted(set(real) - set(said)):
        yield f"{where}: {what} {name} is missing"
    for name in sorted(set(said) - set(real)):
        yield f"{where}: there is no {what} {name}"
    if isinstance(said, dict):
        for name in sorted(set(said) & set(real)):
            if said[name] != real[name]:
                yield f"{where}: {what} {name}: the page says {said[name]}, the program {real[name]}"


def judge_program(name, text, tunnel, told):
    where = f"man/{name}.1"
    yield from differences(where, "option", page_options(text), help_options(told))
    yield from differences(where, "exit status", page_statuses(text), help_statuses(told))
    yield from differences(f"man/tunnel.7 for {name}", "limit", page_limits(tunnel), help_limits(told))
    for example in help_examples(told):
        if example not in page_examples(text):
            yield f"{where}: the example of --help is missing: {example}"


def stats_names(bin_dir):
    """What SIGUSR2 writes. The program listens on a name only: no port is needed."""
    command = [os.path.join(bin_dir, "tcp-chain"), "-l", "internal:x", "-t", "discard:"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        patience = threading.Timer(SECONDS, program.kill)
        patience.start()
        try:
            for line in program.stderr:
                if "serving with" in line:
                    program.send_signal(signal.SIGUSR2)
                elif line.startswith("{"):
                    stats = json.loads(line)
                    return set(stats["counters"]) | set(stats["gauges"])
        finally:
            patience.cancel()
            program.terminate()
    return set()


def judge_examples(bin_dir, texts):
    """Every command of ours under EXAMPLES and every pipeline file shown must pass --check."""
    variables = dict(os.environ, HOSTNAME_OF_TARGET="host.example")
    with tempfile.TemporaryDirectory() as folder:
        files = page_files(texts["tun-run.5"])
        if not files:
            yield "man/tun-run.5: shows no pipeline file"
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        shutil.copytree(os.path.join(ROOT, "test", "envoy-samples"), folder, dirs_exist_ok=True)
        commands = [("man/tun-run.5", f"tun-run {name}") for name in files]
        for name, text in texts.items():
            found = [line for line in page_examples(text) if line.split()[0] in PROGRAMS]
            if not found and name.endswith(".1"):
                yield f"man/{name}: has no example"
            commands += [(f"man/{name}", line) for line in found]
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            commands += [("README.md", line) for line in readme_commands(file.read())]
        for where, line in commands:
            words = shlex.split(line)
            words += [] if any(word.startswith(PRINTS) for word in words) else ["--check"]
            words[0] = os.path.join(bin_dir, words[0])
            run = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False)
            if run.returncode != 0:
                yield f"{where}: '{line}' is refused: {run.stderr.strip()}"


def problems(bin_dir):
    texts = {name: page(name) for name in [f"{program}.1" for program in PROGRAMS] + ["tun-run.5", "tunnel.7"]}
    for name in PROGRAMS:
        told = subprocess.run([os.path.join(bin_dir, name), "--help"], capture_output=True, text=True, timeout=SECONDS,
                              check=True).stdout
        yield from judge_program(name, texts[f"{name}.1"], texts["tunnel.7"], told)
    yield from differences("man/tunnel.7", "counter or gauge", page_names(texts["tunnel.7"]), stats_names(bin_dir))
    yield from judge_examples(bin_dir, texts)


SAMPLE_HELP = """p does.

Examples
  p -l 1
      listens

Usage
  p -l LISTEN

Options of a line  [default]
  -l, --listen LISTEN           accept [::1]; repeatable [required]
      --drain TIME              patience, for a
                                while [30s]
      --check                   say so

Limits, for --limit KEY=N  [default], smallest-largest
  conns              [10]                connections, 1-100
  linger             [64 bytes]          discarded, for 1 s at most,
                                         0-128

Exit status: 0 ok, 64 wrong usage.
"""
SAMPLE_PAGE = """.Sh OPTIONS
.Bl -tag -width Ds
.It Fl l Ar LISTEN , Fl -listen Ar LISTEN
Accept.
Required.
.It Fl -drain Ar TIME
Patience.
Default: 30s.
.It Fl -check
Say so.
.El
.Sh EXIT STATUS
.It 0
.It 64
.Sh EXAMPLES
.Dl p \\-l 1
.Bd -literal -offset indent
p \\-\\-check
.Ed
.Sh SEE ALSO
"""
SAMPLE_TUNNEL = """.Sh LIMITS
.It Cm conns Ns = Ns Ar N
Connections.
Default: 10, from 1 to 100.
.It Cm linger Ns = Ns Ar bytes
Discarded.
Default: 64 bytes, from 0 to 128.
.El
.Sh COUNTERS AND GAUGES
.It Va tunnel_a_total
.El
"""


def self_test():
    def found(page_text=SAMPLE_PAGE, tunnel=SAMPLE_TUNNEL, told=SAMPLE_HELP):
        return list(judge_program("p", page_text, tunnel, told))

    assert found() == [], found()
    changes = (
        ("page_text", SAMPLE_PAGE, ".It Fl -check\nSay so.\n", "", "option --check is missing"),
        ("page_text", SAMPLE_PAGE, "Fl l Ar", "Fl L Ar", "option -l is missing"),
        ("page_text", SAMPLE_PAGE, "Fl -check", "Fl -check , Fl c", "no option -c"),
        ("page_text", SAMPLE_PAGE, "30s", "3s", "option --drain: the page says 3s"),
        ("page_text", SAMPLE_PAGE, "Required.\n", "", "option --listen: the page says None"),
        ("page_text", SAMPLE_PAGE, ".It 64\n", "", "exit status 64 is missing"),
        ("page_text", SAMPLE_PAGE, "\\-l 1", "\\-l 2", "example of --help is missing"),
        ("tunnel", SAMPLE_TUNNEL, "from 0 to 128", "from 1 to 128", "limit linger: the page says"),
        ("tunnel", SAMPLE_TUNNEL, "64 bytes", "64", "limit linger: the page says"),
        ("tunnel", SAMPLE_TUNNEL, "Cm conns", "Cm cons", "limit conns is missing"),
        ("told", SAMPLE_HELP, "  conns              [10]                connections, 1-100\n", "", "no limit conns"),
        ("told", SAMPLE_HELP, "      --check                   say so\n", "", "no option --check"),
    )
    for argument, text, old, new, wanted in changes:
        assert old in text, old
        told = found(**{argument: text.replace(old, new, 1)})
        assert any(wanted in line for line in told), (wanted, told)
    assert page_examples(SAMPLE_PAGE) == ["p -l 1", "p --check"]
    code = "```mermaid\nx\n```\n```\ntun-run a.tun  # runs it\ntun-run b.tun &\ntun-run c.tun > d\nls\n```\ntun-run e.tun\n"
    assert readme_commands(code) == ["tun-run a.tun", "tun-run b.tun"]
    assert page_names(SAMPLE_TUNNEL) == {"tunnel_a_total"}
    assert list(differences("here", "counter", {"a"}, {"b"})) == ["here: counter b is missing", "here: there is no counter a"]


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    bin_dir = os.path.abspath(arguments[1] if arguments[:1] == ["--bin"] else os.path.join(ROOT, "build", "release", "bin"))
    told = list(problems(bin_dir))
    for line in told:
        print(line)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
