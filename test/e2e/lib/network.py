# SPDX-License-Identifier: Apache-2.0
"""A network of one's own for every test, and what the kernel says about its sockets.

Every test runs in a network namespace of its own, so that fixed ports cannot clash and nothing outside can be reached. An ordinary
user gets one through a user namespace. Where neither is allowed, tests share the machine's loopback, one at a time.
"""
import ctypes
import errno
import fcntl
import itertools
import os
import socket
import struct

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
PR_SET_PDEATHSIG = 1
LISTEN, ESTABLISHED = 0x0A, 0x01
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number):
    """This process gets `signal_number` when the one that started it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def enter_own_network():
    """Moves this (single-threaded) process into a new network namespace with loopback up; False if that is not allowed."""
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(CLONE_NEWNET) != 0:
        if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            return False
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))
    return True


def own_network_possible():
    """Tries enter_own_network() in a child that ends at once."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if enter_own_network() else 1)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def tcp_rows(name):
    """Those of /proc/self/net/`name`, as they are read: (local address, local port, remote port, state). Listening sockets come first."""
    try:
        with open(f"/proc/self/net/{name}", encoding="ascii") as file:
            next(file)
            for line in file:
                field = line.split()
                host, port = field[1].split(":")
                yield host, int(port, 16), int(field[2].split(":")[1], 16), int(field[3], 16)
    except FileNotFoundError:  # no IPv6
        return


def tcp_table():
    """Rows (local address, local port, remote port, state) of this network's TCP sockets."""
    return [row for name in ("tcp", "tcp6") for row in tcp_rows(name)]


def unix_listening(path):
    """Whether a unix socket listens that was bound to `path` ("@name" for an abstract one) as it was written."""
    with open("/proc/self/net/unix", encoding="utf-8", errors="replace") as file:
        for line in file.read().splitlines()[1:]:
            field = line.split(None, 7)
            # Num RefCount Protocol Flags Type St Inode Path; the flag is __SO_ACCEPTCON
            if len(field) == 8 and field[7] == path and int(field[3], 16) & 0x10000:
                return True
    return False


def listening(port):
    """Whether somebody listens on a TCP port or, if `port` is a text, at the path of a unix socket."""
    if isinstance(port, str):
        return unix_listening(port)
    # Not the whole table: behind a load there are tens of thousands of sockets in it that wait to be forgotten.
    heads = (itertools.takewhile(lambda row: row[3] == LISTEN, tcp_rows(name)) for name in ("tcp", "tcp6"))
    return any(row[1] == port for row in itertools.chain.from_iterable(heads))


def established(port):
    """How many established connections have `port` at their own end."""
    return sum(row[1] == port and row[3] == ESTABLISHED for row in tcp_table())


def free_port():
    """A port nobody uses now; never one of the ephemeral range, whose ports a client may take at any time."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        if port in free_port.given or any(row[1] == port for row in tcp_table()):
            continue
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise
        free_port.given.add(port)
        return port
    raise OSError("no free port between 20000 and 32000")


free_port.given = set()
