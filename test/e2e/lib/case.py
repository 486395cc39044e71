# SPDX-License-Identifier: Apache-2.0
"""The `t` of a test function: starts programs, peers, origins and clients, and ends all of them.

After a test function has returned, its client sockets are closed, then peers and origins end, then every program of ours must show
by SIGUSR2 that nothing is left open, and end with status 0 on SIGTERM: last started, first stopped, so start what is upstream first.
"""
import functools
import os
import shutil
import tempfile

from . import client, network, origin, program


class Skip(Exception):
    """`needed`: the set-up installs it, so where everything must run (CI) the skip counts as a failure."""

    def __init__(self, reason, needed=True):
        super().__init__(reason)
        self.needed = needed


class Case:
    def __init__(self, folder, own_network=True, force_pairs=False):
        self.bin, self.own_network, self.force_pairs = folder, own_network, force_pairs
        self.tools, self.peers_, self.origins_, self.sockets_, self.scenes_ = [], [], [], [], []
        self.tmp = tempfile.mkdtemp(prefix="e2e-")

    # --- what a test uses ---
    def port(self):
        return network.free_port()

    def tool(self, name, *arguments, **options):
        """Starts one of our programs and waits until it listens."""
        words = (["--force-pairs"] if self.force_pairs else []) + [str(word) for word in arguments]
        tool = program.Tool(self.bin, name, words, **options)
        self.tools.append(tool)
        return tool.wait_listening()

    def session(self, name, *arguments, **options):
        """One of our programs over standard input and output: program.Session, with its `stdin` and `stdout`."""
        words = (["--force-pairs"] if self.force_pairs else []) + [str(word) for word in arguments]
        session = program.Session(self.bin, name, words, **options)
        self.tools.append(session)
        return session

    def run(self, *lines, options=()):
        """tun-run with one -e a line."""
        words = list(options)
        for line in lines:
            words += ["-e", line]
        return self.tool("tun-run", *words)

    def peer(self, name, command, listens, **options):
        """Starts somebody else's program and waits until it listens."""
        peer = program.Program(name, command, listens=listens, **options)
        self.peers_.append(peer)
        return peer.wait_listening()

    def server(self, handler, port=None):
        return self.keep_origin(origin.Server(port or self.port(), handler))

    def http_origin(self, port=None, **options):
        return self.keep_origin(origin.HttpOrigin(port or self.port(), **options))

    def keep_origin(self, server):
        self.origins_.append(server)
        return server

    def connect(self, port, **options):
        sock = client.connect(port, **options)
        self.sockets_.append(sock)
        return sock

    def tunnel(self, port, authority):
        """A tunnel opened by CONNECT over HTTP/1.1, as a socket."""
        sock = self.connect(port)
        answer = client.open_tunnel(sock, authority)
        assert answer.status == 200, f"CONNECT {authority} was answered with {answer}"
        return sock

    def scene(self, force_pairs):
        """A Case inside this one, with programs of its own; the caller finishes it."""
        inner = Case(self.bin, self.own_network, force_pairs)
        self.scenes_.append(inner)
        return inner

    def write(self, name, text):
        path = os.path.join(self.tmp, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # --- teardown ---
    def finish(self):
        """Ends everything in order; what is wrong with it is an AssertionError."""
        for sock in self.sockets_:
            sock.close()
        for peer in reversed(self.peers_):
            peer.stop()
        for server in self.origins_:
            server.close()
        for server in self.origins_:
            assert not server.errors, f"at the origin on port {server.port}: {server.errors[0]!r}"
        for tool in reversed(self.tools):
            tool.stop()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def abandon(self):
        """Kills what still runs, by process id, and returns what all programs said."""
        programs = self.tools + self.peers_
        for one in programs:
            one.kill()
        shutil.rmtree(self.tmp, ignore_errors=True)
        return "\n".join([*(one.report() for one in programs), *(inner.abandon() for inner in self.scenes_)])


# --- decorators of test functions ---
def limit(seconds):
    """More (or less) time than the usual 60 s."""
    def mark(function):
        function.seconds = seconds
        return function
    return mark


def alone(function):
    """Never beside another test: it measures, or it needs both cores."""
    function.alone = True
    return function


def both_ways(function):
    """Runs as two tests: internal hops as records, and with --force-pairs."""
    function.modes = ("records", "pairs")
    return function


def needs(*what):
    """Skips the test where a peer is missing; `what` are functions of peers.py that return a reason or None."""
    def mark(function):
        @functools.wraps(function)
        def run(t):
            for check in what:
                reason = check()
                if reason:
                    raise reason if isinstance(reason, Skip) else Skip(reason)
            function(t)
        run.__dict__.update(function.__dict__)
        return run
    return mark
