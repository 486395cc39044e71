# SPDX-License-Identifier: Apache-2.0
"""Sockets handed over: fd:N, systemd:NAME by systemd-socket-activate and by the protocol itself, and sd_notify."""
import os
import signal
import socket
import subprocess
import sys

from lib import client, network, peers, wait
from lib.case import limit, needs
from lib.program import Tool
from lib.topology import tcp

# Becomes the program with the sockets at 3, 4, ... and the variables of sd_listen_fds(3): the process id stays.
LAUNCHER = """
import os, sys
names, fds, words = sys.argv[1], [int(fd) for fd in sys.argv[2].split(",")], sys.argv[3:]
for number, fd in enumerate(fds):
    os.dup2(fd, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))
if names:
    os.environ["LISTEN_FDNAMES"] = names
os.execv(words[0], words)
"""


def listening_socket(address="127.0.0.1", path=None):
    sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    sock.bind(path or (address, 0))
    sock.listen(16)
    return sock


def echoes(place):
    with client.connect(place) as sock:
        sock.sendall(b"ping")
        assert sock.recv(4) == b"ping"


def handed(t, name, words, sockets):
    """The program with `sockets` at the numbers they have here."""
    tool = Tool(t.bin, name, words, pass_fds=[sock.fileno() for sock in sockets])
    t.tools.append(tool)
    return tool


def activated(t, names, sockets, *words, name="tcp-chain"):
    """The program started as systemd would; the sockets come from numbers above those they are moved to."""
    moved = [socket.socket(fileno=os.dup2(sock.fileno(), 100 + number)) for number, sock in enumerate(sockets)]
    fds = [sock.fileno() for sock in moved]
    tool = Tool(t.bin, name, words, prefix=[sys.executable, "-c", LAUNCHER, names, ",".join(map(str, fds))], pass_fds=fds)
    t.tools.append(tool)
    for sock in moved:
        sock.close()
    return tool


def fails(t, tool):
    """Its sentence, when it must not start."""
    if tool in t.tools:
        t.tools.remove(tool)
    assert tool.wait_exit() == 1, tool.report()
    return "\n".join(tool.err.all())


def test_an_inherited_tcp_socket_is_served_by_all_workers(t):
    with listening_socket() as sock:
        port = sock.getsockname()[1]
        tool = handed(t, "tcp-chain", ["--workers", "3", "-l", f"fd:{sock.fileno()}", "-t", "echo:"], [sock])
    held = [t.connect(port) for _ in range(6)]
    for one in held:
        one.sendall(b"ping")
        assert one.recv(4) == b"ping"
    assert tool.gauges()["tunnel_connections_active"] == 6
    # SO_LINGER is ours now: the death of the process resets, and fakes no end.
    tool.kill()
    assert not network.listening(port)
    t.tools.remove(tool)
    ends = [client.read_to_end(one)[1] for one in held]
    assert ends == ["reset"] * 6, ends


def test_an_inherited_unix_socket_keeps_its_file(t):
    path = os.path.join(t.tmp, "s")
    with listening_socket(path=path) as sock:
        tool = handed(t, "tcp-chain", ["-l", f"fd:{sock.fileno()}", "-t", "echo:"], [sock])
        echoes(path)
        tool.stop()
    assert os.path.exists(path), "it is whose who made it"


def test_standard_input_as_a_listening_socket(t):
    """inetd's "wait" style."""
    with listening_socket() as sock:
        port = sock.getsockname()[1]
        t.tools.append(Tool(t.bin, "tcp-chain", ["-l", "fd:0", "-t", "echo:"], stdin=sock))
    echoes(port)


def test_a_proxy_is_not_handed_beyond_loopback(t):
    with listening_socket("0.0.0.0") as sock:
        words = ["-l", f"fd:{sock.fileno()}", "--allow", "127.0.0.1:1"]
        said = fails(t, handed(t, "tun-decap", words, [sock]))
        assert "is bound to 0.0.0.0:" in said and "--insecure-open" in said, said
        port = sock.getsockname()[1]
        handed(t, "tun-decap", [*words, "--insecure-open"], [sock])
        assert client.get(port).status == 405


