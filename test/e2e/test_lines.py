# SPDX-License-Identifier: Apache-2.0
"""Each line of the command line's manual, in its clear form, by itself, under tun-run and as --as-shell: the same bytes and closes.

And pipelines of several lines, under tun-run and as processes linked by unix sockets."""
import hashlib
import os
import random
import shlex
import signal
import socket
import subprocess

from lib import client, network, origin, peers, program, wait
from lib.case import needs
from lib.topology import ONE, tcp
from lib.wait import SCALE

GREETING = random.Random(1).randbytes(50_000)
UPLOAD = random.Random(2).randbytes(60_000)


class Target:
    """An origin that does what the first byte asks for; `heard` is what it was sent in the end."""

    def __init__(self, t):
        self.heard = []
        self.port = t.server(self.talk).port

    def talk(self, connection):
        command = connection.recv(1)
        if command == b"E":  # echo
            origin.echo(connection)
        elif command == b"G":  # a greeting, and the end
            connection.sendall(GREETING)
        elif command == b"H":  # ends its own side first
            connection.sendall(b"over to you")
            connection.shutdown(1)
            self.heard.append(client.read_to_end(connection))
        elif command == b"R":
            origin.reset(connection)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def observe_bytes(target, connect):
    """What a client of an opaque line sees, with each way to end; `connect` gives a connection that leads to `target`."""
    seen = []
    for command, more in ((b"E", UPLOAD), (b"G", b""), (b"R", b"")):
        with connect() as sock:
            sock.sendall(command + more)
            if command == b"E":
                sock.shutdown(1)
            data, end = client.read_to_end(sock)
            seen.append((command, len(data), digest(data), end))
    with connect() as sock:
        sock.sendall(b"H")
        begun = client.read_to_end(sock)
        sock.sendall(UPLOAD)
        sock.shutdown(1)
        seen.append((b"H", begun))
    wait.until(lambda: target.heard, 10, "the origin heard the end of the upload")
    heard, end = target.heard.pop()
    seen.append((len(heard), digest(heard), end))
    return seen


def expected_bytes(over_unix_sockets=False):
    """A unix socket tells no reset from an end (the kernel has none for it), so neither do lines that are linked by them."""
    reset = "end" if over_unix_sockets else "reset"
    return [(b"E", len(UPLOAD), digest(UPLOAD), "end"), (b"G", len(GREETING), digest(GREETING), "end"), (b"R", 0, digest(b""), reset),
            (b"H", (b"over to you", "end")), (len(UPLOAD), digest(UPLOAD), "end")]


# --- three ways to run lines ---
def by_themselves(t, lines, options, ports):
    for line in reversed(lines):
        name, *words = shlex.split(line)
        t.tool(name, *words, *options, listens=ports)
    return t.finish


def under_tun_run(t, lines, options, ports):
    words = [word for line in lines for word in ("-e", line)]
    t.tool("tun-run", *words, *options, listens=ports)
    return t.finish


def script_of(t, lines, options):
    words = [word for line in lines for word in ("-e", line)]
    done = subprocess.run([os.path.join(t.bin, "tun-run"), *words, *options, "--as-shell"], capture_output=True, timeout=20 * SCALE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return t.write("lines.sh", done.stdout.decode())


def start_script(t, file, ports, shell="sh"):
    """The script, once it listens, and the folder its sockets are in."""
    folder = os.path.join(t.tmp, "sockets")
    os.mkdir(folder)
    path = f"{t.bin}:{program.SYSTEM_PATH}"
    started = program.Program("sh", [shell, file], listens=ports, env={"PATH": path, "TMPDIR": folder})
    try:
        return started.wait_listening(), folder
    except BaseException:
        started.stop()
        raise


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]


def as_shell(t, lines, options, ports):
    script, folder = start_script(t, script_of(t, lines, options), ports)

    def stop():
        below = children(script.pid)
        script.signal(signal.SIGTERM)
        status = script.wait_exit(20)
        assert status == 0, f"the script ended with status {status}\n{script.report()}"
        assert not os.listdir(folder), "it left a folder behind"
        assert not [pid for pid in below if os.path.exists(f"/proc/{pid}")], "it left a process behind"
        t.finish()
    return lambda: guarded(script, stop)


def guarded(script, stop):
    try:
        stop()
    finally:
        script.stop()


def every_way(t, lines, ports, observe, options=(), link=False):
    """Runs `lines` in every way; returns what observe() saw. `link`: they lead to each other, so none can be alone."""
    seen = []
    for way in (under_tun_run, as_shell) if link else (by_themselves, under_tun_run, as_shell):
        scene = t.scene(t.force_pairs)
        stop = way(scene, lines, (*ONE, *options), ports)
        try:
            seen.append(observe())
        finally:
            stop()
    return seen


