# SPDX-License-Identifier: Apache-2.0
"""Ten mebibytes through whatever stands behind an entry, compared by their SHA-256."""
import hashlib
import random
import socket
import threading

from . import client
from .origin import receive_bulk, send_bulk

BIG = 10 << 20


def big_body():
    return random.Random(42).randbytes(BIG)


def check_get(entry, body, **options):
    answer = client.get(entry, **options)
    assert answer.status == 200, answer
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest(), f"{len(answer.body)} bytes of {len(body)}"


def check_bytes_both_ways(t, entry):
    """BIG bytes up and back through an echoing origin; the client's end arrives there, and the origin's end comes back."""
    sock, sent = t.connect(entry, seconds=60), {}

    def upload():
        sent["digest"] = send_bulk(sock, BIG, "peer")
        sock.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    received = receive_bulk(sock)
    thread.join()
    assert received == (BIG, sent["digest"]), f"{received[0]} of {BIG} bytes came back"
