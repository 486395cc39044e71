# SPDX-License-Identifier: Apache-2.0
"""Generated plans exported to a real Envoy and run by it: the same client and origin, with ours and with Envoy, see the same.

A plan is a way from an entry to an origin, made of one to five steps, each of some kind. Which ways a number of plans takes is
left to chance, that every kind of step and of place is among them is not.
"""
import hashlib
import random
import socket
import threading

from lib import client, peers
from lib.case import limit, needs
from lib.exported import of_lines, on_every_side
from lib.origin import HttpOrigin, echo
from lib.topology import tcp

PLANS = 20
BODY = random.Random(7).randbytes(200_000)
KINDS = {"chain", "balanced", "http", "tunnel", "post", "by id", "two tunnels", "listener on a port", "listener inside", "proxy on a port",
         "proxy inside", "h1", "h2c"}


class Way:
    """`entry` leads to an origin of bytes, or of requests; `lines` make it, of the kinds in `kinds`."""

    def __init__(self, t, seed):
        self.t_, self.random_, self.lines, self.kinds, self.inside_ = t, random.Random(seed), [], set(), 0
        self.requests = self.random_.random() < 0.5
        self.halves = True  # one direction may end long before the other
        origin = t.keep_origin(HttpOrigin(t.port(), respond=answering)) if self.requests else t.server(echo)
        self.next_, self.entry = tcp(origin.port), t.port()
        steps = self.random_.randint(1, 5)
        for left in reversed(range(steps)):
            listen = self.place_("listener") if left else tcp(self.entry)
            self.step_(listen, first=not left)
            self.next_ = listen
        self.lines.reverse()

    def pick_(self, *values):
        return self.random_.choice(values)

    def place_(self, who):
        """Where somebody listens, and is reached."""
        if self.random_.random() < 0.5:
            self.kinds.add(f"{who} on a port")
            return tcp(self.t_.port())
        self.kinds.add(f"{who} inside")
        self.inside_ += 1
        return f"internal:in{self.inside_}"

    def step_(self, listen, first):
        kind = self.pick_("chain", "balanced", "tunnel", "tunnel", "by id", "two tunnels")
        self.kinds.add(kind)
        if kind == "chain":
            self.lines.append(f"tcp-chain -l {listen} -t {self.next_}")
        elif kind == "balanced":
            ways = [tcp(self.t_.port()) for _ in range(2)]
            self.lines += [f"tcp-chain -l {way} -t {self.next_}" for way in ways]
            self.lines.append(f"tcp-chain -l {listen} -t {ways[0]} -t {ways[1]} --lb {self.pick_('round-robin', 'least')}")
        elif kind == "tunnel":
            self.tunnel_(listen, first)
        elif kind == "by id":
            self.inside_ += 1
            wrap = f"internal:wrap{self.inside_}"
            self.tunnel_(wrap, False, target="@endpoint")
            self.lines.append(f"tcp-chain -l {listen} -t {wrap}/{self.pick_('a.example:80', '[::1]:2', '10.0.0.1:65535')}")
        else:
            outer, inner = self.proxy_(), self.proxy_(on_a_port=True)
            self.lines.append(f"tun-decap -l {inner[1]} --to {self.next_}")
            self.lines.append(f"tun-decap -l {outer[1]} --to {inner[1]}")
            self.lines.append(f"tun-encap -l {listen} -x {outer[0]} -x {inner[0]} --target a.example:80")

    def proxy_(self, on_a_port=False):
        """(what -x says, where it listens)"""
        version = self.pick_("h1", "h2c", "h2c")
        self.kinds.add(version)
        self.halves = self.halves and version == "h2c"  # Envoy ends an HTTP/1.1 tunnel both ways at once
        listens = tcp(self.t_.port()) if on_a_port else self.place_("proxy")
        return f"{version}+{listens}" if listens.startswith("internal:") else f"{version}:{listens}", listens

    def tunnel_(self, listen, first, target="a.example:80"):
        says, listens = self.proxy_()
        options = ""
        if self.random_.random() < 0.3:
            self.kinds.add("post")
            options = " --post"
        self.lines.append(f"tun-decap -l {listens} --to {self.next_}{options}")
        if self.random_.random() < 0.3:
            options += " --header 'X-Plan: 100% generated'"
        if first and self.requests and target != "@endpoint":
            self.kinds.add("http")
            options += " --http"
        self.lines.append(f"tun-encap -l {listen} -x {says} --target {target}{options}")

    def observe(self, _):
        return asked(self.entry) if self.requests else sent_and_echoed(self.entry, self.halves)


def answering(method, path, _, body):
    text = f"{method} {path} {hashlib.sha256(body).hexdigest()}\n".encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (b"404 Not Found" if path == "/missing" else b"200 OK", len(text)) + text


def asked(entry):
    with client.connect(entry) as sock:
        kept = [client.request(sock, f"GET /{number} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()) for number in range(2)]
    return [(answer.status, answer.body) for answer in kept + [client.get(entry, "/missing"), client.get(entry, method="POST", body=BODY)]]


def sent_and_echoed(entry, halves):
    """What comes back of BODY and, where one direction may end first, that both ends arrive."""
    with client.connect(entry) as sock:
        sending = threading.Thread(target=sock.sendall, args=(BODY,), daemon=True)
        sending.start()
        back = bytearray()
        while len(back) < len(BODY) and (piece := sock.recv(65536)):
            back += piece
        sending.join()
        if halves:
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b"", "more than was sent came back"
        return [len(back), hashlib.sha256(back).hexdigest(), "end" if halves else ""]


@limit(300)
@needs(peers.envoy_there)
def test_generated_plans_run_the_same(t):
    kinds = set()
    for seed in range(PLANS):
        way = Way(t, seed)
        print(f"plan {seed}: " + "; ".join(way.lines))
        seen = on_every_side(t, [of_lines(*way.lines)], way.observe)
        if way.requests:
            assert [status for status, _ in seen] == [200, 200, 404, 200] and hashlib.sha256(BODY).hexdigest().encode() in seen[3][1], seen
        else:
            assert seen[:2] == [len(BODY), hashlib.sha256(BODY).hexdigest()], seen
        kinds |= way.kinds
    assert kinds == KINDS, f"never made: {KINDS - kinds}; not known: {kinds - KINDS}"
