# SPDX-License-Identifier: Apache-2.0
"""What the programs refuse, in one sentence with a remedy, and the exit status of it."""
import os
import subprocess

from lib import client
from lib.topology import tcp
from lib.wait import SCALE

PROGRAMS = ("tun-encap", "tun-decap", "tcp-chain", "tun-run")


def run(t, *words):
    done = subprocess.run([os.path.join(t.bin, words[0]), *(str(word) for word in words[1:])], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=10 * SCALE, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def refused(t, statuses, words, *parts):
    status, out, err = run(t, *words)
    assert status in statuses, f"{words}: status {status} instead of one of {statuses}\n{out}{err}"
    assert not out and err.strip(), f"{words}: errors belong on stderr\n{out}"
    for part in parts:
        assert part in err, f"{words}: no {part!r} in {err!r}"


def test_help_and_version(t):
    for program in PROGRAMS:
        status, out, err = run(t, program, "--help")
        assert (status, err) == (0, ""), (program, status, err)
        assert out.lower().index("example") < out.index("--access-log" if program != "tun-run" else "--check"), f"{program}: examples first"
        status, out, err = run(t, program, "--version")
        assert (status, err) == (0, "") and all(name in out for name in ("Boost", "nghttp2", "OpenSSL")), (program, out)


def test_usage(t):
    port = t.port()
    refused(t, (64,), ("tcp-chain",))
    refused(t, (64,), ("tcp-chain", "-l", port))
    refused(t, (64,), ("tcp-chain", "-l", port, "-t", "echo:", "--acess-log", "-"), "--acess-log", "--access-log")
    refused(t, (64,), ("tun-decap", "-l", port), "--to", "--allow")
    refused(t, (64,), ("tun-encap", "-l", port, "-x", "h2c:127.0.0.1:1"), "--target")
    refused(t, (64,), ("tun-encap", "-l", port, "-x", "h9:127.0.0.1:1", "--target", "a:1"), "h9")
    refused(t, (64, 78), ("tcp-chain", "-l", port, "-t", "echo:", "--limit", "nothing=1"), "nothing")
    refused(t, (64, 78), ("tun-run", "-e", f"tcp-chain --workers 2 -l {port} -t echo:"), "tun-run")


def test_what_is_not_there_yet_is_unknown(t):
    port = t.port()
    for words in (("tun-decap", "-l", port, "--to", "echo:", "--tls", "cert=a,key=b"),
                  ("tun-decap", "-l", port, "--to", "echo:", "--auth-file", "a"),
                  ("tcp-chain", "-l", port, "-t", "tls:a:1"),
                  ("tun-encap", "-l", port, "-x", "https:a:1", "--target", "a:1"), ("tun-run", "--envoy-compat", "-e", "tcp-chain -l 1 -t a:1")):
        refused(t, (64,), words)


def test_beyond_loopback_only_when_said(t):
    port = t.port()
    refused(t, (64, 78), ("tun-decap", "-l", f"*:{port}", "--allow", "10.0.0.1:1"), "--insecure-open")
    t.tool("tun-decap", "-l", f"*:{port}", "--allow", "10.0.0.1:1", "--insecure-open", listens=[port])


def test_an_internal_name_nobody_serves(t):
    refused(t, (64, 78), ("tcp-chain", "-l", t.port(), "-t", "internal:nowhere"), "nowhere", "tun-run")
    refused(t, (78,), ("tun-run", "-e", f"tcp-chain -l {t.port()} -t internal:nowhere"), "nowhere")


def test_a_cycle_is_named(t):
    lines = ("-e", f"tcp-chain -l {t.port()} -t internal:aa", "-e", "tcp-chain -l internal:aa -t internal:bb",
             "-e", "tcp-chain -l internal:bb -t internal:aa")
    refused(t, (78,), ("tun-run", *lines), "aa", "bb")
    refused(t, (78,), ("tun-run", "--check", *lines), "aa", "bb")


def test_duplicate_names(t):
    refused(t, (78,), ("tun-run", "-e", "tcp-chain -l internal:same -t echo:", "-e", "tcp-chain -l internal:same -t echo:"), "same")


def test_a_pipeline_file(t):
    port = t.port()
    refused(t, (66,), ("tun-run", "/nonexistent/file.tun"), "/nonexistent/file.tun")
    good = t.write("good.tun", f"# a comment\ntcp-chain -l {tcp(port)} \\\n  -t internal:mid\ntcp-chain -l internal:mid -t 'respond:200:a, b'\n")
    assert run(t, "tun-run", "--check", good)[0] == 0
    t.tool("tun-run", good, listens=[port])
    assert client.get(port).body == b"a, b\n"
    bad = t.write("bad.tun", "\ntcp-chain -l 1 -t echo: --nonsense\n")
    refused(t, (78,), ("tun-run", bad), "bad.tun:2:", "--nonsense")
    refused(t, (78,), ("tun-run", "--check", bad), "bad.tun:2:")


def test_a_busy_port(t):
    origin = t.server(lambda connection: None)
    refused(t, (1,), ("tcp-chain", "-l", tcp(origin.port), "-t", "echo:"), str(origin.port))


def test_built_in_targets(t):
    port, silent = t.port(), t.port()
    t.tool("tcp-chain", "-l", tcp(port), "-t", "echo:")
    sock = t.connect(port)
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"
    t.tool("tcp-chain", "-l", tcp(silent), "-t", "discard:")
    sock = t.connect(silent)
    sock.sendall(b"x" * (1 << 20))
    sock.shutdown(1)
    assert client.read_to_end(sock) == (b"", "end")


def test_both_loopback_addresses(t):
    port = t.port()
    t.tool("tcp-chain", "-l", port, "-t", "respond:200:ok")
    for host in ("127.0.0.1", "::1") if os.path.exists("/proc/net/if_inet6") else ("127.0.0.1",):
        with client.connect(port, host=host) as sock:
            assert client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok\n"
