# SPDX-License-Identifier: Apache-2.0
"""ssh and scp over -l -, with a real sshd behind tun-decap: what the option is for."""
import hashlib
import os
import pty
import shlex
import subprocess
import termios

from lib import peers, topology, wait
from lib.case import limit, needs
from lib.ssh import Server
from lib.topology import tcp

BULK = int(os.environ.get("E2E_BULK", 64 << 20))
there = needs(peers.ssh_there, peers.sshd_there)


def command(t, proxy, *more):
    return shlex.join([os.path.join(t.bin, "tun-encap"), "-l", "-", "-x", proxy, "--target", "%h:%p", *more])


def proxies(t, target):
    port = topology.decap(t, target)
    return [f"{version}:{tcp(port)}" for version in ("h1", "h2c")]


def run(*words, seconds=30, **options):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds * wait.SCALE, check=False,
                          env={**os.environ, "PATH": peers.SYSTEM_PATH}, **options)


@there
def test_a_remote_command(t):
    """Its output and its exit status come through, and nobody says anything else."""
    sshd = Server(t)
    for proxy in proxies(t, sshd.port):
        done = run("ssh", *sshd.options(command(t, proxy)), "127.0.0.1", "echo out; echo err >&2; exit 7")
        assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n"), done


@there
@limit(240)
def test_scp(t):
    """The same bytes arrive, each way."""
    sshd = Server(t)
    source, far, back = (os.path.join(t.tmp, name) for name in ("source", "there", "back"))
    digest = hashlib.sha256()
    with open(source, "wb") as file:
        for _ in range(BULK >> 20):
            piece = os.urandom(1 << 20)
            digest.update(piece)
            file.write(piece)
    up, down = proxies(t, sshd.port)
    for proxy, words in ((up, (source, f"127.0.0.1:{far}")), (down, (f"127.0.0.1:{far}", back))):
        done = run("scp", "-q", *sshd.options(command(t, proxy)), *words, seconds=100)
        assert (done.returncode, done.stderr) == (0, b""), done
    with open(back, "rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == digest.digest()


@there
def test_a_login(t):
    """An interactive shell in a terminal, which is left as it was."""
    sshd = Server(t)
    for proxy in proxies(t, sshd.port):
        user, terminal = pty.openpty()
        before = termios.tcgetattr(terminal)
        words = ["ssh", "-tt", *sshd.options(command(t, proxy)), "127.0.0.1", "exec sh -i"]
        client = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                                  env={**os.environ, "PATH": peers.SYSTEM_PATH, "TERM": "dumb"})
        seen = b""
        os.write(user, b"echo $((6 * 7)) $(tty)\nexit 3\n")
        while b"42 /dev/pts/" not in seen:
            piece = os.read(user, 4096)
            assert piece, seen
            seen += piece
        assert client.wait(20 * wait.SCALE) == 3, seen
        assert termios.tcgetattr(terminal) == before
        os.close(user)
        os.close(terminal)


@there
def test_refused(t):
    """ssh fails, and the tool's own sentence stands beside ssh's; by itself the tool's status tells why."""
    nobody = t.port()
    sshd = Server(t)
    cases = [(77, "answered 403", f"127.0.0.1:{sshd.port + 1}"), (69, "answered 502", tcp(nobody))]
    for proxy in proxies(t, nobody):
        for status, why, target in cases:
            line = [os.path.join(t.bin, "tun-encap"), "-l", "-", "-x", proxy, "--target", target]
            for _ in range(5):  # ssh hangs up as soon as it sees the end: the sentence stands there before
                done = run("ssh", *sshd.options(shlex.join(line)), "127.0.0.1", "true")
                assert done.returncode == 255 and why in done.stderr.decode(), done
            done = run(*line)
            assert done.returncode == status and done.stdout == b"" and len(done.stderr.splitlines()) == 1, done


@there
def test_an_address_of_ipv6(t):
    """ssh's %h:%p has no brackets; what is asked for has."""
    sshd = Server(t)
    port = t.port()
    t.tool("tun-decap", "-l", tcp(port), "--to", tcp(sshd.port))
    done = run("ssh", *sshd.options(command(t, f"h2c:{tcp(port)}")), "2001:db8::1", "echo reached")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"reached\n", b""), done
