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
    """One running process. `listens`: ports, and paths of unix sockets, that must be listened on before start() returns. `stdin`,
    `stdout`: what subprocess takes; a `stdout` that is given is not read here."""

    def __init__(self, name, command, listens=(), env=None, cwd=None, stdin=None, stdout=None, pass_fds=()):
        for port in listens:  # a unix socket may be handed from one to the next
            assert isinstance(port, str) or not network.listening(port), f"port {port} is taken already; {name} cannot be started on it"
        self.name, self.command, self.listens = name, [str(word) for word in command], list(listens)
        environment = {**os.environ, "PATH": SYSTEM_PATH, **(env or {})}
        # setpriv: the program ends with this process, however that ends.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.command], env=environment, cwd=cwd,
                                        stdin=subprocess.DEVNULL if stdin is None else stdin,
                                        stdout=subprocess.PIPE if stdout is None else stdout, stderr=subprocess.PIPE,
                                        pass_fds=pass_fds)
        self.pid = self.process.pid
        self.out, self.err = Lines(self.process.stdout or ()), Lines(self.process.stderr)

    def wait_listening(self, seconds=15):
        if not self.listens:
            return self  # one that is to end by itself may have done so already

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


def ports_of(words):
    """What a command line listens on: ports (-l PORT, -l HOST:PORT) and paths (-l unix:PATH); a tun-run -e 'COMMAND' is looked into."""
    ports, words = [], [str(word) for word in words]
    for option, value in zip(words, words[1:]):
        if option in ("-l", "--listen"):
            match = re.fullmatch(r"(?:tcp:)?(?:.*:)?(\d+)", value)
            if value.startswith("unix:"):
                ports.append(re.split("(?<!,),(?!,)", value[5:])[0].replace(",,", ","))
            elif match and not value.startswith(("internal:", "fd:", "systemd:")):
                ports.append(int(match[1]))
        elif option == "-e":
            ports += ports_of(shlex.split(value))
    return ports


class Tool(Program):
    """One of the four programs. stop() is a test of its own: gauges back to 0, SIGTERM, exit status 0, nothing from a sanitizer."""

    def __init__(self, folder, name, arguments, listens=None, prefix=(), pool_idle_ms=400, **options):
        program = os.path.join(folder, name)
        assert os.access(program, os.X_OK), f"{program} is missing: build it first"
        ports = ports_of(arguments) if listens is None else listens
        # What a pool keeps open for the next request is closed soon: then a gauge that is not 0 is a leak.
        soon = ("--limit", f"pool-idle={pool_idle_ms}") if ports and name != "fake" else ()
        super().__init__(name, [*prefix, program, *soon, *arguments], listens=ports, **options)
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


class Session(Tool):
    """One of the four programs with -l -: `stdin` and `stdout` are what it is given, by default pipes whose other ends are `to` and
    `back`. A test that is done with it has seen it end."""

    def __init__(self, folder, name, arguments, stdin=None, stdout=None, **options):
        ours = []
        if stdin is None:
            stdin, self.to = os.pipe()
            ours.append(stdin)
        if stdout is None:
            self.back, stdout = os.pipe()
            ours.append(stdout)
        super().__init__(folder, name, arguments, stdin=stdin, stdout=stdout, **options)
        for descriptor in ours:
            os.close(descriptor)

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.to, view):]

    def finish(self):
        """The end of its standard input."""
        os.close(self.to)

    def read(self, size):
        """So many bytes of its standard output, fewer only at the end."""
        data = b""
        while len(data) < size and (piece := os.read(self.back, size - len(data))):
            data += piece
        return data

    def read_to_end(self):
        with open(self.back, "rb", closefd=False) as file:
            return file.read()

    def said(self):
        """What stands on its standard error, once it has ended, without time and level."""
        return [re.sub(r"^\S+Z (\w+) ", r"\1 ", line) for line in self.err.all()]

    def expect(self, status, *words, seconds=10):
        """It ends with this status and, unless that is 0, one sentence with these words."""
        ended = self.wait_exit(seconds)
        said = self.said()
        assert ended == status, f"{self.name} ended with status {ended} instead of {status}\n{self.report()}"
        assert len(said) == (1 if words else 0), f"{self.name} said {said}"
        for word in words:
            assert word in said[0], f"no {word!r} in {said[0]!r}"

    def stop(self):
        assert not self.running(), f"{self.name} was left running\n{self.report()}"
        self.check_output()


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
