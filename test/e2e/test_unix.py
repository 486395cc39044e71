# SPDX-License-Identifier: Apache-2.0
"""Unix sockets on both sides: curl and socat as peers, files with their modes, restarts, several workers."""
import hashlib
import os
import random
import signal
import socket
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

from lib import client, network, peers, wait
from lib.case import Skip, alone, both_ways, limit, needs
from lib.origin import echo, receive_bulk, send_bulk
from lib.topology import LOG, ONE, tcp

SIZE = int(os.environ.get("E2E_BULK", str(64 << 20))) // 4
NOBODY = 65534


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def sock_path(t, name):
    return os.path.join(t.tmp, name)


def refused(t, *words, status=1, prefix=()):
    """What a program that must not start says on standard error."""
    done = subprocess.run([*prefix, os.path.join(t.bin, "tcp-chain"), *map(str, words)], capture_output=True,
                          timeout=10 * wait.SCALE, check=False)
    assert done.returncode == status, f"{words} ended with status {done.returncode}: {done.stderr.decode()}"
    return done.stderr.decode()


# --- peers ---
@both_ways
@needs(peers.curl_there)
def test_a_get_of_curl_through_tunnels_over_unix_sockets(t):
    """curl --unix-socket -> tun-encap --http -> unix socket -> tun-decap -> a unix socket's origin, over both versions."""
    origin = t.http_origin(sock_path(t, "origin"), body=b"by unix\n")
    proxy = sock_path(t, "proxy")
    t.tool("tun-decap", *ONE, *LOG, "-l", f"unix:{proxy}", "--to", f"unix:{origin.port}")
    for version in ("h1", "h2c"):
        entry = sock_path(t, f"entry-{version}")
        t.tool("tun-encap", *ONE, *LOG, "-l", f"unix:{entry}", "-x", f"{version}+unix:{proxy}", "--target", "host.com:443", "--http")
        for _ in range(2):
            assert peers.curl("--unix-socket", entry, "http://host.com/") == b"by unix\n"
    assert len(origin.requests) == 4
    decap, *encaps = t.tools
    for encap in encaps:
        encap.stop()
        records = encap.access_log()
        # A client's own socket has no name: the kernel says who it is.
        assert all(record["downstream"].startswith("unix:pid=") and record["downstream"].endswith(f",uid={os.getuid()}")
                   for record in records), records
        assert {record["upstream"] for record in records} <= {f"unix:{proxy}", f"internal:{records[0]['listener']}.http"}, records
    decap.stop()
    assert {record["upstream"] for record in decap.access_log()} == {f"unix:{origin.port}"}, decap.access_log()


@needs(peers.socat_there)
def test_socat_on_both_sides_and_its_half_close(t):
    """wc answers only when its input has ended: the end passes on, and the answer comes back after it."""
    server, entry = sock_path(t, "wc"), sock_path(t, "entry")
    t.peer("socat", [peers.find("socat"), f"UNIX-LISTEN:{server},fork", "SYSTEM:wc -c"], [server])
    t.tool("tcp-chain", "-l", f"unix:{entry}", "-t", f"unix:{server}")
    sent = random.Random(1).randbytes(3 << 20)
    done = subprocess.run([peers.find("socat"), "-t", "20", "-", f"UNIX-CONNECT:{entry}"], input=sent, capture_output=True,
                          timeout=30 * wait.SCALE, check=True)
    assert done.stdout.strip() == str(len(sent)).encode(), done


@both_ways
@limit(120)
def test_bulk_both_ways_with_half_closes(t):
    """TCP to unix, unix to TCP, unix to unix, and through an internal hop: nothing is lost and ends pass on."""
    sent = {}

    def swaps(connection):
        sent["up"] = receive_bulk(connection)
        sent["down"] = send_bulk(connection, SIZE, "down")
        connection.shutdown(socket.SHUT_WR)
    by_tcp, by_unix = t.server(swaps), t.server(swaps, sock_path(t, "origin"))
    for number, (listen, dial) in enumerate([(tcp, by_unix), ("unix", by_tcp), ("unix", by_unix)]):
        to = f"unix:{dial.port}" if isinstance(dial.port, str) else tcp(dial.port)
        entry = t.port() if listen is tcp else sock_path(t, f"entry{number}")
        t.run(f"tcp-chain -l {tcp(entry) if listen is tcp else 'unix:' + entry} -t internal:mid", f"tcp-chain -l internal:mid -t {to}",
              options=ONE)
        with client.connect(entry, seconds=60) as sock:
            up = send_bulk(sock, SIZE, "up")
            sock.shutdown(socket.SHUT_WR)
            down = receive_bulk(sock)
        assert sent["up"] == (SIZE, up), to
        assert down == (SIZE, sent["down"]), to