def test_what_is_no_listening_socket_is_refused(t):
    pair = socket.socketpair()
    with open(os.devnull, "rb") as null, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, pair[0], pair[1]:
        for sock, expected in ((null, "is no socket"), (datagrams, "neither a TCP nor a unix stream socket"), (pair[0], "does not listen")):
            said = fails(t, handed(t, "tcp-chain", ["-l", f"fd:{sock.fileno()}", "-t", "echo:"], [sock]))
            assert f"cannot listen on fd:{sock.fileno()}" in said and expected in said, said
    # Also not one of our own sockets, which a number might hit by chance.
    for number in range(3, 20):
        said = fails(t, Tool(t.bin, "tcp-chain", ["-l", tcp(t.port()), "-l", f"fd:{number}", "-t", "echo:"]))
        assert f"cannot listen on fd:{number}" in said, said


def test_systemd_names(t):
    """All sockets of a name go to the line of that name, whatever their kind."""
    path = os.path.join(t.tmp, "s")
    with listening_socket() as first, listening_socket() as admin, listening_socket(path=path) as second:
        ports = [sock.getsockname()[1] for sock in (first, admin)]
        activated(t, "web:admin:web", [first, admin, second], "-e", "tcp-chain -l systemd:web -t echo:",
                  "-e", "tcp-chain -l systemd:admin -t respond:200:admin", name="tun-run")
    echoes(ports[0])
    echoes(path)
    assert client.get(ports[1]).body == b"admin\n"


def test_a_missing_systemd_name_is_refused_with_those_there_are(t):
    with listening_socket() as sock:
        said = fails(t, activated(t, "web", [sock], "-l", "systemd:wbe", "-t", "echo:"))
        assert "tcp-chain-wbe: cannot listen on systemd:wbe: systemd passed no socket of that name, only 'web'" in said, said
        said = fails(t, activated(t, "", [sock], "-l", "systemd:web", "-t", "echo:"))
        assert "only 'unknown'" in said, said
    said = fails(t, Tool(t.bin, "tcp-chain", ["-l", "systemd:web", "-t", "echo:"]))
    assert "systemd passed no sockets to this process" in said, said


def test_variables_of_another_process_are_not_believed(t):
    with listening_socket() as sock:
        tool = Tool(t.bin, "tcp-chain", ["-l", "systemd:web", "-t", "echo:"], pass_fds=[sock.fileno()],
                    env={"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"})
        assert "systemd passed no sockets to this process" in fails(t, tool)


@limit(90)
@needs(peers.socket_activate_there)
def test_systemd_socket_activate(t):
    """The real thing: the program starts with the first connection, which is served, and goes on after a restart."""
    port, path = t.port(), os.path.join(t.tmp, "s")
    started = [peers.find("systemd-socket-activate"), "-l", tcp(port), "-l", path, "--fdname=web:web",
               os.path.join(t.bin, "tcp-chain"), "--workers", "2", "-l", "systemd:web", "-t", "echo:"]
    t.peer("systemd-socket-activate", started, [port, path])
    echoes(port)
    echoes(path)


def test_the_service_manager_is_told(t):
    """READY=1 when it serves, not before; STOPPING=1 when draining begins; one datagram each."""
    for place in (os.path.join(t.tmp, "notify"), f"@notify-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(place.replace("@", "\0"))
            manager.settimeout(10 * wait.SCALE)
            port = t.port()
            tool = Tool(t.bin, "tcp-chain", ["-l", tcp(port), "-t", "echo:"], env={"NOTIFY_SOCKET": place})
            t.tools.append(tool)
            assert manager.recv(1000) == b"READY=1"
            held = client.connect(port)
            held.sendall(b"a")
            assert held.recv(1) == b"a"
            tool.signal(signal.SIGTERM)
            assert manager.recv(1000) == b"STOPPING=1"
            assert tool.running()
            held.close()
            assert tool.wait_exit() == 0
            t.tools.remove(tool)


def test_a_service_manager_that_is_gone_is_one_warning(t):
    port = t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:", env={"NOTIFY_SOCKET": os.path.join(t.tmp, "gone")})
    echoes(port)
    tool.counters()  # what was said before has arrived by then
    assert sum("NOTIFY_SOCKET" in line for line in tool.err.lines) == 1, tool.report()
