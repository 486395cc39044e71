# SPDX-License-Identifier: Apache-2.0
"""Programs under test and programs at the other end: started, watched, stopped by their own process id."""
import json
import os
import re
import shlex
import signal
import subprocess
import threading

from . import network, wait

REPO = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed")
# Gauges of what is alive: each must fall to 0 when the clients and origins of a test have gone.
ALIVE_GAUGES = ("tunnel_connections_active", "tunnel_pairs_active", "tunnel_streams_active", "tunnel_leases_active")


class Lines:
    """The lines of one output, read by a thread of its own until the end."""

    def __init__(self, pipe):
        self.lines, self.ended, self.changed_ = [], False, threading.Condition()
        self.thread_ = threading.Thread(target=self.read_, args=(pipe,), daemon=True)
        self.thread_.start()

    def read_(self, pipe):
        for raw in pipe:
            with self.changed_:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.changed_.notify_all()
        with self.changed_:
            self.ended = True
            self.changed_.notify_all()

    def first(self, wanted, start, seconds):
        """The first line from index `start` on for which wanted(line) is true (its value), None if the output ended or time is up."""
        def look():
            for line in self.lines[start:]:
                value = wanted(line)
                if value:
                    return (value,)
            return (None,) if self.ended else None
        with self.changed_:
            found = self.changed_.wait_for(look, seconds * wait.SCALE)
        return found[0] if found else None

    def all(self):
        """Every line up to the end of the output; only for a program that has ended."""
        self.thread_.join(10)
        return list(self.lines)


class Program:
    """One running process. `listens`: ports that must be listened on before start() returns."""

    def __init__(self, name, command, listens=(), env=None, cwd=None, stdin=None):
        for port in listens:
            assert not network.listening(port), f"port {port} is taken already; {name} cannot be started on it"
        self.name, self.command, self.listens = name, [str(word) for word in command], list(listens)
        environment = {**os.environ, "PATH": SYSTEM_PATH, **(env or {})}
        # setpriv: the program ends with this process, however that ends.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.command], env=environment, cwd=cwd,
                                        stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def wait_listening(self, seconds=15):
        def ready():
            assert self.process.poll() is None, f"{self.name} ended with status {self.process.returncode} at start\n{self.report()}"
            return all(network.listening(port) for port in self.listens)
        wait.until(ready, seconds, lambda: f"{self.name} listens on {self.listens}\n{self.report()}")
        return self

    def wait_exit(self, seconds=10):
        """The exit status; AssertionError if it does not end."""
        try:
            return self.process.wait(seconds * wait.SCALE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds * wait.SCALE:g} s\n{self.report()}") from None

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def stop(self):
        """An orderly end; whatever its exit status."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(5 * wait.SCALE)
            except subprocess.TimeoutExpired:
                self.kill()

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            field = file.read().rsplit(")", 1)[1].split()
        return (int(field[11]) + int(field[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def report(self):
        """Its command line and the end of what it wrote, for a failing test."""
        parts = [f"--- {self.name} (pid {self.pid}, status {self.process.poll()}): {shlex.join(self.command)}"]
        for label, lines in (("out", self.out.lines), ("err", self.err.lines)):
            parts += [f"    {label}| {line}" for line in lines[-40:]]
        return "\n".join(parts)


POOLS_EMPTY_SOON = ("--limit", "pool-idle=400")


def ports_of(words):
    """The TCP ports a command line listens on: -l PORT, -l HOST:PORT; a tun-run -e 'COMMAND' is looked into."""
    ports, words = [], [str(word) for word in words]
    for option, value in zip(words, words[1:]):
        if option in ("-l", "--listen"):
            match = re.fullmatch(r"(?:tcp:)?(?:.*:)?(\d+)", value)
            if match and not value.startswith("internal:"):
                ports.append(int(match[1]))
        elif option == "-e":
            ports += ports_of(shlex.split(value))
    return ports


class Tool(Program):
    """One of the four programs. stop() is a test of its own: gauges back to 0, SIGTERM, exit status 0, nothing from a sanitizer."""

    def __init__(self, folder, name, arguments, listens=None, prefix=(), **options):
        program = os.path.join(folder, name)
        assert os.access(program, os.X_OK), f"{program} is missing: build it first"
        ports = ports_of(arguments) if listens is None else listens
        # What a pool keeps open for the next request is closed soon: then a gauge that is not 0 is a leak.
        super().__init__(name, [*prefix, program, *(POOLS_EMPTY_SOON if ports and name != "fake" else ()), *arguments], listens=ports, **options)
        self.final = None  # its last answer to SIGUSR2, when nothing was open any more

    def usr2(self, seconds=5):
        """Sends SIGUSR2 and returns the answer: {"counters": {...}, "gauges": {...}}."""
        start = len(self.err.lines)
        self.signal(signal.SIGUSR2)
        answer = self.err.first(statistics_of, start, seconds)
        assert answer, f"{self.name} did not answer SIGUSR2 with one JSON line on stderr\n{self.report()}"
        return answer

    def gauges(self):
        return self.usr2()["gauges"]

    def counters(self):
        return self.usr2()["counters"]

    def wait_gauges_zero(self, seconds=5):
        """Every gauge of what is alive at 0; returns the last answer to SIGUSR2."""
        answer = {}

        def gone():
            answer.update(self.usr2())
            missing = [name for name in ALIVE_GAUGES if name not in answer["gauges"]]
            assert not missing, f"{self.name}: SIGUSR2 does not tell {missing}"
            return not alive(answer["gauges"])
        wait.until(gone, seconds, lambda: f"{self.name}: gauges back to 0, but {alive(answer['gauges'])}\n{self.report()}", every=0.02)
        return answer

    def stop(self):
        if self.running():
            self.final = self.wait_gauges_zero()
            self.signal(signal.SIGTERM)
        status = self.wait_exit()
        assert status == 0, f"{self.name} ended with status {status} instead of 0\n{self.report()}"
        self.check_output()

    def check_output(self):
        found = [line for line in self.err.all() if SANITIZER.search(line)]
        assert not found, f"{self.name}: {found[0]}\n{self.report()}"

    def access_log(self):
        """Access-log records (--access-log - --log-format json) of a program that has ended."""
        return [json.loads(line) for line in self.out.all() if line.startswith("{")]


def statistics_of(line):
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "counters" in value and "gauges" in value else None


def alive(gauges):
    return {name: value for name, value in gauges.items() if name.endswith("_active") and value != 0}
