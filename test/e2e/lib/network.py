# SPDX-License-Identifier: Apache-2.0
"""A network of one's own for every test, and what the kernel says about its sockets.

Every test runs in a network namespace of its own, so that fixed ports cannot clash and nothing outside can be reached. An ordinary
user gets one through a user namespace. Where neither is allowed, tests share the machine's loopback, one at a time.
"""
import ctypes
import errno
import fcntl
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


def tcp_table():
    """Rows (local address, local port, remote port, state) of this network's TCP sockets."""
    rows = []
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{name}", encoding="ascii") as file:
                lines = file.read().splitlines()[1:]
        except FileNotFoundError:  # no IPv6
            continue
        for line in lines:
            field = line.split()
            host, port = field[1].split(":")
            rows.append((host, int(port, 16), int(field[2].split(":")[1], 16), int(field[3], 16)))
    return rows


def listening(port):
    return any(row[1] == port and row[3] == LISTEN for row in tcp_table())


def established(port):
    """How many established connections have `port` at their own end."""
    return sum(row[1] == port and row[3] == ESTABLISHED for row in tcp_table())


def free_port():
    """A port nobody uses now; never one of the ephemeral range, whose ports a client may take at any time."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        if any(row[1] == port for row in tcp_table()) or port in free_port.given:
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