@both_ways
def test_a_client_that_closes_is_known_at_once(t):
    """No half-close time passes: the origin, which only sends, is reset although it is TCP."""
    going = threading.Event()

    def sends(connection):
        going.set()
        while True:
            connection.sendall(b"x" * 4096)
            threading.Event().wait(0.01)
    origin, entry = t.server(sends), sock_path(t, "entry")
    t.tool("tcp-chain", "--half-close-timeout", "1h", "-l", f"unix:{entry}", "-t", tcp(origin.port))
    sock = client.connect(entry)
    assert sock.recv(1)
    sock.close()
    origin.wait_ends(1)
    assert origin.ends[0] in ("ConnectionResetError", "BrokenPipeError"), origin.ends


@both_ways
def test_a_server_that_answers_and_closes_is_no_failure(t):
    """What it sent and its end arrive whole; it does not even read the request."""
    answer = b"answer" * 10000

    def speaks(connection):
        connection.recv(1)
        connection.sendall(answer)
    origin, entry = t.server(speaks, sock_path(t, "origin")), t.port()
    t.tool("tcp-chain", *LOG, "-l", tcp(entry), "-t", f"unix:{origin.port}")
    with client.connect(entry) as sock:
        sock.sendall(b"?")
        assert client.read_to_end(sock) == (answer, "end")
    tool = t.tools[-1]
    tool.stop()
    assert [record["outcome"] for record in tool.access_log()] == ["ok"], tool.access_log()


def test_a_reset_client_leaves_the_server_no_clean_request(t):
    """A reset cannot be passed on over a unix socket, but nothing of it stays open."""
    reads = []
    origin = t.server(lambda connection: reads.append(client.read_to_end(connection)), sock_path(t, "origin"))
    entry = t.port()
    tool = t.tool("tcp-chain", *LOG, "-l", tcp(entry), "-t", f"unix:{origin.port}")
    sock = client.connect(entry)
    sock.sendall(b"half a request")
    wait.until(lambda: tool.gauges()["tunnel_connections_active"] == 1, 5, "the connection stands")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
    origin.wait_ends(1)
    assert reads[0][0] in (b"half a request", b""), reads
    tool.stop()
    assert [record["outcome"] for record in tool.access_log()] == ["downstream reset"], tool.access_log()


def test_refusals_name_the_socket(t):
    """An HTTP client learns that its tunnel's proxy cannot be reached, the log says why: no file, or one nobody listens on."""
    entry, proxy = t.port(), sock_path(t, "proxy")
    tool = t.tool("tun-encap", "-l", tcp(entry), "-x", f"h2c+unix:{proxy}", "--target", "a:1", "--http")

    def expect(reason):
        start = len(tool.err.lines)
        got = client.get(entry)
        assert got.status == 502 and "error=connection_refused" in got.field("proxy-status"), got
        assert tool.err.first(lambda line: f"connect to unix:{proxy}: {reason}" in line, start, 5), tool.report()
    expect("No such file or directory (nobody listens there)")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(proxy)
    wait.over(1.1, lambda: None)  # of lines about refusals of one kind the first of a second is written
    expect("Connection refused (the file is there, but nobody listens)")


def test_an_abstract_socket(t):
    name = f"@e2e-{os.getpid()}"
    entry = t.port()
    t.tool("tcp-chain", "-l", f"unix:{name}", "-t", "echo:")
    t.tool("tcp-chain", "-l", tcp(entry), "-t", f"unix:{name}")
    for place in (entry, name):
        with client.connect(place) as sock:
            sock.sendall(b"ping")
            assert sock.recv(4) == b"ping"
    assert "another process listens there already" in refused(t, "-l", f"unix:{name}", "-t", "echo:")