def expect_bytes(t, lines, port, target, connect=None, link=False, options=()):
    seen = every_way(t, lines, [port], lambda: observe_bytes(target, connect or (lambda: client.connect(port))), options, link)
    for number, one in enumerate(seen):
        expected = expected_bytes(over_unix_sockets=link and number == len(seen) - 1)
        assert one == expected, f"{lines}, way {number}\n{one}\ninstead of\n{expected}"


def through_connect(port, target):
    def connect():
        sock = client.connect(port)
        answer = client.open_tunnel(sock, tcp(target.port))
        assert answer.status == 200, answer
        return sock
    return connect


# --- the lines of the manual ---
def test_line_1_a_relay(t):
    target, port = Target(t), t.port()
    expect_bytes(t, [f"tcp-chain -l {port} -t 127.0.0.1:{target.port}"], port, target)


def test_line_2_two_relays_in_a_row(t):
    target, port = Target(t), t.port()
    expect_bytes(t, [f"tcp-chain -l {port} -t internal:mid", f"tcp-chain -l internal:mid -t 127.0.0.1:{target.port}"], port, target, link=True)


@needs(peers.curl_there)
def test_line_3_a_get_inside_of_an_h2_connect(t):
    far, port = t.port(), t.port()
    t.tool("tun-decap", *ONE, "-l", far, "--to", "respond:200:Hello, world!")
    seen = every_way(t, [f"tun-encap -l {port} -x h2c:127.0.0.1:{far} --target host.com:443 --http"], [port],
                     lambda: peers.curl("-w", " %{http_code}", f"http://127.0.0.1:{port}/"))
    assert seen == [b"Hello, world!\n 200"] * 3, seen


@needs(peers.curl_there)
def test_line_4_connect_ends_and_is_answered(t):
    port = t.port()
    seen = every_way(t, [f"tun-decap -l {port} --to 'respond:200:Hello, world!'"], [port],
                     lambda: peers.curl("-p", "-x", f"http://127.0.0.1:{port}", "http://host.com/"))
    assert seen == [b"Hello, world!\n"] * 3, seen


def test_line_6_any_tcp_in_an_h2_connect(t):
    target, far, port = Target(t), t.port(), t.port()
    t.tool("tun-decap", *ONE, "-l", far, "--allow", tcp(target.port))
    expect_bytes(t, [f"tun-encap -l {port} -x h2c:127.0.0.1:{far},conns=4,prewarm=2 --target 127.0.0.1:{target.port}"], port, target)


def test_line_7_a_decap_for_every_interface(t):
    target, port = Target(t), t.port()
    expect_bytes(t, [f"tun-decap -l '*:{port}' --insecure-open --allow 127.0.0.1:{target.port} --allow 10.2.0.0/16:443"], port, target,
                 through_connect(port, target))


def test_line_8_two_hops(t):
    target, first, second, port = Target(t), t.port(), t.port(), t.port()
    t.tool("tun-decap", *ONE, "-l", first, "--allow", tcp(second))
    t.tool("tun-decap", *ONE, "-l", second, "--allow", tcp(target.port))
    line = f"tun-encap -l {port} -x h1:127.0.0.1:{first} -x h2c:127.0.0.1:{second} --target 127.0.0.1:{target.port}"
    expect_bytes(t, [line], port, target)


def test_line_9_a_unix_socket_in_front_of_two(t):
    target, other = Target(t), Target(t)
    path = os.path.join(t.tmp, "app.sock")

    def observe():
        modes.append(os.stat(path).st_mode & 0o777)
        seen = []
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(20 * SCALE)
                sock.connect(path)
                sock.sendall(b"E" + UPLOAD)
                sock.shutdown(1)
                seen.append(client.read_to_end(sock) == (UPLOAD, "end"))
        return seen

    modes = []
    line = f"tcp-chain -l unix:{path},mode=660 -t tcp:127.0.0.1:{target.port} -t tcp:127.0.0.1:{other.port} --lb least --idle-timeout 1h"
    name, *words = shlex.split(line)
    for command in ([os.path.join(t.bin, name), *words, *ONE], [os.path.join(t.bin, "tun-run"), "-e", line, *ONE], ["sh", script_of(t, [line], ONE)]):
        started = program.Program(name, command, env={"PATH": f"{t.bin}:{program.SYSTEM_PATH}"})
        try:
            wait.until(lambda: os.path.exists(path), 15, lambda one=started: one.report())
            assert observe() == [True, True]
            started.signal(signal.SIGTERM)
            assert started.wait_exit(20) == 0, started.report()
            assert not os.path.exists(path)
        finally:
            started.stop()
    assert modes == [0o660] * 3, modes


