# SPDX-License-Identifier: Apache-2.0
"""The same script with a sample of Envoy's run by Envoy and by us: what its client and its origin see, and where that differs.

A script is a function(scene, see) that holds both ends: scene.dial() is a client, scene.accept() the next connection at the origin,
and see(label, value) notes what it saw. Dates, ports and ids are masked; nothing else is.
"""
import concurrent.futures
import dataclasses
import http.client
import os
import re
import select
import socket

from . import client, peers
from .h2frames import Closed
from .h2peer import H2
from .program import REPO
from .wait import SCALE

QUIET = 1.5  # seconds without a byte after which something counts as open; Envoy closes a second after it has refused something
SAMPLES = os.path.join(REPO, "test", "envoy-samples")
OURS, ENVOY = "ours", "Envoy"
NOTHING = "nothing"  # what a side saw under a label that only the other has
AT_ONCE = 12
DATE = re.compile(r"\w{3}, \d{2} \w{3} \d{4} \d\d:\d\d:\d\d GMT")
ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


class Sample:
    """One of Envoy's files with ports of its own: `entry` is where clients come in, `origin` where it leads, as the file has them."""

    def __init__(self, t, name, entry, origin, changes=()):
        """`changes`: (text, what stands for it)."""
        with open(os.path.join(SAMPLES, name + ".yaml"), encoding="utf-8") as file:
            text = file.read().replace("www.google.com", "localhost")
        for old, new in changes:
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, new)
        text = self.changed_(t, text)
        self.name, self.ports_ = name, {}

        def other(match):
            return f"port_value: {self.ports_.setdefault(int(match[1]), t.port())}"
        text = re.sub(r"port_value: (\d+)", other, text)
        self.entry, self.origin = self.ports_[entry], self.ports_.get(origin)
        self.listens = [port for number, port in self.ports_.items() if number != origin]
        self.file = t.write(f"{self.listens[0]}-{name}.yaml", text)

    options = ()  # of ours

    def changed_(self, _, text):
        return text

    def start(self, t, side):
        if side == OURS:
            t.tool("tun-run", "--workers", "1", *self.options, "--envoy", self.file, listens=self.listens)
            return
        words = ["-c", self.file, "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
        t.peer("envoy", [peers.find("envoy"), *words], self.listens)

    def clients_left(self):
        """The clients of a script have closed, its origin has not yet."""

    def played(self, script, notes):
        """What is seen of a script that has been played: {label: text}, of its `notes`."""
        return notes

    def ended(self):
        """{(script, label): text} of what shows only when the program has ended."""
        return {}

    def compares(self, _label, _envoy, _ours):
        """Whether two that differ under a label are to be told."""
        return True

    def masked(self, text):
        for number, port in self.ports_.items():
            text = re.sub(rf"\b{port}\b", f"PORT{number}", text)
        return ID.sub("ID", DATE.sub("DATE", text))


class Scene:
    """What a script has: the sample that runs, and `listener`, the socket of the origin; None in a script about one that is down."""

    def __init__(self, sample, listener=None):
        self.sample, self.listener_, self.dialled_, self.accepted_ = sample, listener, [], []

    def dial(self):
        sock = client.connect(self.sample.entry)
        self.dialled_.append(sock)
        return sock

    def dial_h2(self):
        return H2(self.dial())

    def accept(self):
        """The next connection at the origin."""
        sock, _ = self.listener_.accept()
        sock.settimeout(20 * SCALE)
        self.accepted_.append(sock)
        return sock

    def somebody_comes(self):
        return bool(select.select([self.listener_], [], [], QUIET * SCALE)[0])

    def accept_h2(self):
        """The same from an HTTP/2 client, its preface read."""
        return H2(self.accept(), client=False)

    def close(self):
        """Ends what is still open, until the program has seen it: it must not give the next script a connection of this one."""
        for sock in self.dialled_:
            sock.close()
        self.sample.clients_left()
        while self.listener_ and select.select([self.listener_], [], [], 0)[0]:
            self.accepted_.append(self.listener_.accept()[0])  # one the script did not ask for
        for sock in self.accepted_:
            if sock.fileno() >= 0:
                sock.settimeout(QUIET * SCALE)
                see_it_end(sock)
                sock.close()


def see_it_end(sock):
    try:
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 16):
            pass
    except OSError:
        pass  # reset, or nobody ends it: no connection that would be used again