# --- files ---
def test_the_mode_is_the_one_asked_for_whatever_the_umask(t):
    for number, (umask, wanted) in enumerate([(0, None), (0o777, None), (0, "660"), (0o077, "666"), (0o022, "777")]):
        path = sock_path(t, f"s{number}")
        before = os.umask(umask)
        try:
            t.tool("tcp-chain", "-l", f"unix:{path}" + (f",mode={wanted}" if wanted else ""), "-t", "echo:")
        finally:
            os.umask(before)
        assert mode(path) == int(wanted or "600", 8), (path, oct(mode(path)))


def test_who_may_not_write_to_the_socket_does_not_get_in(t):
    if os.getuid() != 0:
        raise Skip("only root can be somebody else", needed=False)
    os.chmod(t.tmp, 0o755)
    connects = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "python3", "-c",
                "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"]
    for words, status in ((",mode=600", 1), (",mode=666", 0)):
        path = sock_path(t, f"s{status}")
        t.tool("tcp-chain", "-l", f"unix:{path}{words}", "-t", "echo:")
        assert subprocess.run([*connects, path], stderr=subprocess.DEVNULL, check=False).returncode == status, words


def test_the_file_goes_when_draining_begins_and_a_successor_takes_over(t):
    path = sock_path(t, "s")
    first = t.tool("tcp-chain", "-l", f"unix:{path}", "-t", "echo:")
    held = t.connect(path)
    held.sendall(b"a")
    assert held.recv(1) == b"a"
    first.signal(signal.SIGTERM)
    wait.until(lambda: not os.path.exists(path), 5, "the file is removed")
    assert first.running(), first.report()
    t.tool("tcp-chain", "-l", f"unix:{path}", "-t", "respond:200:second")
    held.sendall(b"b")
    assert held.recv(1) == b"b", "the first one still serves what it had"
    held.close()
    assert first.wait_exit() == 0, first.report()
    assert client.get(path).body == b"second\n", "the file of the second is not removed by the first"


def test_the_file_goes_with_a_second_signal_too(t):
    path = sock_path(t, "s")
    tool = t.tool("tcp-chain", "-l", f"unix:{path}", "-t", "echo:")
    held = t.connect(path)
    held.sendall(b"a")
    assert held.recv(1) == b"a"
    wait.until(lambda: not tool.running() or tool.signal(signal.SIGTERM), 3, "it ends at the second signal", every=0.1)
    assert tool.wait_exit() == 0 and not os.path.exists(path), tool.report()


def test_a_file_left_by_a_kill_is_replaced(t):
    path = sock_path(t, "s")
    for _ in range(3):
        tool = t.tool("tcp-chain", "-l", f"unix:{path}", "-t", "echo:")
        with client.connect(path) as sock:
            sock.sendall(b"ping")
            assert sock.recv(4) == b"ping"
        tool.kill()
        t.tools.remove(tool)
        assert os.path.exists(path), "SIGKILL leaves it"
    t.tool("tcp-chain", "-l", f"unix:{path}", "-t", "echo:")


def test_a_live_socket_is_refused_and_goes_on(t):
    path = sock_path(t, "s")
    first = t.tool("tcp-chain", "-l", f"unix:{path}", "-t", "echo:")
    said = refused(t, "-l", f"unix:{path}", "-t", "echo:")
    assert f"tcp-chain-s: cannot listen on unix:{path}: process {first.pid} listens there already; stop it or choose another path" in said, said
    # The same in one process is seen before anything is bound.
    said = refused(t, "-l", f"unix:{path}2", "-l", f"unix:{t.tmp}/./s2", "-t", "echo:", status=78)
    assert "is listened on twice" in said and not os.path.exists(path + "2"), said
    with client.connect(path) as sock:
        sock.sendall(b"ping")
        assert sock.recv(4) == b"ping"


def test_what_is_no_socket_is_never_removed(t):
    file = t.write("file", "precious")
    assert "the file there is no socket; remove it or choose another path" in refused(t, "-l", f"unix:{file}", "-t", "echo:")
    with open(file, encoding="ascii") as kept:
        assert kept.read() == "precious"
    link = sock_path(t, "link")
    os.symlink("nowhere", link)
    assert "no socket" in refused(t, "-l", f"unix:{link}", "-t", "echo:")
    assert os.readlink(link) == "nowhere"