def through_stdio(t, command):
    """Status and output of a command whose standard input is the client's side of an echo."""
    done = subprocess.run(command, input=b"E" + UPLOAD, capture_output=True, timeout=30 * SCALE, check=False,
                          env={"PATH": f"{t.bin}:{program.SYSTEM_PATH}", "TMPDIR": t.tmp})
    return done.returncode, done.stdout, done.stderr.decode()


def test_line_5_standard_input_through_a_proxy(t):
    target, far = Target(t), t.port()
    t.tool("tun-decap", *ONE, "-l", far, "--allow", tcp(target.port))
    line = f"tun-encap -l - -x h1:127.0.0.1:{far} --target 127.0.0.1:{target.port}"
    # By itself, together, as one command, and as two processes of which the first has the script's standard input.
    linked = ["tcp-chain -l - -t internal:encap", line.replace("-l -", "-l internal:encap")]
    for command in (["tun-encap", *shlex.split(line)[1:]], ["tun-run", "-e", line], ["sh", script_of(t, [line], ())],
                    ["tun-run", "-e", linked[0], "-e", linked[1]], ["sh", script_of(t, linked, ())]):
        if command[0] != "sh":
            command[0] = os.path.join(t.bin, command[0])
        status, out, err = through_stdio(t, command)
        assert (status, digest(out)) == (0, digest(UPLOAD)), (command, status, len(out), err)
    assert not [name for name in os.listdir(t.tmp) if name.startswith("tun-run.")]


def test_line_10_a_small_closed_forward_proxy(t):
    target, port = Target(t), t.port()
    expect_bytes(t, [f"tun-decap -l {port} --allow 127.0.0.1:{target.port} --access-log -"], port, target, through_connect(port, target),
                 options=("--log-format", "json"))


# --- pipelines ---
def test_a_pipeline_file_of_the_manual(t):
    """edge.tun: a relay to an internal listener that wraps what comes in an h2 CONNECT."""
    target, far, port = Target(t), t.port(), t.port()
    t.tool("tun-decap", *ONE, "-l", far, "--allow", tcp(target.port))
    expect_bytes(t, [f"tcp-chain -l {port} -t internal:encap --name ingress",
                     f"tun-encap -l internal:encap -x h2c:127.0.0.1:{far},conns=2,prewarm=1 --target 127.0.0.1:{target.port}"], port, target, link=True)


def test_a_proxy_inside(t):
    """Four lines, each kind of address that can be internal: -l, -t, --to and -x."""
    target, port = Target(t), t.port()
    expect_bytes(t, [f"tcp-chain -l {port} -t internal:encap", f"tun-encap -l internal:encap -x h1+internal:proxy --target 127.0.0.1:{target.port}",
                     "tun-decap -l internal:proxy --to internal:end", f"tcp-chain -l internal:end -t 127.0.0.1:{target.port}"],
                 port, target, link=True)


# --- the script itself ---
def test_a_script_ends_with_the_status_of_what_failed(t):
    busy, port = t.server(lambda connection: None).port, t.port()
    lines = ["tcp-chain -l internal:mid -t echo:", f"tcp-chain -l {port} -t internal:mid", f"tcp-chain -l 127.0.0.1:{busy} -t internal:mid"]
    folder = os.path.join(t.tmp, "sockets")
    os.mkdir(folder)
    done = subprocess.run(["sh", script_of(t, lines, ONE)], capture_output=True, timeout=30 * SCALE, check=False,
                          env={"PATH": f"{t.bin}:{program.SYSTEM_PATH}", "TMPDIR": folder})
    assert done.returncode == 1 and str(busy) in done.stderr.decode(), (done.returncode, done.stderr.decode())
    assert not os.listdir(folder) and not network.listening(port)


def test_a_script_is_one_of_every_shell(t):
    port = t.port()
    lines = [f"tcp-chain -l {port} -t internal:mid", "tcp-chain -l internal:mid -t 'respond:200:it'\\''s $HOME'"]
    file = script_of(t, lines, ONE)
    for shell in ("dash", "bash"):
        scene = t.scene(t.force_pairs)
        script, folder = start_script(scene, file, [port], shell)
        try:
            assert client.get(port).body == b"it's $HOME\n"
            assert [entry.stat().st_mode & 0o777 for entry in os.scandir(folder)] == [0o700], "others could enter the folder"
            script.signal(signal.SIGINT)
            assert script.wait_exit(20) == 0, script.report()
            assert not os.listdir(folder)
        finally:
            script.stop()
        scene.finish()