def rest_of(sock):
    """What else comes on a socket: its bytes, then "end", "reset" or, if nothing more comes, "open"."""
    sock.settimeout(QUIET * SCALE)
    data = b""
    try:
        while piece := sock.recv(1 << 16):
            data += piece
        how = "end"
    except ConnectionResetError:
        how = "reset"
    except TimeoutError:
        how = "open"
    sock.settimeout(20 * SCALE)
    return f"{data!r}, {how}"


def exactly(sock, size):
    """`size` bytes, or as many as come before it is over."""
    data = b""
    try:
        while len(data) < size and (piece := sock.recv(size - len(data))):
            data += piece
    except (ConnectionResetError, TimeoutError) as error:
        return data + b" and then " + type(error).__name__.encode()
    return data


class Seen:
    """What a script noted, masked: {label: text}. A head becomes a label a field."""

    def __init__(self, sample):
        self.sample_, self.notes = sample, {}

    def __call__(self, label, value):
        if isinstance(value, client.Response):
            self("%s: status" % label, value.status)
            self.fields(label, value.fields)
            self("%s: body" % label, value.body)
            return
        assert label not in self.notes, label
        self.notes[label] = self.sample_.masked(value if isinstance(value, str) else repr(value))

    def fields(self, label, fields):
        """Each field on its own, and the order of their names. Their case means nothing in HTTP/1.1."""
        for name in dict.fromkeys(name for name, _ in fields):
            self(f"{label}: field {name}", "; ".join(value for key, value in fields if key == name))


@dataclasses.dataclass(frozen=True)
class Difference:
    sample: str
    script: str
    label: str
    envoy: str
    ours: str

    @property
    def where(self):
        return f"{self.sample} {self.script} {self.label}"

    def __str__(self):
        return f"{self.where}\n    Envoy: {self.envoy}\n    ours:  {self.ours}"


def play(t, sample, side, scripts):
    """{(script, label): what was seen} of one side. `scripts` are (function, whether the origin listens), first those where it does not."""
    inner, seen, listener = t.scene(False), {}, None
    sample.start(inner, side)
    for script, listens in scripts:
        if listens and sample.origin and not listener:
            listener = socket.create_server(("127.0.0.1", sample.origin))
            listener.settimeout(5 * SCALE)
        scene, see = Scene(sample, listener), Seen(sample)
        try:
            script(scene, see)
        except (AssertionError, OSError, Closed, http.client.HTTPException) as error:
            see("cannot go on", f"{type(error).__name__}: {error}")  # seen on one side only, it is a difference like others
        finally:
            scene.close()
        seen.update({(script.__name__, label): value for label, value in sample.played(script.__name__, see.notes).items()})
    if listener:
        listener.close()
    inner.finish()
    return {**seen, **sample.ended()}


def differences(t, samples, kinds=(Sample,)):
    """Of some (name, entry, origin, scripts): every place where something else was seen with a sample of each of `kinds`. Most of a
    script is waiting, so several run at a time, each with ports of its own."""
    plays = [(kind(t, name, entry, origin), side, scripts)
             for kind in kinds for name, entry, origin, scripts in samples for side in (OURS, ENVOY)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda one: play(t, *one), plays))
    for (sample, _, _), ours, envoy in zip(plays[::2], seen[::2], seen[1::2]):
        for script, label in {**envoy, **ours}:
            pair = envoy.get((script, label), NOTHING), ours.get((script, label), NOTHING)
            if pair[0] != pair[1] and sample.compares(label, *pair):
                yield Difference(sample.name, script, label, *pair)


# --- the table of the README ---
@dataclasses.dataclass(frozen=True)
class Row:
    what: str
    envoy: str
    ours: str
    reason: str

    def texts(self, cell):
        """What a cell quotes: each must have been seen."""
        return re.findall(r"`([^`]+)`", cell)


def rows_of_readme():
    """{id: Row} of the table "Where we differ from Envoy"."""
    with open(os.path.join(REPO, "README.md"), encoding="utf-8") as file:
        section = file.read().split("\n### Where we differ from Envoy\n", 1)
    assert len(section) == 2, "the README has no section 'Where we differ from Envoy'"
    rows = {}
    for line in re.split(r"\n#+ ", section[1])[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"D\d+", cells[0]):
            assert len(cells) == 5 and all(cells), f"five cells are wanted: {line}"
            assert cells[0] not in rows, f"{cells[0]} stands there twice"
            rows[cells[0]] = Row(*cells[1:])
    return rows