def test_files_that_cannot_be_made(t):
    """Refused with a remedy; what the same command had bound before is gone again."""
    bound = sock_path(t, "bound")

    def tries(path, expected, prefix=()):
        said = refused(t, "-l", f"unix:{bound}", "-l", f"unix:{path}", "-t", "echo:", prefix=prefix)
        assert expected in said, said
        assert not os.path.exists(bound), "a start that failed leaves its socket file"
    tries(sock_path(t, "no/s"), "No such file or directory; create its directory first")
    tries("/proc/s", "; create its directory first")
    closed = sock_path(t, "closed")
    os.mkdir(closed, 0o555)
    os.chmod(t.tmp, 0o777)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
    tries(f"{closed}/s", "Permission denied; choose a directory this user may write to", as_nobody)
    said = refused(t, "-l", f"unix:{'x' * 108}", "-t", "echo:", status=64)
    assert "a unix socket's at most 107" in said, said


def test_a_full_disk_is_told(t):
    """A file system without a free inode; in a mount namespace of its own."""
    script = f"mount -t tmpfs -o nr_inodes=1 none {t.tmp} && exec {t.bin}/tcp-chain -l unix:{t.tmp}/s -t echo:"
    done = subprocess.run(["unshare", "--mount", "--map-root-user", "--user", "sh", "-c", script], capture_output=True, timeout=20, check=False)
    said = done.stderr.decode()
    if "listen" not in said:
        raise Skip(f"no mount namespace here: {said.strip()}", needed=False)
    assert done.returncode == 1 and "No space left on device" in said, said


# --- workers ---
def watched_by_workers(tool):
    """How many connected sockets each epoll set of the process watches: one set a worker."""
    folder, counts = f"/proc/{tool.pid}", []
    sockets = set()
    for fd in os.listdir(f"{folder}/fd"):
        try:
            if os.readlink(f"{folder}/fd/{fd}").startswith("socket:"):
                sockets.add(fd)
        except FileNotFoundError:
            pass
    for fd in os.listdir(f"{folder}/fd"):
        try:
            if os.readlink(f"{folder}/fd/{fd}") != "anon_inode:[eventpoll]":
                continue
            with open(f"{folder}/fdinfo/{fd}", encoding="ascii") as file:
                watched = {line.split()[1] for line in file if line.startswith("tfd:")}
        except FileNotFoundError:
            continue
        counts.append(len(watched & sockets))
    return sorted(counts, reverse=True)


def test_few_long_connections_are_spread_over_the_workers(t):
    path = sock_path(t, "s")
    tool = t.tool("tcp-chain", "--workers", "4", "-l", f"unix:{path}", "-t", "echo:")
    socks = [t.connect(path) for _ in range(8)]
    for number, sock in enumerate(socks):
        sock.sendall(bytes([number]))
        assert sock.recv(1) == bytes([number])
    # One of the sets also watches the listener, and that of the main thread nothing of this.
    busy = watched_by_workers(tool)
    assert busy[:4] == [3, 2, 2, 2] and not any(busy[4:]), busy


@alone
def test_draining_loses_no_connection_that_was_made(t):
    """Connections in the kernel's queue and on their way from worker to worker when SIGTERM comes are all served."""
    for number in range(5):
        path = sock_path(t, f"s{number}")
        tool = t.tool("tcp-chain", "--workers", "3", "-l", f"unix:{path}", "-t", "echo:")
        tool.signal(signal.SIGSTOP)  # they pile up in the kernel
        socks = [client.connect(path) for _ in range(200)]
        for sock in socks:
            sock.sendall(b"ping")
        tool.signal(signal.SIGTERM)
        tool.signal(signal.SIGCONT)
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda sock: sock.recv(4), socks))
        assert answers == [b"ping"] * 200, answers.count(b"ping")
        for sock in socks:
            sock.close()
        assert tool.wait_exit() == 0, tool.report()


@limit(120)
def test_many_short_connections_over_several_workers(t):
    """Connections come and go through the hand-over while others last; every byte is right and nothing is left."""
    path, entry = sock_path(t, "s"), sock_path(t, "entry")
    t.server(echo, sock_path(t, "origin"))
    t.tool("tcp-chain", "--workers", "3", "-l", f"unix:{path}", "-t", f"unix:{t.tmp}/origin")
    t.tool("tcp-chain", "--workers", "3", "-l", f"unix:{entry}", "-t", f"unix:{path}")

    def one(number):
        sent = random.Random(number).randbytes(1 + number % 5000)
        with client.connect(entry) as sock:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            return hashlib.sha256(sent).digest() == hashlib.sha256(client.read_to_end(sock)[0]).digest()
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(1500)))
